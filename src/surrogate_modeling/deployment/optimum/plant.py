"""What the plant does under the schedule that was found: the embedded simulator, from the state of the case."""

from __future__ import annotations

import numpy as np

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.grid import decimate
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.dataset import GeneratedConfig
from surrogate_modeling.generation.replay import PREDICTED_NAMES, CircuitCase
from surrogate_modeling.surrogate.model import Surrogate

# The case's given rows and those of the simulated case differ by the digits of the file [standard deviations].
SAME = 1e-3


class Plant:
    """The simulator at the state of a case.

    Args:
        surrogate: whose grid and columns its rows have.
        case: its schedule's given rows are compared with what the simulator does.
        dataset: with which the case was made.

    Raises:
        UserError: the simulator does not make this case, or lacks columns of the surrogate.
    """

    def __init__(self, surrogate: Surrogate, case: Case, dataset: GeneratedConfig) -> None:
        self.description, self.case = surrogate.description, case
        self.circuit = CircuitCase(dataset, case.name)
        channels = self.description.channels
        if unknown := [name for name in channels.predicted if name not in PREDICTED_NAMES]:
            raise UserError(f"dataset={dataset.name}: the circuit has no column {unknown[0]!r} of this surrogate")
        given = self.description.given_rows
        same = self._on_grid(self.circuit.predicted)[:given]
        if (np.abs(same - case.outputs[:given]) > SAME * surrogate.predicted_scale).any():
            raise UserError(
                f"case={case.name}: the simulator of this dataset makes another case of this name; give the keys of "
                "dataset=refrigerant with which it was made (dataset.seed, duration, families, refrigerant)"
            )

    def run(self, controls: np.ndarray) -> np.ndarray | str:
        """Predicted columns (T, P) of the surrogate under controls (T, C), or why the plant could not follow."""
        names = self.description.channels.controls
        time = self.case.time - self.case.time[0]
        # The last given row is the case's own.
        begin = float(time[self.description.in_len - 1])
        rows = self.circuit.run(time, dict(zip(names, controls.T, strict=True)), begin)
        return rows if isinstance(rows, str) else self._on_grid(rows)

    def _on_grid(self, rows: np.ndarray) -> np.ndarray:
        _, values = decimate(self.circuit.time, rows, self.description.step, self.description.decimation)
        columns = [PREDICTED_NAMES.index(name) for name in self.description.channels.predicted]
        return np.asarray(values[: len(self.case.time), columns], dtype=np.float64)
