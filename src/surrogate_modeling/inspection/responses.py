"""How the predicted columns answer the controls: time constants and share of variance of the linear baseline.

Shape letters: T rows of a case, C controls, P predicted columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from surrogate_modeling.cases.case import Case, CaseSet
from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.inspection.series import GIVEN_ROWS
from surrogate_modeling.networks.filters import TIME_CONSTANTS
from surrogate_modeling.surrogate.scaling import Standardizer
from surrogate_modeling.training.baselines import Baseline, fit_linear
from surrogate_modeling.training.regression_rows import BaselineData

# Cases fitted on and cases that choose, at most.
MAX_FITTED, MAX_CHOOSING = 40, 12
# Rows of all of them.
MAX_ROWS = 100_000
# A step response is followed for so many of the slowest time constant used, but not beyond the usual case.
FOLLOWED = 5.0
# Shares of the final value of a step response: at one time constant, and nearly there.
FIRST, NEARLY = 1 - np.exp(-1), 0.95
# Pieces of a record, where there are few cases.
PIECES = 6


@dataclass(frozen=True)
class Response:
    """Answer of one predicted column.

    Attributes:
        control: position of the control that moves it most.
        seconds: until 63 % of the answer to a step of that control is there [s], of that within the usual case.
        settled: until 95 % is [s].
        told: share of its variance over whole cases that the linear baseline predicts, from the first rows and the
            controls, on cases it was not fitted on.
        unpredicted: error of the baseline over that of the mean, or of the first rows held, whichever is less.
    """

    control: int
    seconds: float
    settled: float
    told: float
    unpredicted: float


def with_roles(case_set: CaseSet, controls: Sequence[str], predicted: Sequence[str]) -> list[Case]:
    """Cases of some of the columns, in these roles."""
    names = (*case_set.channels.controls, *case_set.channels.predicted)
    order = [names.index(name) for name in (*controls, *predicted)]
    offsets = case_set.channels.offsets
    channels = Channels(
        tuple(controls), tuple(predicted), tuple(predicted),
        {names[i]: case_set.channels.units[names[i]] for i in order},
        None if offsets is None else tuple(offsets[i] for i in order),
    )  # fmt: skip
    return [replace(case, values=case.values[:, order], channels=channels) for case in case_set.cases]


def fit(cases: Sequence[Case]) -> tuple[Baseline, list[Case]] | None:
    """Fit the linear baseline on most of the cases; None where there are too few rows.

    Returns:
        The baseline, and the cases that chose its features.
    """
    if len(cases) < 3:
        cases = [piece for case in cases for piece in _pieces(case)]
    cases = [case for case in cases if len(case.time) > 3 * GIVEN_ROWS]
    if len(cases) < 2:
        return None
    usual = float(np.mean([len(case.time) for case in cases]))
    most = min(MAX_FITTED + MAX_CHOOSING, max(4, int(MAX_ROWS / usual)))
    order = np.random.default_rng(0).permutation(len(cases))[:most].tolist()
    count = max(1, min(MAX_CHOOSING, len(order) // 4))
    choosing, training = ([cases[i] for i in sorted(part)] for part in (order[:count], order[count:]))
    channels = cases[0].channels
    scaling = Standardizer(len(channels.controls) + len(channels.predicted), channels.offsets)
    scaling.fit([case.values for case in training])
    targets = range(len(channels.predicted))
    return fit_linear(BaselineData(training, choosing, targets, scaling, GIVEN_ROWS)), choosing


def _pieces(case: Case) -> list[Case]:
    parts = np.array_split(np.arange(len(case.time)), PIECES)
    return [replace(case, time=case.time[part], values=case.values[part]) for part in parts if len(part)]


def responses(baseline: Baseline, choosing: Sequence[Case], step: float) -> list[Response]:
    """The answer of each predicted column (P).

    Args:
        baseline: fitted.
        choosing: cases that it was not fitted on.
        step: between rows [s].
    """
    network, controls = baseline.network, baseline.network.filters.controls
    blocks = network.weight[: network.filters.of_controls].reshape(-1, controls, network.sizes.predicted).cpu().numpy()
    constants = np.array(TIME_CONSTANTS)
    usual = float(np.median([len(case.time) for case in choosing]))
    rows = np.unique(np.geomspace(1, min(FOLLOWED * max(baseline.time_constants), usual), 400).round())
    # (rows, 1 + K): a control, and its averages, after a step at row 0.
    basis = np.hstack((np.ones((len(rows), 1)), 1 - np.exp(-rows[:, None] / constants)))
    steps = np.tensordot(basis, blocks, axes=1)
    told, unpredicted = _told(baseline, choosing)
    found = []
    for p in range(steps.shape[2]):
        control = int(np.abs(steps[-1, :, p]).argmax())
        answer = steps[:, control, p] / steps[-1, control, p] if steps[-1, control, p] else np.ones(len(rows))
        at = [float(rows[int(np.argmax(answer >= share))]) * step for share in (FIRST, NEARLY)]
        # Answered within one row: faster than the rows can show.
        at = [0.0 if seconds <= step else seconds for seconds in at]
        found.append(Response(control, at[0], at[1], float(told[p]), float(unpredicted[p])))
    return found


def _told(baseline: Baseline, cases: Sequence[Case]) -> tuple[np.ndarray, np.ndarray]:
    """Share of the variance that is predicted, and error over that of the better of mean and first rows, each (P,)."""
    truth = [case.outputs[GIVEN_ROWS:].astype(np.float64) for case in cases]
    predicted = baseline.predict(cases)
    mean = np.concatenate(truth).mean(axis=0)
    size = np.where((spread := np.concatenate(truth).std(axis=0)) > 0, spread, 1.0)
    held = [case.outputs[:GIVEN_ROWS].mean(axis=0) for case in cases]
    rest = np.concatenate([(p - t) / size for p, t in zip(predicted, truth, strict=True)])
    around = np.concatenate([(mean - t) / size for t in truth])
    fixed = np.concatenate([(h - t) / size for h, t in zip(held, truth, strict=True)])
    simple = np.fmin(np.abs(around).mean(axis=0), np.abs(fixed).mean(axis=0))
    told = 1 - np.square(rest).mean(axis=0) / np.maximum(np.square(around).mean(axis=0), 1e-12)
    return told, np.abs(rest).mean(axis=0) / np.maximum(simple, 1e-12)
