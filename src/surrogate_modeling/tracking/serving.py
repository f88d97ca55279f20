"""Save a surrogate as an MLflow model: ``mlflow models serve`` answers requests with free runs."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from surrogate_modeling.cases.case import Case
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.tracking.store import import_mlflow

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

SERVED_CODE = Path(__file__).with_name("served_model.py")
EXAMPLE_ROWS = 5
# What a machine that serves the model needs beside this package.
REQUIREMENTS = ["mlflow", "torch", "numpy"]


def save_mlflow_model(surrogate: Surrogate, file: Path, folder: Path, case: Case) -> None:
    """Write the folder of an MLflow model.

    Args:
        surrogate: on any device.
        file: the surrogate as saved; it is copied into the model.
        folder: to make.
        case: its first rows are the input example.
    """
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    mlflow = import_mlflow()
    description = surrogate.description
    sizes, channels = description.sizes, description.channels
    example = {"controls": case.controls[None, : sizes.in_len + EXAMPLE_ROWS].astype(np.float64)}
    if description.given_rows:
        example = {"initial": case.outputs[None, : sizes.in_len].astype(np.float64), **example}
    # A run that was stopped after this step, or in it, comes here again; MLflow refuses a folder that holds anything.
    shutil.rmtree(folder, ignore_errors=True)
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    # MLflow prints advice on type hints past the filters.
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        mlflow.pyfunc.save_model(
            str(folder),
            python_model=str(SERVED_CODE),
            artifacts={"surrogate": str(file)},
            signature=_signature(surrogate),
            input_example=example,
            pip_requirements=REQUIREMENTS,
            metadata={
                "controls": list(channels.controls),
                "predicted": list(channels.predicted),
                "units": dict(channels.units),
                "step_seconds": description.step,
                "in_len": description.in_len,
                "start": description.start.value,
            },
        )


def _signature(surrogate: Surrogate) -> ModelSignature:
    """Arrays that go in and come out, and the parameters: of cases of any number and length."""
    from mlflow.models import ModelSignature
    from mlflow.types import ParamSchema, ParamSpec, Schema, TensorSpec

    description, number = surrogate.description, np.dtype(np.float64)
    sizes = description.sizes
    given = [TensorSpec(number, (-1, sizes.in_len, sizes.predicted), "initial")] if description.given_rows else []
    asked = ["unit"] * bool(surrogate.known_units) + ["band"] * (surrogate.band is not None)
    return ModelSignature(
        Schema([*given, TensorSpec(number, (-1, -1, sizes.controls), "controls")]),
        Schema([TensorSpec(number, (-1, -1, sizes.predicted))]),
        **({"params": ParamSchema([ParamSpec(name, "string", "") for name in asked])} if asked else {}),
    )
