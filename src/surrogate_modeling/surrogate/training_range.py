"""Range of the training cases, and the distance of a case from them.

A row of controls is compared with the training rows nearest to it, in the controls and in averages of their past: a
combination that no training case had is far away even where every column by itself stays in its range, and a control
that is on or off is in range at both.

Shape letters: T rows of a case, C control, P predicted column, D features of a row, K training rows that are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.cases.stretches import blocks
from surrogate_modeling.networks.scan import leaky_scan
from surrogate_modeling.surrogate.scaling import Standardizer
from surrogate_modeling.surrogate.switches import Switches

# Time constants of the averages, in rows.
AVERAGES = (5.0, 50.0, 500.0)
# Training rows that are kept: those that lie farthest apart among some more.
KEPT_ROWS, CANDIDATE_ROWS = 256, 4096
# Share of the training cases that lie within the unit of distance of the others.
UNIT_SHARE = 0.9
# Into which a single training case is cut: its rows are all near to each other.
PIECES = 10
# Position of a row whose control was constant over the training cases and has another value.
MOVED_CONSTANT = 10.0
# A position that is shown as 1.01 or more: the edge itself belongs to the inside.
BEYOND = 1.005
ROWS_AT_ONCE = 8192


@dataclass(frozen=True)
class Range:
    """Smallest and largest training value of each column (F,), and the columns' names and units."""

    channels: Channels
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, channels: Channels, scaling: Standardizer) -> Self:
        """Make the range from a fitted scaling."""
        return cls(channels, scaling.low.cpu().numpy(), scaling.high.cpu().numpy())


@dataclass(frozen=True)
class Position:
    """Distance of a case from the training cases, in units of the distance between these: beyond 1 it is farther.

    Attributes:
        rows: (T,) of the controls of each row.
        start: of the given rows of the predicted columns.
    """

    rows: np.ndarray
    start: float

    @property
    def outside(self) -> np.ndarray:
        """Whether each row (T,) is farther from the training cases than these are from each other."""
        return self.rows >= BEYOND


