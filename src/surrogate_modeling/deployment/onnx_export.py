"""Export a surrogate to ONNX: scaling and network in one graph, physical units in and out, any batch size.

``form=step`` gives two graphs: one makes a state of the past window, the other moves it by a row (by
``settings.out_len`` rows where the network predicts them together). ``form=trajectory`` gives one: first rows and a
control schedule of any length -> the whole trajectory.

Shape letters: B batch, F feature (C control, then P predicted), R rows of a call, S state, T all rows.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from surrogate_modeling.common.atomic_file import write_atomic
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.commands import Form
from surrogate_modeling.deployment.band_stepping import (
    BandedFreeRun,
    BandedFreeRunFromControls,
    BandedStep,
    CountingStart,
    edge_names,
)
from surrogate_modeling.deployment.export_check import Difference, FreeRunInputs, given_rows, largest_difference
from surrogate_modeling.deployment.stepping import FreeRun, FreeRunFromControls, Start, Step, require_single_rows
from surrogate_modeling.surrogate.band import BandScope, existing
from surrogate_modeling.surrogate.model import Surrogate

Session = Callable[..., list[np.ndarray]]
TRAJECTORY_ROWS = 12


@dataclass(frozen=True)
class Graph:
    """Module to export, with example inputs and which of their axes are free."""

    module: nn.Module
    inputs: dict[str, Tensor]
    outputs: list[str]
    free: dict[str, dict[int, str]]


def export_onnx(
    surrogate: Surrogate, path: Path, form: Form, real: Sequence[FreeRunInputs] = (), scope: BandScope | None = None
) -> tuple[list[Path], Difference]:
    """Write the file or files, after comparing them with the surrogate.

    Args:
        surrogate: on the CPU, in evaluation mode.
        path: of the file; what makes the state goes beside it as ``<stem>_start.onnx``.
        form: of the graph.
        real: cases to compare beside random ones.
        scope: of the band that the graph gives as well, in outputs ``lower`` and ``upper``; None: no band.

    Returns:
        What was written, and the largest difference over whole free runs.

    Raises:
        UserError: a package is missing, the form or the band is not to be had, or the export differs.
    """
    _require_packages()
    graphs = _trajectory(surrogate, scope) if form is Form.trajectory else _steps(surrogate, scope)
    paths = {key: path if key != "start" else path.with_name(f"{path.stem}_start.onnx") for key in graphs}
    models = {key: _to_onnx(graph, metadata(surrogate, scope)) for key, graph in graphs.items()}
    sessions = {key: _session(model) for key, model in models.items()}
    difference = largest_difference(
        surrogate, partial(run_onnx, surrogate, sessions), real, "the ONNX file", scope=scope
    )
    for key, model in models.items():
        write_atomic(paths[key], model)
    return list(paths.values()), difference


def run_onnx(
    surrogate: Surrogate, sessions: dict[str, Session], initial: np.ndarray, controls: np.ndarray
) -> np.ndarray:
    """Run freely through the exported graphs.

    Where the network predicts several rows together, the last control row is repeated up to whole calls, and the rows
    predicted past the end are dropped, as in :meth:`WindowNetwork.free_run`.

    Args:
        surrogate: that was exported, for its sizes.
        sessions: ``trajectory``; or ``start`` and ``step``.
        initial: (B, G, P), the G given rows.
        controls: (B, T, C).

    Returns:
        (B, T - in_len, P); of graphs with a band (B, T - in_len, 3 P): rows, lower and upper edges.
    """
    in_len, given = surrogate.description.in_len, surrogate.description.given_rows
    if "trajectory" in sessions:
        return np.concatenate(sessions["trajectory"](*([initial] if given else []), controls), axis=-1)
    (state,) = sessions["start"](given_rows(surrogate, initial, controls))
    rows, total, predicted = surrogate.network.rows_per_step, controls.shape[1], []
    if surplus := -(total - in_len) % rows:
        controls = np.concatenate((controls, np.repeat(controls[:, -1:], surplus, axis=1)), axis=1)
    for t in range(in_len, total, rows):
        state, *parts = sessions["step"](state, controls[:, t] if rows == 1 else controls[:, t : t + rows])
        row = np.concatenate(parts, axis=-1)
        predicted.append(row[:, None] if rows == 1 else row)
    return np.concatenate(predicted, axis=1)[:, : total - in_len]


def open_onnx(path: Path) -> Session:
    """Open an ONNX file as a function of its inputs in order."""
    return _session(path.read_bytes())


def _session(model: bytes) -> Session:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_inputs()]
    return lambda *arrays: session.run(None, dict(zip(names, arrays, strict=True)))


def _require_packages() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(f"format=onnx: {error.name} is not installed; pdm install -G export") from None


def _steps(surrogate: Surrogate, scope: BandScope | None) -> dict[str, Graph]:
    sizes, rows = surrogate.description.sizes, surrogate.network.rows_per_step
    number = surrogate.scaling.number
    columns = sizes.controls + (sizes.predicted if surrogate.description.given_rows else 0)
    given = {"past": torch.zeros(2, sizes.in_len, columns, dtype=number)}
    control = torch.zeros(2, *([] if rows == 1 else [rows]), sizes.controls, dtype=number)
    start = Start(surrogate) if scope is None else CountingStart(surrogate)
    step = Step(surrogate) if scope is None else BandedStep(surrogate, scope)
    state = torch.zeros(2, surrogate.network.state_size + (scope is not None))
    moved = {"state": state, "control": control}
    return {
        "start": Graph(start, given, ["state"], _batches(given)),
        "step": Graph(step, moved, ["next_state", *_outputs(scope)], _batches(moved)),
    }


def _trajectory(surrogate: Surrogate, scope: BandScope | None) -> dict[str, Graph]:
    sizes = surrogate.description.sizes
    require_single_rows(surrogate, "form=trajectory")
    inputs = {
        "initial": torch.zeros(2, sizes.in_len, sizes.predicted, dtype=surrogate.scaling.number),
        "controls": torch.zeros(2, sizes.in_len + TRAJECTORY_ROWS, sizes.controls, dtype=surrogate.scaling.number),
    }
    free = {"initial": {0: "batch"}, "controls": {0: "batch", 1: "rows"}}
    if not (is_given := surrogate.description.given_rows > 0):
        del inputs["initial"], free["initial"]
    if scope is None:
        module: nn.Module = FreeRun(surrogate) if is_given else FreeRunFromControls(surrogate)
    else:
        module = (BandedFreeRun if is_given else BandedFreeRunFromControls)(surrogate, scope)
    return {"trajectory": Graph(module, inputs, _outputs(scope), free)}


def _outputs(scope: BandScope | None) -> list[str]:
    return ["predicted"] if scope is None else ["predicted", "lower", "upper"]


def _batches(names: dict[str, Tensor]) -> dict[str, dict[int, str]]:
    return {name: {0: "batch"} for name in names}


def _to_onnx(graph: Graph, described: dict[str, str]) -> bytes:
    """Convert a graph to the bytes of an ONNX file with column metadata."""
    axes: dict[str, Any] = {}
    for names in graph.free.values():
        for name in names.values():
            axes.setdefault(name, torch.export.Dim(name))
    shapes = tuple({axis: axes[name] for axis, name in graph.free[key].items()} for key in graph.inputs)
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            graph.module.eval(), tuple(graph.inputs.values()), dynamo=True, dynamic_shapes=shapes,
            input_names=list(graph.inputs), output_names=graph.outputs, verbose=False,
        )  # fmt: skip
    assert program is not None
    model = program.model_proto
    for key, value in described.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    return model.SerializeToString()


def metadata(surrogate: Surrogate, scope: BandScope | None = None) -> dict[str, str]:
    """Metadata for the user of the file; lists as JSON; ``scope`` is that of its band."""
    description = surrogate.description
    channels = description.channels
    columns = (*channels.controls, *channels.predicted)
    return {
        "controls": json.dumps(channels.controls, ensure_ascii=False),
        "predicted": json.dumps(channels.predicted, ensure_ascii=False),
        "targets": json.dumps(channels.targets, ensure_ascii=False),
        "units": json.dumps({name: channels.units[name] for name in columns}, ensure_ascii=False),
        "training_low": json.dumps(dict(zip(columns, surrogate.scaling.low.tolist(), strict=True)), ensure_ascii=False),
        "training_high": json.dumps(
            dict(zip(columns, surrogate.scaling.high.tolist(), strict=True)), ensure_ascii=False
        ),
        "step_seconds": repr(description.step),
        "in_len": str(description.in_len),
        "out_len": str(description.out_len),
        "past_columns": f"controls{', then predicted' * bool(description.given_rows)}, in the order of these lists",
        "start": description.start.value,
        "model": description.model.name,
        **({} if surrogate.baked_unit is None else {"unit": surrogate.baked_unit}),
        **({} if scope is None else _of_band(surrogate, scope)),
    }


def _of_band(surrogate: Surrogate, scope: BandScope) -> dict[str, str]:
    band, names = existing(surrogate.band), edge_names(surrogate.description.channels)
    half = len(names) // 2
    return {
        "lower": json.dumps(names[:half], ensure_ascii=False),
        "upper": json.dumps(names[half:], ensure_ascii=False),
        "band": scope.value,
        "band_level": repr(band.level),
        "band_cases": str(band.cases),
    }


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's warnings about its own parts; errors still come as exceptions."""
    levels = {name: logging.getLogger(name).level for name in ("torch.onnx", "onnxscript", "onnx_ir")}
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        warnings.simplefilter("ignore")
        for name, level in levels.items():
            logging.getLogger(name).setLevel(logging.ERROR)
            stack.callback(logging.getLogger(name).setLevel, level)
        yield
