"""Run the embedded circuit under controls of one's own, from where one of its cases is at some time.

Shape letters: T rows, C control, P predicted column.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.dataset import GeneratedConfig, RefrigerantConfig
from surrogate_modeling.generation.circuit import Circuit
from surrogate_modeling.generation.dataset import choose_simulator
from surrogate_modeling.generation.simulator import PlanError, case_name
from surrogate_modeling.refrigerant.columns import CONTROL_STEP, CONTROLS, PREDICTED

PREDICTED_NAMES = tuple(column.name for column in PREDICTED)


class CircuitCase:
    """One case of the embedded circuit, simulated again so that it can go on in another way.

    Args:
        dataset: with which the case was made.
        case: its name.

    Raises:
        UserError: another dataset than the embedded circuit's, a name that is none of its cases, or a case that it
            cannot simulate.
    """

    def __init__(self, dataset: GeneratedConfig, case: str) -> None:
        if not isinstance(dataset, RefrigerantConfig):
            raise UserError(
                f"dataset={dataset.name}: only the embedded circuit (dataset=refrigerant) takes a schedule; "
                "give schedule.csv to your simulator"
            )
        try:
            simulator, _ = choose_simulator(dataset)
        except PlanError as error:
            raise UserError(f"dataset: {error}") from None
        assert isinstance(simulator, Circuit)
        digits = re.search(r"\d+", case)
        number = int(digits.group()) if digits else 0
        if number < 1 or case != case_name(number):
            raise UserError(f"case={case}: the embedded circuit calls its cases {case_name(1)}, {case_name(2)}, ...")
        from surrogate_modeling.refrigerant.case import LeftRegion, run_case
        from surrogate_modeling.refrigerant.families import family_of
        from surrogate_modeling.refrigerant.schedules import WARM_UP, make_schedule

        simulator.prepare(Path())
        self.refrigerant, self.warm_up = dataset.refrigerant.value, round(WARM_UP / CONTROL_STEP)
        family = family_of(number, simulator.shares(), dataset.seed)
        schedule = make_schedule(number, dataset.duration, family, dataset.seed)
        try:
            run = run_case(self.refrigerant, schedule, 1)
        except LeftRegion as failure:
            raise UserError(f"case={case}: {failure.reason}") from None
        self.targets, self.plan = schedule.targets, run.controls
        self.time = np.arange(len(self.plan) - self.warm_up) * CONTROL_STEP
        self.predicted = run.predicted()[self.warm_up :]

    def run(self, time: np.ndarray, controls: dict[str, np.ndarray], begin: float) -> np.ndarray | str:
        """Predicted columns (T, P) every 0.1 s under other controls.

        Args:
            time: (K,) of the controls [s].
            controls: name -> (K,) in the units of the circuit, interpolated linearly; the others stay.
            begin: until then [s] the case stays as it was.

        Returns:
            The columns, or why the circuit could not follow.
        """
        from surrogate_modeling.refrigerant.case import run_schedule
        from surrogate_modeling.refrigerant.families import OPEN_LOOP
        from surrogate_modeling.refrigerant.integrator import SUBSTEPS, Drive

        plan, later = self.plan.copy(), self.time > begin + CONTROL_STEP / 2
        for i, column in enumerate(CONTROLS):
            if column.name in controls:
                plan[self.warm_up :, i][later] = np.interp(self.time[later], time, controls[column.name])
        drive = Drive(plan, self.targets, OPEN_LOOP)
        for substeps in (SUBSTEPS, 4 * SUBSTEPS):
            run = run_schedule(self.refrigerant, drive, substeps=substeps)
            if run.failed_at is None and run.unsolved == 0:
                return run.predicted()[self.warm_up :]
        if run.failed_at is None:
            return f"the circuit did not solve its flows {run.unsolved} times"
        return f"the circuit left its region after {run.failed_at - self.warm_up * CONTROL_STEP:.1f} s"
