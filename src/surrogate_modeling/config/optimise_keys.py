"""The configuration of ``optimise``: what a schedule is to reach, and what it must keep."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from surrogate_modeling.config.commands import BandScope, UseConfig
from surrogate_modeling.config.schema import MISSING, ranged
from surrogate_modeling.config.settings import device_key

if TYPE_CHECKING:
    from surrogate_modeling.config.dataset import GeneratedConfig
else:
    # OmegaConf 2.3 fails on unions of a dataclass within a typed field, as in ``config/commands.py``.
    GeneratedConfig = Any


@dataclass
class OptimiseConfig(UseConfig):
    """Configuration of ``optimise``; ``hydra/optimise.yaml`` explains each key."""

    case: str = MISSING
    output: str = MISSING
    overwrite: bool = False
    # Dictionaries by column, which OmegaConf 2.3 takes from the command line in an untyped field only.
    objective: Any = MISSING
    bounds: Any = None
    after: float = ranged(0.0, low=0.0)
    limits: Any = None
    rates: Any = None
    fixed: list[str] = field(default_factory=list)
    parameters: list[str] = field(default_factory=list)
    hold: float | None = None
    band: BandScope | None = BandScope.trajectory
    beyond: bool = False
    starts: int = ranged(4, low=1)
    steps: int = ranged(200, low=1)
    seed: int = ranged(42, low=0)
    unit: str | None = None
    max_gap: float | None = ranged(5.0, low=1.0)
    device: str = device_key()
    # The simulator that the case is from, to run what was found.
    dataset: GeneratedConfig | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.read_dictionaries("objective", "bounds", "limits", "rates", of="column")
        if not self.objective:
            self.reject("objective", "name at least one column, as in 'objective={Comp_kW: minimise mean}'")
        self.require_positive("hold")
