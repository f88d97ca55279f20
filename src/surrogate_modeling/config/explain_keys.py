"""The configuration of ``explain``."""

from __future__ import annotations

from dataclasses import dataclass

from surrogate_modeling.config.commands import UseConfig
from surrogate_modeling.config.schema import MISSING, ranged
from surrogate_modeling.config.settings import device_key


@dataclass
class ExplainConfig(UseConfig):
    """Configuration of ``explain``; ``hydra/explain.yaml`` explains each key."""

    cases: str = MISSING
    output: str = MISSING
    overwrite: bool = False
    num_cases: int = ranged(10, low=1)
    step: float = ranged(0.5, low=0.01, high=2.0)
    settle: float | None = None
    samples: int = ranged(0, low=0)
    seed: int = ranged(42, low=0)
    unit: str | None = None
    max_gap: float | None = ranged(5.0, low=1.0)
    device: str = device_key()

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("settle")
        if self.samples and self.samples & (self.samples - 1):
            self.reject("samples", "must be a power of 2, as Sobol's sequence is balanced there only; 0 for none")