class TrainingRange(nn.Module):
    """Training rows far apart from each other, and the distance between training cases, by which others are measured.

    It also knows which controls are switches.

    The distance of two rows is the root mean square over their features, each in its standard deviation. Its unit is
    that within which nine of ten training cases stay from all the others.

    Args:
        controls: C.
        predicted: P.
    """

    control_scale: Tensor
    control_rows: Tensor
    output_rows: Tensor
    units: Tensor

    def __init__(self, controls: int, predicted: int) -> None:
        super().__init__()
        features = controls * (1 + len(AVERAGES))
        self.register_buffer("control_scale", torch.ones(features))
        self.register_buffer("control_rows", torch.zeros(KEPT_ROWS, features))
        self.register_buffer("output_rows", torch.zeros(KEPT_ROWS, predicted))
        # Of the controls and of the predicted columns; NaN until fitted.
        self.register_buffer("units", torch.full((2,), torch.nan))
        self.switches = Switches(controls)

    def fit(self, cases: Sequence[Case], scaling: Standardizer, given: int) -> None:
        """Keep training rows and measure the distance between cases.

        Args:
            cases: for training; a single one is cut into pieces, whose distance from each other is measured.
            scaling: fitted on them.
            given: rows that a prediction starts from.
        """
        self.switches.fit(cases)
        if len(cases) == 1 and len(cases[0].time) >= PIECES * given:
            cases = blocks(cases[0], PIECES, gap=0, least=given)
        each = max(2, CANDIDATE_ROWS // len(cases))
        features, outputs, starts, owner = [], [], [], []
        for i, case in enumerate(cases):
            chosen = np.unique(np.linspace(0, len(case.time) - 1, min(each, len(case.time))).astype(int))
            features.append(_features(case, scaling)[chosen])
            scaled = _scaled(case, scaling)[:, len(case.channels.controls) :]
            outputs.append(scaled[chosen])
            starts.append(scaled[:given].mean(dim=0))
            owner += [i] * len(chosen)
        rows, of_case = torch.cat(features), torch.tensor(owner)
        spread = rows.std(dim=0, correction=0)
        self.control_scale.copy_(torch.where(spread > 0, spread, 1.0))
        rows = rows / self.control_scale.cpu()
        kept = _far_apart(rows)
        self.control_rows.copy_(rows[kept])
        self.output_rows.copy_(torch.cat(outputs)[kept])
        self.units[0] = _unit(rows, of_case, rows[kept], of_case[kept])
        self.units[1] = _unit(torch.stack(starts), torch.arange(len(cases)), self.output_rows.cpu(), of_case[kept])

    def extend(self, cases: Sequence[Case], scaling: Standardizer) -> None:
        """Keep rows of more training cases beside those that are kept; the unit of distance stays.

        Args:
            cases: that the surrogate is trained on further.
            scaling: fitted on the first training cases.
        """
        self.switches.extend(cases)
        each = max(2, CANDIDATE_ROWS // len(cases))
        features, outputs = [self.control_rows.cpu()], [self.output_rows.cpu()]
        for case in cases:
            chosen = np.unique(np.linspace(0, len(case.time) - 1, min(each, len(case.time))).astype(int))
            features.append(_features(case, scaling)[chosen] / self.control_scale.cpu())
            outputs.append(_scaled(case, scaling)[chosen, len(case.channels.controls) :])
        rows = torch.cat(features)
        kept = _far_apart(rows)
        self.control_rows.copy_(rows[kept])
        self.output_rows.copy_(torch.cat(outputs)[kept])

    def distance(self, controls: Tensor) -> Tensor:
        """Distance (B, T) of standardised controls (B, T, C) from the training rows, differentiable.

        Beyond 1 they are farther than the training cases are from each other.
        """
        kept = self.measured_rows
        return torch.stack([
            torch.cat([_nearest(part, kept.to(part)) for part in case.split(ROWS_AT_ONCE)])
            for case in self.measured(controls)
        ])  # fmt: skip

    @property
    def measured_rows(self) -> Tensor:
        """Training rows that are kept (K, D), as :meth:`measured` gives them."""
        return self.control_rows / (self.units[0] * self.control_rows.shape[1] ** 0.5)

    def measured(self, controls: Tensor) -> Tensor:
        """Standardised controls (B, T, C) and averages of their past (B, T, D), whose distance is in units of it."""
        return _averaged(controls) / (self.control_scale * self.units[0] * len(self.control_scale) ** 0.5)

    def position(self, case: Case, scaling: Standardizer, given: int) -> Position:
        """Distance of a case from the training cases.

        Args:
            case: with all its controls and the first ``given`` rows of the predicted columns.
            scaling: fitted on the training cases.
            given: rows of the predicted columns that the prediction starts from; with 0, ``start`` is 0.
        """
        controls = len(case.channels.controls)
        near = self.distance(_scaled(case, scaling)[None, :, :controls].to(self.units.device))[0].cpu()
        near_start = 0.0
        if given:
            start = _scaled(case, scaling)[:given, controls:].mean(dim=0, keepdim=True)
            near_start = float(_distance(start, self.output_rows.cpu()) / self.units[1].cpu())
        low, high = (edge.cpu().numpy() for edge in (scaling.low, scaling.high))
        rows = np.maximum(near.numpy(), _beyond(case.controls, low[:controls], high[:controls]))
        beyond = _beyond(case.outputs[:given], low[controls:], high[controls:])
        return Position(rows, max(near_start, float(beyond.max(initial=0.0))))


def _scaled(case: Case, scaling: Standardizer) -> Tensor:
    """Standardised rows (T, F)."""
    return scaling.standardise_held(torch.tensor(case.values))


def _features(case: Case, scaling: Standardizer) -> Tensor:
    """Standardised controls and the averages of their past (T, D)."""
    return _averaged(_scaled(case, scaling)[None, :, : len(case.channels.controls)])[0]


def _averaged(controls: Tensor) -> Tensor:
    """Standardised controls (B, T, C) and the averages of their past (B, T, D)."""
    rate = 1.0 - torch.exp(-1.0 / torch.tensor(AVERAGES)).repeat_interleave(controls.shape[-1]).to(controls.device)
    repeated = controls.transpose(0, 1).repeat(1, 1, len(AVERAGES))
    averages = leaky_scan(rate.expand(*repeated.shape[:2], -1), repeated, repeated[0])
    return torch.cat((controls, averages.transpose(0, 1)), dim=-1)


def _nearest(rows: Tensor, kept: Tensor) -> Tensor:
    """Distance of rows (T, D) to the nearest of those that are kept (K, D)."""
    return torch.cdist(rows, kept).min(dim=1).values


def _distance(rows: Tensor, kept: Tensor) -> Tensor:
    """The same as a root mean square over the features."""
    return _nearest(rows, kept) / rows.shape[1] ** 0.5


def _far_apart(rows: Tensor) -> Tensor:
    """Positions (KEPT_ROWS,) of rows far apart from each other: each the farthest from those before (Gonzalez 1985)."""
    chosen = [int((rows - rows.mean(dim=0)).norm(dim=1).argmax())]
    near = (rows - rows[chosen[0]]).norm(dim=1)
    while len(chosen) < KEPT_ROWS:
        chosen.append(int(near.argmax()))
        near = torch.minimum(near, (rows - rows[chosen[-1]]).norm(dim=1))
    return torch.tensor(chosen)


def _unit(rows: Tensor, of_case: Tensor, kept: Tensor, kept_of_case: Tensor) -> float:
    """Distance within which the share ``UNIT_SHARE`` of the cases stays from the kept rows of the other cases."""
    distances = torch.cdist(rows, kept) / rows.shape[1] ** 0.5
    if int(of_case.max()) > 0:
        distances = distances.masked_fill(of_case[:, None] == kept_of_case, torch.inf)
    near = distances.min(dim=1).values
    # All rows that are kept may be of one case.
    farthest = [part.max() for i in of_case.unique() if bool((part := near[of_case == i]).isfinite().all())]
    unit = float(torch.stack(farthest).quantile(UNIT_SHARE)) if farthest else 0.0
    return unit if unit > 0 else 1.0


def _beyond(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """How far rows (T, N) leave the range of a column, in halves of it from its middle; 0 where they leave none."""
    away, half = np.abs(values - (low + high) / 2), (high - low) / 2
    constant = np.where(away > 1e-6 * np.maximum(np.abs(low), np.abs(high)), MOVED_CONSTANT, 0.0)
    position = np.where(half > 0, away / np.where(half > 0, half, 1.0), constant)
    return np.asarray(np.where(position > 1 + 1e-6, position, 0.0).max(axis=1, initial=0.0))
