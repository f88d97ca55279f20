"""Plan of the cases to simulate, and the names of cases."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass

from surrogate_modeling.refrigerant.columns import CONTROL_STEP, MODEL_VERSION

FAMILY_NAMES = ("random_steps", "pi_control", "thermostat", "engine")
REFRIGERANT_NAMES = ("R134a", "R1234yf")


class PlanError(ValueError):
    """An invalid plan, or one that differs from that of the cases already in the folder."""


@dataclass(frozen=True)
class CasePlan:
    """Parameters of the cases to simulate: number, duration [s], output step [s], refrigerant, family shares, seed."""

    cases: int
    duration: float
    step: float
    refrigerant: str
    families: dict[str, float]
    seed: int

    def __post_init__(self) -> None:
        if self.cases < 1:
            raise PlanError(f"cases = {self.cases}: make at least 1 case")
        if self.seed < 0:
            raise PlanError(f"seed = {self.seed}: use 0 or a positive integer")
        ratio = self.step / CONTROL_STEP
        if not (math.isfinite(ratio) and ratio > 0.5 and abs(ratio - round(ratio)) < 1e-6):
            raise PlanError(f"step = {self.step} s: use a multiple of {CONTROL_STEP} s")
        rows = self.duration / self.step
        if not (math.isfinite(rows) and rows > 0.5 and abs(rows - round(rows)) < 1e-6):
            raise PlanError(f"duration = {self.duration} s: use a positive multiple of the step, {self.step} s")
        if self.refrigerant not in REFRIGERANT_NAMES:
            raise PlanError(f"refrigerant = {self.refrigerant}: choose one of {', '.join(REFRIGERANT_NAMES)}")
        unknown = [name for name in self.families if name not in FAMILY_NAMES]
        if unknown:
            raise PlanError(f"families: {', '.join(unknown)} unknown; choose from {', '.join(FAMILY_NAMES)}")
        shares = list(self.families.values())
        if not all(math.isfinite(share) and share >= 0.0 for share in shares) or sum(shares) <= 0.0:
            raise PlanError(f"families = {self.families}: give shares of 0 or more, at least one above 0")

    def shares(self) -> dict[str, float]:
        """Shares of all families as fractions of their sum."""
        total = sum(self.families.values())
        return {name: round(self.families.get(name, 0.0) / total, 9) for name in FAMILY_NAMES}

    def content(self) -> dict[str, object]:
        """Parameters that determine a case's content (not the number of cases); shares as fractions of their sum."""
        return {
            "duration": float(self.duration),
            "step": float(self.step),
            "refrigerant": self.refrigerant,
            "families": self.shares(),
            "seed": self.seed,
            "model_version": MODEL_VERSION,
        }

    def to_json(self) -> str:
        """The plan as one line of JSON, for a worker process."""
        return json.dumps({**asdict(self), "families": self.shares()})


@dataclass(frozen=True)
class FailedCase:
    """A case whose simulation failed: number, reason, and final state."""

    number: int
    reason: str
    state: dict[str, float]


def case_name(number: int) -> str:
    """Name of a case: its file name without suffix."""
    return f"case{number:04d}"
