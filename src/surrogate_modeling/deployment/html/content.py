"""What a page holds of a surrogate: names, units and ranges, scaling and weights, band, cases to start from.

Shape letters: T rows of a case, F columns (C controls, then P predicted), G given rows of the predicted columns.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from surrogate_modeling.cases.schedules import Schedule
from surrogate_modeling.deployment.html.kernel import kernel_module
from surrogate_modeling.deployment.html.network import NetworkScript
from surrogate_modeling.surrogate.band import Band, BandScope
from surrogate_modeling.surrogate.model import Surrogate

# Of a schedule that begins at the training mean.
MEAN_ROWS = 300


def packed(values: Any) -> str:
    """Numbers as base64 of float32 (``f``), or of float64 (``d``) where float32 would change one.

    ``decoded`` of ``surrogate_engine.js`` reads it.
    """
    exact = np.asarray(values, np.float64)
    with np.errstate(over="ignore"):
        single = exact.astype("<f4")
    same = np.array_equal(single.astype(np.float64), exact, equal_nan=True)
    content = single.tobytes() if same else exact.astype("<f8").tobytes()
    return ("f" if same else "d") + base64.b64encode(content).decode("ascii")


def page_data(surrogate: Surrogate, script: NetworkScript, starts: Sequence[Schedule]) -> dict[str, Any]:
    """Values of the page, for JSON.

    Args:
        surrogate: on the CPU.
        script: its network.
        starts: cases to begin with; none: the training mean.
    """
    description, scaling, output = surrogate.description, surrogate.scaling, surrogate.output_scaling
    channels, count = description.channels, description.sizes.controls
    low, high, level = scaling.low.tolist(), scaling.high.tolist(), scaling.level.tolist()
    columns = [
        {"name": name, "unit": channels.units[name], "low": low[i], "high": high[i], "level": level[i]}
        for i, name in enumerate((*channels.controls, *channels.predicted))
    ]
    for column in columns[:count]:
        column["parameter"] = column["name"] in channels.parameters
    for column in columns[count:]:
        column["target"] = column["name"] in channels.targets
    return {
        "model": description.model.name,
        "unit": surrogate.baked_unit,
        "controls": columns[:count],
        "predicted": columns[count:],
        "step": description.step,
        "inLen": description.in_len,
        "decimation": description.decimation.value,
        "given": description.given_rows,
        "fingerprint": _fingerprint(surrogate, script),
        "kernel": base64.b64encode(kernel_module()).decode("ascii"),
        "weights": packed(np.frombuffer(script.weights, "<f4")),
        "scaling": {
            "offset": packed(scaling.offset),
            "mean": packed(scaling.mean),
            "divisor": packed(scaling.divisor),
            "outputMean": packed(output.mean[count:]),
            "outputScale": packed(output.scale[count:]),
        },
        "range": _range(surrogate),
        "band": None if surrogate.band is None else _band(surrogate.band),
        "cases": [_start(start, surrogate) for start in starts] or [_mean_start(surrogate)],
    }


def _fingerprint(surrogate: Surrogate, script: NetworkScript) -> str:
    """What tells links of one surrogate from those of another."""
    channels = surrogate.description.channels
    return hashlib.sha256(script.weights + repr((channels.controls, channels.predicted)).encode()).hexdigest()[:12]


def _band(band: Band) -> dict[str, Any]:
    return {
        "level": band.level,
        "knots": packed(band.knots),
        "scopes": {
            scope.value: {"factor": packed(band.factors(scope)), "growth": packed(band.growth_at(scope))}
            for scope in BandScope
        },
    }


def _range(surrogate: Surrogate) -> dict[str, str] | None:
    """The training rows by which the distance of a row is measured."""
    known = surrogate.training_range
    if not bool(known.units.isfinite().all()):
        return None
    names = ("control_scale", "control_rows", "units")
    return {name: packed(getattr(known, name)) for name in names}


def _start(start: Schedule, surrogate: Surrogate) -> dict[str, Any]:
    case, description = start.case, surrogate.description
    # In the order of the predicted columns, whatever that of dataset.targets is.
    targets = case.outputs[:, sorted(description.channels.target_indices)]
    return {
        "name": case.name,
        "time": float(case.time[0]),
        "controls": packed(case.controls),
        "initial": packed(case.outputs[: description.given_rows]),
        "truth": packed(targets) if start.has_truth else None,
    }


def _mean_start(surrogate: Surrogate) -> dict[str, Any]:
    description = surrogate.description
    count, level = description.sizes.controls, surrogate.scaling.level.numpy()
    return {
        "name": None,
        "time": 0.0,
        "controls": packed(np.tile(level[:count], (description.in_len + MEAN_ROWS, 1))),
        "initial": packed(np.tile(level[count:], (description.given_rows, 1))),
        "truth": None,
    }
