"""Scores of predicted cases, per column and as aggregates.

Shape letters: B cases, P predicted columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.evaluation.metrics import ade, fde

AGGREGATES: dict[str, Callable[[np.ndarray], float]] = {
    "mean": lambda values: float(np.mean(values)),
    "median": lambda values: float(np.median(values)),
    "max": lambda values: float(np.max(values)),
    "min": lambda values: float(np.min(values)),
    "std": lambda values: float(np.std(values)) if np.isfinite(values).all() else float("inf"),
}


@dataclass(frozen=True)
class Scores:
    """ADE and FDE (B, P) in the columns' units, and the training standard deviations (P,) that normalise them."""

    cases: list[str]
    channels: Channels
    ade: np.ndarray
    fde: np.ndarray
    scale: np.ndarray

    @property
    def nade(self) -> float:
        """Mean over cases and targets of ADE / training standard deviation; infinite if a case diverged."""
        return self._normalised(self.ade)

    @property
    def nfde(self) -> float:
        """Mean over cases and targets of FDE / training standard deviation."""
        return self._normalised(self.fde)

    def _normalised(self, errors: np.ndarray) -> float:
        targets = self.channels.target_indices
        return float((errors[:, targets] / self.scale[targets]).mean())

    @property
    def case_nade(self) -> np.ndarray:
        """nADE of each case (B,)."""
        targets = self.channels.target_indices
        return (self.ade[:, targets] / self.scale[targets]).mean(axis=1)

    @property
    def diverged(self) -> list[str]:
        """Names of the cases whose prediction is not finite in every row."""
        return [name for name, errors in zip(self.cases, self.ade, strict=True) if not np.isfinite(errors).all()]

    def groups(self, group_of: dict[str, str]) -> dict[str, tuple[float, float, int]]:
        """nADE, nFDE and number of cases of each group of cases."""
        targets = self.channels.target_indices
        table: dict[str, tuple[float, float, int]] = {}
        for group in sorted(set(group_of.values())):
            members = [i for i, name in enumerate(self.cases) if group_of.get(name) == group]
            if members:
                nade, nfde = (
                    (array[members][:, targets] / self.scale[targets]).mean() for array in (self.ade, self.fde)
                )
                table[group] = float(nade), float(nfde), len(members)
        return table

    def subset(self, chosen: np.ndarray) -> Scores:
        """Scores of the cases where the mask ``chosen`` (B,) is true."""
        names = [name for name, keep in zip(self.cases, chosen, strict=True) if keep]
        return Scores(names, self.channels, self.ade[chosen], self.fde[chosen], self.scale)

    def column(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """ADE and FDE (B,) of one predicted column."""
        position = self.channels.predicted.index(name)
        return self.ade[:, position], self.fde[:, position]

    def aggregates(self) -> dict[str, float]:
        """Metrics for the tracking server: mean, median, max, min and std of ADE and FDE per target."""
        values = {"nADE": self.nade, "nFDE": self.nfde, "diverged_cases": float(len(self.diverged))}
        for name in self.channels.targets:
            for metric, errors in zip(("ADE", "FDE"), self.column(name), strict=True):
                values |= {f"{name}/{metric}_{how}": reduce(errors) for how, reduce in AGGREGATES.items()}
        return values


def score(cases: Sequence[Case], predicted: Sequence[np.ndarray], channels: Channels, scale: np.ndarray) -> Scores:
    """Compare each predicted row with the truth of the same row.

    Args:
        cases: with the truth (T, F).
        predicted: (T - in_len, P) per case.
        channels: columns.
        scale: (P,) training standard deviations.
    """
    truths = [case.truth(len(rows)) for case, rows in zip(cases, predicted, strict=True)]
    pairs = list(zip(predicted, truths, strict=True))
    return Scores(
        [case.name for case in cases],
        channels,
        np.stack([ade(rows, truth) for rows, truth in pairs]),
        np.stack([fde(rows, truth) for rows, truth in pairs]),
        scale,
    )


def joined(parts: Sequence[Scores]) -> Scores:
    """Concatenate scores of different cases with the same columns and scale."""
    return Scores(
        [name for part in parts for name in part.cases],
        parts[0].channels,
        np.concatenate([part.ade for part in parts]),
        np.concatenate([part.fde for part in parts]),
        parts[0].scale,
    )
