"""What a state-space network's output is added to: taken from the training cases in closed form.

Shape letters: R rows, N features of :class:`~surrogate_modeling.networks.filters.Filters`, P predicted.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate_modeling.model_config import Base
from surrogate_modeling.networks.filters import Filters

# Rows of a trajectory repeat each other: past this many, every second, third, ... row is used.
FITTED_ROWS = 100_000
PENALTY = 1e-3
PENALTIES = (1e-3, 1e-2, 1e-1)
FOLDS = 5


@dataclass(frozen=True)
class Moments:
    """Sums over rows, from which a ridge regression with any penalty on any subset of features is solved."""

    gram: Tensor
    cross: Tensor
    rows: int

    def __sub__(self, other: Moments) -> Moments:
        return Moments(self.gram - other.gram, self.cross - other.cross, self.rows - other.rows)


def moments(features: Tensor, outputs: Tensor) -> Moments:
    """Of features (R, N) and outputs (R, P)."""
    return Moments(features.T @ features, features.T @ outputs, len(features))


def ridge(known: Moments, penalty: float) -> Tensor:
    """Weights (N, P) of the ridge regression (Hoerl and Kennard 1970).

    The penalty is relative to the mean square of each feature.
    """
    gram, cross = known.gram / known.rows, known.cross / known.rows
    scale = gram.diagonal().sqrt().clamp_min(1e-3)
    gram = gram / scale / scale[:, None]
    return torch.linalg.solve(gram + penalty * torch.eye(len(gram)).to(gram), cross / scale[:, None]) / scale[:, None]


def fit_base(base: Base, filters: Filters, features: Tensor, outputs: Tensor, case: Tensor) -> Tensor:
    """Weights (N, P) of the base.

    Args:
        base: the form wanted; ``auto``: for each predicted column its level, or nothing, see :func:`level_helps`.
        filters: that gave the features.
        features: (R, N), standardised.
        outputs: (R, P), standardised.
        case: (R,), the number of the case each row is of; only ``auto`` asks.
    """
    level = torch.zeros(features.shape[1], outputs.shape[1]).to(features)
    if base is Base.none:
        return level
    stride = -(-len(features) // FITTED_ROWS)
    features, outputs, case = features[::stride].double(), outputs[::stride].double(), case[::stride]
    if base in (Base.linear, Base.quadratic):
        return ridge(moments(features, outputs), PENALTY).to(level)
    level[filters.level_at, filters.level_of] = 1.0
    if base is Base.auto:
        level *= level_helps(features[:, : filters.of_controls], outputs, features @ level.double(), case)
    return level


def level_helps(controls: Tensor, outputs: Tensor, level: Tensor, case: Tensor) -> Tensor:
    """Whether each column is better predicted as a departure from its level (P,).

    What a network will make of a column is not known before it is trained. A ridge regression on the filtered
    controls stands for it: the column as it is and its departure from the level are both predicted for cases left
    out, and the smaller mean absolute error decides. Neighbouring cases are left out together, because they are
    often of one kind (a vehicle, a cell, a season).

    Args:
        controls: (R, N) filtered controls.
        outputs: (R, P).
        level: (R, P), the level of every column.
        case: (R,).
    """
    controls = torch.cat((controls, torch.ones_like(controls[:, :1])), dim=1)
    both = torch.cat((outputs, outputs - level), dim=1)
    fold = case * FOLDS // (int(case.max()) + 1)
    parts = {k: moments(controls[fold == k], both[fold == k]) for k in sorted(set(fold.tolist()))}
    total = moments(controls, both)
    errors = []
    for penalty in PENALTIES:
        error = torch.zeros_like(both[0])
        for k, part in parts.items():
            # With one case there is nothing to leave out.
            weights = ridge(total - part if len(parts) > 1 else total, penalty)
            error += (controls[fold == k] @ weights - both[fold == k]).abs().sum(dim=0)
        errors.append(error)
    without, departure = torch.stack(errors).amin(dim=0).chunk(2)
    return departure < without
