"""Configuration of ``plan``; ``hydra/plan.yaml`` explains each key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from surrogate_modeling.config.commands import UseConfig
from surrogate_modeling.config.schema import MISSING, Choice, ranged
from surrogate_modeling.config.settings import Language, device_key

if TYPE_CHECKING:
    from surrogate_modeling.config.dataset import GeneratedConfig
else:
    # OmegaConf 2.3 fails on unions of a dataclass within a typed field, as in ``config/commands.py``.
    GeneratedConfig = Any


class By(Choice):
    """What a schedule is worth, times its distance to what is there and what is chosen."""

    distance = "distance"
    spread = "spread"
    band = "band"
    random = "random"


class Update(Choice):
    """How the surrogate of the next round is made: trained anew, or further from that of the round before."""

    anew = "anew"
    further = "further"


@dataclass
class PlanConfig(UseConfig):
    """Configuration of ``plan``: how many schedules, of what, chosen how; ``hydra/plan.yaml`` explains each key."""

    cases: int = ranged(10, low=1)
    output: str = MISSING
    overwrite: bool = False
    # Dictionaries and lists of any names, which OmegaConf 2.3 takes from the command line in an untyped field only.
    inputs: Any = None
    together: list[list[str]] = field(default_factory=list)
    duration: float | None = None
    rates: Any = None
    constraints: list[str] = field(default_factory=list)
    candidates: int = ranged(200, low=1)
    by: By = By.distance
    unit: str | None = None
    rounds: int = ranged(0, low=0)
    until: float | None = None
    update: Update = Update.anew
    max_minutes: float | None = ranged(None, low=1e-6)
    old: str | None = None
    seed: int = ranged(42, low=0)
    mlflow_exp_name: str = "pytorch_lightning_test"
    language: Language = Language.en
    device: str = device_key()
    progress_bar: bool = True
    workers: int | None = ranged(None, low=1)
    # The simulator whose cases are planned, and simulated where rounds are asked for.
    dataset: GeneratedConfig | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.read_dictionaries("inputs", "rates", of="control")
        if self.candidates < self.cases:
            self.reject("candidates", f"must be at least cases={self.cases}, which are chosen among them")
        self.require_positive("duration")
        self.require_positive("until", "must be an nADE above 0")
        if self.dataset is None and self.rounds:
            self.reject("rounds", "needs dataset=refrigerant, fmu or command, which simulates what is planned")
        if self.unit is not None and self.rounds:
            self.reject("unit", "not with rounds: the cases that are made have no unit")
        if self.until is not None and not self.rounds:
            self.reject("until", "needs rounds=<how many at most>, in which cases are simulated and trained on")
        if self.dataset is not None:
            self._check_simulated()

    def _check_simulated(self) -> None:
        for key in ("inputs", "together", "duration"):
            if getattr(self, key):
                self.reject(key, "not with dataset=..., whose own keys say what its cases are like")
