"""Configuration of ``adapt``; ``hydra/adapt.yaml`` explains each key."""

from __future__ import annotations

from dataclasses import dataclass

from surrogate_modeling.config.commands import UseConfig
from surrogate_modeling.config.schema import MISSING, Choice, ranged
from surrogate_modeling.config.settings import Language, device_key


class How(Choice):
    """What is adapted: what a unit has of its own, all trained weights, or what cases left out ask for."""

    auto = "auto"
    unit = "unit"
    finetune = "finetune"


@dataclass
class AdaptConfig(UseConfig):
    """Configuration of ``adapt``: new cases, what is adapted, and how far; ``hydra/adapt.yaml`` explains each key."""

    cases: str = MISSING
    how: How = How.auto
    unit: str | None = None
    groups: str | None = None
    parameters: str | None = None
    kept_out: int | float = ranged(0.3, low=0)
    old: str | None = None
    old_share: float = ranged(0.5, low=0.0, below=1.0)
    epochs: int = ranged(60, low=1)
    patience: int = ranged(10, low=1)
    lr_share: float = ranged(0.3, low=1e-6)
    max_minutes: float | None = ranged(None, low=1e-6)
    seed: int = ranged(42, low=0, high=2**32 - 1)
    output: str | None = None
    overwrite: bool = False
    register_model: str | None = None
    mlflow_exp_name: str = "pytorch_lightning_test"
    max_gap: float | None = ranged(5.0, low=1.0)
    device: str = device_key()
    progress_bar: bool = True
    language: Language = Language.en
    workers: int | None = ranged(None, low=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.groups is not None and self.unit is not None:
            self.reject("unit", "give groups=<a CSV> or the unit of all new cases, not both")
        if self.kept_out == 0 or (isinstance(self.kept_out, float) and self.kept_out >= 1):
            self.reject("kept_out", "must be a number of cases (an integer from 1) or a fraction between 0 and 1")
        if self.unit is not None and not self.unit.strip():
            self.reject("unit", "must not be empty")
