"""What MLflow runs when it loads or serves a saved surrogate; copied into the model, so that nothing is pickled.

Input: ``initial`` (B, in_len, P), the predicted columns of the first rows, and ``controls`` (B, T, C), the controls of
all rows. Output: (B, T - in_len, P). Physical units; the order of the columns is in the model's metadata.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

from surrogate_modeling.surrogate.model import Surrogate


class ServedSurrogate(PythonModel):
    """The free run of a surrogate."""

    def load_context(self, context: Any) -> None:
        """Called once, before the first prediction."""
        self.surrogate = Surrogate.load(context.artifacts["surrogate"])

    # MLflow would read type hints as a signature of its own making.
    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ARG002
        """See the file."""
        initial, controls = (np.asarray(model_input[key]) for key in ("initial", "controls"))
        return self.surrogate.free_run(initial, controls).astype(np.float64)


set_model(ServedSurrogate())
