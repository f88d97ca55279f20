"""The embedded refrigerant circuit as a simulator of cases.

Its heavy imports are in functions, so that a plan is checked before anything loads.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from surrogate_modeling.cases.companions import FAMILIES_FILE
from surrogate_modeling.generation.simulator import CaseFailed, CaseTable, PlanError, case_name, require_whole_steps
from surrogate_modeling.refrigerant.columns import CONTROL_STEP, CONTROLS, MODEL_VERSION

FAMILY_NAMES = ("random_steps", "pi_control", "thermostat", "engine")
REFRIGERANT_NAMES = ("R134a", "R1234yf")
DIGITS = 7


@dataclass(frozen=True)
class Circuit:
    """Duration [s], output step [s], refrigerant, shares of the schedule families, and seed of the cases."""

    duration: float
    step: float
    refrigerant: str
    families: dict[str, float]
    seed: int

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise PlanError(f"seed = {self.seed}: use 0 or a positive integer")
        ratio = self.step / CONTROL_STEP
        if not (math.isfinite(ratio) and ratio > 0.5 and abs(ratio - round(ratio)) < 1e-6):
            raise PlanError(f"step = {self.step} s: use a multiple of {CONTROL_STEP} s")
        require_whole_steps(self.duration, self.step)
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

    @property
    def parameters(self) -> tuple[str, ...]:
        """No control is declared to be constant."""
        return ()

    @property
    def one_case_per_process(self) -> bool:
        """A process makes any number of cases."""
        return False

    def content(self) -> dict[str, object]:
        """Parameters that determine a case's content; shares as fractions of their sum."""
        return {
            "duration": float(self.duration),
            "step": float(self.step),
            "refrigerant": self.refrigerant,
            "families": self.shares(),
            "seed": self.seed,
            "model_version": MODEL_VERSION,
        }

    def case_list(self, count: int) -> tuple[str, list[list[str]]]:
        """The schedule family of every case."""
        from surrogate_modeling.refrigerant.families import family_of

        numbers = range(1, count + 1)
        rows = [[case_name(number), family_of(number, self.shares(), self.seed)] for number in numbers]
        return FAMILIES_FILE, [["case", "family"], *rows]

    @property
    def controls(self) -> tuple[str, ...]:
        """Names of the controls."""
        return tuple(column.name for column in CONTROLS)

    def schedule(self, number: int) -> CaseTable:
        """Controls of a case, with the speed that is requested of the compressor; the control unit may give another."""
        import numpy as np

        from surrogate_modeling.refrigerant.families import family_of
        from surrogate_modeling.refrigerant.schedules import WARM_UP, make_schedule

        schedule = make_schedule(number, self.duration, family_of(number, self.shares(), self.seed), self.seed)
        rows = schedule.plan[round(WARM_UP / CONTROL_STEP) :: round(self.step / CONTROL_STEP)]
        units = {column.name: column.unit for column in CONTROLS}
        return CaseTable(units, np.arange(len(rows)) * self.step, rows, DIGITS, (schedule.family,))

    def prepare(self, scratch: Path) -> Callable[[int], CaseTable]:
        """Load or build tables and compiled code; the circuit needs no folder."""
        from surrogate_modeling.refrigerant.preparation import prepare

        del scratch
        prepare(self.refrigerant)
        return self._simulate

    def _simulate(self, number: int) -> CaseTable:
        from surrogate_modeling.refrigerant.case import LeftRegion, case_table, names_and_units
        from surrogate_modeling.refrigerant.families import family_of

        family = family_of(number, self.shares(), self.seed)
        try:
            table = case_table(number, self.duration, self.step, self.refrigerant, family, self.seed)
        except LeftRegion as failure:
            state = ", ".join(f"{name} {value:.4g}" for name, value in failure.state.items())
            raise CaseFailed(f"{failure.reason}; state: {state}") from None
        names, units = names_and_units()
        return CaseTable(dict(zip(names[1:], units[1:], strict=True)), table[:, 0], table[:, 1:], DIGITS)
