"""Fit the linear base of a state-space network's output on the training cases in closed form.

Shape letters: R rows, N features of :class:`~surrogate_modeling.networks.filters.Filters`, P predicted.
"""

from __future__ import annotations

import torch
from torch import Tensor

from surrogate_modeling.config.models import Base
from surrogate_modeling.networks.filters import Filters
from surrogate_modeling.networks.ridge import MAX_FITTED_ROWS, PENALTIES, Moments, ridge

PENALTY = 1e-3
LEVEL_PENALTIES = PENALTIES[3:]
FOLDS = 5
# Part of a column's error that its level must take away: the regression only stands for the network, and on
# bosch_gengine1 a level that helped the one by 8 % (NOx) made the other worse.
MIN_GAIN = 0.2


def fitted_rows(used: Tensor) -> Tensor:
    """Positions (R,) of the rows to fit: those that ``used`` (T, B) marks, or every k-th of them."""
    positions = used.flatten().nonzero()[:, 0]
    return positions[:: max(1, -(-len(positions) // MAX_FITTED_ROWS))]


def fit_base(base: Base, filters: Filters, features: Tensor, outputs: Tensor, case: Tensor) -> Tensor:
    """Fit the weights (N, P) of the linear base by ridge regression.

    Args:
        base: the form wanted; ``auto``: for each predicted column its level, or nothing, see :func:`level_helps`.
        filters: that gave the features.
        features: (R, N), standardised; of the forms that weigh no more, those up to the levels are enough.
        outputs: (R, P), standardised.
        case: (R,), the number of the case each row is of; only ``auto`` asks.
    """
    level = torch.zeros(filters.features, outputs.shape[1]).to(features)
    if base is Base.none:
        return level
    if base in (Base.linear, Base.quadratic):
        weights, offset = ridge(Moments.of(features, outputs), PENALTY)
        weights[filters.constant_at] += offset
        return weights.to(level)
    level[filters.level_at, filters.level_of] = 1.0
    if base is Base.auto:
        levels = features @ level[: features.shape[1]]
        helps = level_helps(features[:, : filters.of_controls].cpu(), outputs.cpu(), levels.cpu(), case.cpu())
        level *= helps.to(level)
    return level


def level_helps(controls: Tensor, outputs: Tensor, level: Tensor, case: Tensor) -> Tensor:
    """Whether each column (P,) is better predicted as a departure from its level in the past window.

    What a network will make of a column is not known before it is trained. A ridge regression on the filtered
    controls stands for it: the column as it is and its departure from the level are both predicted for cases left
    out, and the level is taken where it makes the mean absolute error clearly smaller. Neighbouring cases are left out
    together, because they are often of one kind (a vehicle, a cell, a season).

    Args:
        controls: (R, N) filtered controls.
        outputs: (R, P).
        level: (R, P), the level of every column.
        case: (R,).
    """
    controls, both = controls.double(), torch.cat((outputs, outputs - level), dim=1).double()
    fold = case * FOLDS // (int(case.max()) + 1)
    parts = {k: Moments.of(controls[fold == k], both[fold == k]) for k in fold.unique().tolist()}
    total = Moments.of(controls, both)
    errors = []
    for penalty in LEVEL_PENALTIES:
        error = torch.zeros(both.shape[1]).to(both)
        for k, part in parts.items():
            # With one case there is nothing to leave out.
            weights, offset = ridge(total - part if len(parts) > 1 else total, penalty)
            error += (controls[fold == k] @ weights + offset - both[fold == k]).abs().sum(dim=0)
        errors.append(error)
    without, departure = torch.stack(errors).amin(dim=0).chunk(2)
    return departure < (1.0 - MIN_GAIN) * without
