"""MLflow model code that loads and serves a saved surrogate; it is copied into the model, so nothing is pickled.

Input: ``initial`` (B, in_len, P), the predicted columns of the first rows (of a surrogate that starts from controls
alone there is no such input), and ``controls`` (B, T, C), the controls of all rows. Output: (B, T - in_len, P), or
three of these with a band around it. Physical units; the order of the columns is in the model's metadata.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import PythonModel

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.surrogate.model import Surrogate


class ServedSurrogate(PythonModel):
    """Free run of a surrogate as an MLflow model."""

    def load_context(self, context: Any) -> None:
        """Load the surrogate, once before the first prediction."""
        self.surrogate = Surrogate.load(context.artifacts["surrogate"])

    # MLflow would read type hints as a signature of its own making.
    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ARG002
        """Predict a batch of cases of one length.

        Args:
            context: unused.
            model_input: ``initial`` (B, in_len, P), if any, and ``controls`` (B, T, C).
            params: ``unit``, the unit of all cases; empty or left out: the mean unit. ``band``, what the 90 % band is
                to hold: row, trajectory or all; empty or left out: there is none in the answer.

        Returns:
            (B, T - in_len, P); with a band ``predicted``, ``lower`` and ``upper``, each of this shape.

        Raises:
            MlflowException: an input does not fit or is not a finite number, with its place, the unit is not known, or
                there is no such band; served, status 400.
        """
        channels = self.surrogate.description.channels
        controls = np.asarray(model_input["controls"], np.float64)
        initial = np.zeros((len(controls), 0, len(channels.predicted)))
        if self.surrogate.description.given_rows:
            initial = np.asarray(model_input["initial"], np.float64)
        _check_finite("initial", initial, channels.predicted)
        _check_finite("controls", controls, channels.controls)
        try:
            unit, scope = ((params or {}).get(key) or None for key in ("unit", "band"))
            if scope is None:
                answer = {"predicted": self.surrogate.free_run(initial, controls, unit=unit).astype(np.float64)}
            else:
                banded = self.surrogate.free_run_band(initial, controls, unit=unit, scope=scope)
                names = ("predicted", "lower", "upper")
                answer = {name: rows.astype(np.float64) for name, rows in zip(names, banded, strict=True)}
        except (ValueError, UserError) as error:
            raise MlflowException(str(error), INVALID_PARAMETER_VALUE) from None
        if place := _not_finite(answer["predicted"], channels.predicted):
            raise MlflowException(
                f"the free run leaves what numbers hold at predictions{place}: inputs far outside the training range?",
                INVALID_PARAMETER_VALUE,
            )
        return answer["predicted"] if scope is None else answer


def _check_finite(name: str, values: np.ndarray, columns: Sequence[str]) -> None:
    """Refuse NaN, null, infinity, and numbers beyond the range of 32-bit floats."""
    with np.errstate(over="ignore"):
        place = _not_finite(values.astype(np.float32), columns)
    if place:
        raise MlflowException(f"{name}{place} is not a finite 32-bit number", INVALID_PARAMETER_VALUE)


def _not_finite(values: np.ndarray, columns: Sequence[str]) -> str:
    """First such place as indices from 0, with the column's name; empty where there is none."""
    found = np.argwhere(~np.isfinite(values))
    if not len(found):
        return ""
    *rest, column = (int(index) for index in found[0])
    name = f" ({columns[column]})" if column < len(columns) else ""
    return "".join(f"[{index}]" for index in (*rest, column)) + name


set_model(ServedSurrogate())
