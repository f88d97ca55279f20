"""Regression of the predicted columns of a case's first row on its controls, for a start without a history.

Where cases start at rest, or in an operating point that their controls set, the first row follows from its controls.
What it follows by is a ridge regression on the first rows of the training cases: on the controls, or on the controls
and their products, or no more than the mean, for each column whichever predicts cases left out best.

Shape letters: B batch, F feature (C control, then P predicted), Q products, N = C + Q features, K cases.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from surrogate_modeling.networks.filters import MAX_PRODUCTS
from surrogate_modeling.networks.ridge import Moments, ridge
from surrogate_modeling.surrogate.scaling import Standardizer

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
FOLDS = 10
# Part of a column's error that a larger regression must take away: less is chance on few cases.
MIN_GAIN = 0.05


class FirstRow(nn.Module):
    """Predicted columns of the first row, in standardised units: a weighted sum of its controls and their products.

    With so many controls that there are more than ``MAX_PRODUCTS`` products, of the controls alone.

    Args:
        controls: C.
        predicted: P.
    """

    weight: Tensor
    offset: Tensor
    left: Tensor
    right: Tensor

    def __init__(self, controls: int, predicted: int) -> None:
        super().__init__()
        self.controls = controls
        multiplied = controls if controls * (controls + 1) // 2 <= MAX_PRODUCTS else 0
        left, right = torch.triu_indices(multiplied, multiplied)
        self.register_buffer("left", left.clone(), persistent=False)
        self.register_buffer("right", right.clone(), persistent=False)
        self.register_buffer("weight", torch.zeros(controls + len(left), predicted))
        self.register_buffer("offset", torch.zeros(predicted))

    def forward(self, control: Tensor) -> Tensor:
        """Controls (..., C) -> predicted columns (..., P)."""
        return self._features(control) @ self.weight + self.offset

    def _features(self, control: Tensor) -> Tensor:
        """Controls and their products (..., N)."""
        products = control.index_select(-1, self.left) * control.index_select(-1, self.right)
        return torch.cat((control, products), dim=-1)

    @torch.no_grad()
    def fit(self, rows: Tensor) -> Tensor:
        """Fit the regression on the first rows of the training cases.

        Args:
            rows: (K, F), standardised.

        Returns:
            (P,) mean absolute error over the training cases, each left out of the fit with some others; NaN where
            there is one case only.
        """
        control, outputs = rows.double().tensor_split((self.controls,), dim=1)
        features = self._features(control)
        total, folds = Moments.of(features, outputs), _folds(features, outputs)
        nothing, linear, every = (torch.arange(count) for count in (0, self.controls, features.shape[1]))
        columns = torch.arange(outputs.shape[1])
        least = torch.full((len(columns),), torch.inf, dtype=torch.float64)
        # From the smallest on; of no features the penalty does not matter.
        for used, penalties in ((nothing, PENALTIES[:1]), (linear, PENALTIES), (every, PENALTIES)):
            errors = torch.stack([_error_left_out(total, folds, used, penalty) for penalty in penalties])
            best = errors.argmin(dim=0)
            taken = errors[best, columns] < (1.0 - MIN_GAIN) * least
            for k, penalty in enumerate(penalties):
                chosen = columns[taken & (best == k)]
                weight, offset = ridge(total, penalty, used)
                self.weight[:, chosen] = 0.0
                self.weight[used[:, None], chosen] = weight[:, chosen].to(self.weight)
                self.offset[chosen] = offset[chosen].to(self.offset)
            least = torch.where(taken, errors[best, columns], least)
        return least if len(folds) > 1 else torch.full_like(least, torch.nan)


Fold = tuple[Tensor, Tensor, Moments]


def _folds(features: Tensor, outputs: Tensor) -> list[Fold]:
    """Features, outputs and their sums of neighbouring cases, which are left out together."""
    cases = len(features)
    parts = zip(features.tensor_split(min(FOLDS, cases)), outputs.tensor_split(min(FOLDS, cases)), strict=True)
    return [(x, y, Moments.of(x, y)) for x, y in parts]


def _error_left_out(total: Moments, folds: list[Fold], used: Tensor, penalty: float) -> Tensor:
    """Mean absolute error (P,) over the cases; with one fold there is nothing to leave out."""
    error = torch.zeros_like(total.outputs)
    for features, outputs, own in folds:
        weight, offset = ridge(total - own if len(folds) > 1 else total, penalty, used)
        error += (features[:, used] @ weight + offset - outputs).abs().sum(dim=0)
    return error / total.rows


def start_window(given: Tensor, scaling: Standardizer, first_row: FirstRow | None) -> Tensor:
    """Standardised past window (B, in_len, F) that a free run starts from.

    Args:
        given: rows in physical units, (B, in_len, F); where ``first_row`` stands for what is not given, (B, 1, C).
        scaling: of the surrogate.
        first_row: of a surrogate that starts from controls alone; else None.
    """
    if first_row is None:
        return scaling.standardise(given)
    control = scaling.standardise(given, slice(0, first_row.controls))
    return torch.cat((control, first_row(control)), dim=-1)
