"""Fit the offset and the gain of each unit on free runs of the trained surrogate.

A mixed model (Laird and Ware 1982): over the cases of unit u, the residual r = z_true - z of a column is
r = offset_u + gain_u z + noise, with offsets and gains normally distributed around 0. Its best prediction is a ridge
regression per unit whose penalties are the ratios of the noise to these variances: a unit with few cases is shrunk
towards the mean unit. Rows of a case are alike, so a case counts once, whatever its length. The penalties of each
column are those with the least error over cases that the weights were not fitted on, each predicted with its unit's
effect fitted without it.

Shape letters: B cases, U units, H predicted rows, P predicted columns.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.groups import unit_names
from surrogate_modeling.common.tables import aligned
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.surrogate.units import UnitEffects

log = logging.getLogger(__name__)
# In cases: the offset of a unit with one case is 1 / (1 + penalty) of its mean residual. The last means none at all.
PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, np.inf)
# Weights of a training case beside a left-out one: the network has partly learnt what its unit has of its own.
TRAINING_WEIGHTS = (0.0, 1.0)
# Part of a column's error that the effects must take away from cases that they were not fitted on.
MIN_GAIN = 0.05
SHOWN_UNITS = 20


class FreeRuns(NamedTuple):
    """Cases with their units, and the rows (H, P) predicted of each, physical units."""

    cases: Sequence[Case]
    rows: Sequence[np.ndarray]


@dataclass(frozen=True)
class FittedUnits:
    """Effects of units, and how left-out cases are predicted by them.

    Attributes:
        effects: of each unit.
        without_case: of each left-out case, by its name, fitted without it.
        rows: (H, P) of each left-out case with that effect, physical units.
    """

    effects: UnitEffects
    without_case: UnitEffects
    rows: list[np.ndarray]


def fit_units(surrogate: Surrogate, left_out: FreeRuns, training: FreeRuns) -> FittedUnits | None:
    """Fit the units' offsets and gains where left-out cases improve by them; logs what was found.

    Args:
        surrogate: trained, without effects of units.
        left_out: cases that its weights were not fitted on, which choose.
        training: other cases, which may help.

    Returns:
        The effects; None where they gain nothing, or there is nothing to fit them on.
    """
    left_out, training = _with_units(left_out), _with_units(training)
    if not left_out.cases:
        log.info("no effect of units: no case of a known unit is left out of the training to choose by")
        return None
    if not all(np.isfinite(rows).all() for rows in (*left_out.rows, *training.rows)):
        log.warning("no effect of units: the free run over some case diverged")
        return None
    names = tuple(unit_names((*left_out.cases, *training.cases)))
    runs = [UnitRuns.of(surrogate, part, names) for part in (left_out, training)]
    fits = [_fit(runs[0], runs[1], weight) for weight in TRAINING_WEIGHTS]
    fit = min(fits, key=lambda fit: fit.error(surrogate.description.channels.target_indices))
    before, after = (_nade(surrogate, runs[0], effect) for effect in (np.zeros_like(fit.without), fit.without))
    if after >= before:
        log.info(
            "no effect of units: an offset and a gain of the unit take nothing from the error of cases that are left "
            "out (nADE %.4f, with them %.4f)", before, after,
        )  # fmt: skip
        return None
    rows = [runs[0].physical(surrogate, i, fit.without[:, i]) for i in range(len(left_out.cases))]
    effects = UnitEffects(names, *fit.found)
    _report(surrogate, effects, runs, (before, after))
    return FittedUnits(effects, UnitEffects(tuple(case.name for case in left_out.cases), *fit.without), rows)


@dataclass(frozen=True)
class UnitRuns:
    """Free runs in standardised units.

    Attributes:
        predicted: z, (H, P) per case.
        truth: the same, measured.
        unit: (B,) position of each case's unit.
        moments: (5, B, P), of each case: 1, and the means over its rows of z, z z, r and r z.
        square: (B, P), of r r.
        units: U.
    """

    predicted: list[np.ndarray]
    truth: list[np.ndarray]
    unit: np.ndarray
    moments: np.ndarray
    square: np.ndarray
    units: int

    @classmethod
    def of(cls, surrogate: Surrogate, runs: FreeRuns, names: Sequence[str]) -> UnitRuns:
        """Standardise free runs; ``names`` are those of the units."""
        level, scale = _level_and_scale(surrogate)
        predicted = [(rows - level) / scale for rows in runs.rows]
        truth = [(case.truth(len(rows)) - level) / scale for case, rows in zip(runs.cases, runs.rows, strict=True)]
        parts = np.zeros((6, len(runs.cases), len(level)))
        for i, (z, y) in enumerate(zip(predicted, truth, strict=True)):
            r = y - z
            parts[:, i] = [part.mean(axis=0) for part in (np.ones_like(z), z, z * z, r, r * z, r * r)]
        unit = np.array([names.index(str(case.unit)) for case in runs.cases], dtype=int)
        return cls(predicted, truth, unit, parts[:5], parts[5], len(names))

    def sums(self) -> np.ndarray:
        """Moments added up over the cases of each unit (5, U, P)."""
        of_unit = (np.arange(self.units)[:, None] == self.unit).astype(np.float64)
        return np.asarray(np.einsum("ub,kbp->kup", of_unit, self.moments))

    def errors(self, effect: np.ndarray) -> np.ndarray:
        """Root mean square error of each case (B, P) with an effect of its own (2, B, P)."""
        o, g = effect
        _, z, zz, r, rz = self.moments
        return np.sqrt(np.maximum(self.square - 2 * (o * r + g * rz) + o * o + 2 * o * g * z + g * g * zz, 0.0))

    def with_effect(self, case: int, effect: np.ndarray) -> np.ndarray:
        """Standardised rows (H, P) of a case with an effect (2, P)."""
        return np.asarray((1 + effect[1]) * self.predicted[case] + effect[0])

    def physical(self, surrogate: Surrogate, case: int, effect: np.ndarray) -> np.ndarray:
        """The same in physical units."""
        level, scale = _level_and_scale(surrogate)
        return self.with_effect(case, effect) * scale + level


class Fit(NamedTuple):
    """Effects of units (2, U, P) and of left-out cases (2, B, P), and the root mean square errors of these (B, P)."""

    found: np.ndarray
    without: np.ndarray
    errors: np.ndarray

    def error(self, columns: Sequence[int]) -> float:
        """Mean error of some columns."""
        return float(self.errors[:, columns].mean())


def _fit(left_out: UnitRuns, training: UnitRuns, weight: float) -> Fit:
    """Fit the effects with the best penalties, training cases counting ``weight``."""
    sums = left_out.sums() + weight * training.sums()
    others = sums[:, left_out.unit] - left_out.moments
    penalties = choose_penalties(left_out, others)
    without = shrunk(others, penalties)
    return Fit(shrunk(sums, penalties), without, left_out.errors(without))


def choose_penalties(left_out: UnitRuns, others: np.ndarray) -> np.ndarray:
    """Penalties of offset and gain (2, P) with the least error of left-out cases; infinite where nothing is gained.

    Args:
        left_out: the cases.
        others: moments added up over the other cases of each one's unit (5, B, P).
    """
    columns = others.shape[2]
    grid = np.array(list(product(PENALTIES, PENALTIES)))
    errors = np.stack([left_out.errors(shrunk(others, np.tile(pair[:, None], columns))).mean(axis=0) for pair in grid])
    # The last pair of penalties is no effect at all.
    helps = errors.min(axis=0) < (1.0 - MIN_GAIN) * errors[-1]
    return np.where(helps, grid[errors.argmin(axis=0)].T, np.inf)


def shrunk(sums: np.ndarray, penalties: np.ndarray) -> np.ndarray:
    """Offset and gain (2, ..., P) by ridge regression; 0 where a penalty is infinite.

    Args:
        sums: number of cases, and sums of z, zz, r and rz over them, (5, ..., P).
        penalties: of offset and gain (2, P).
    """
    count, z, zz, r, rz = sums
    free = np.isfinite(penalties)
    finite = np.where(free, penalties, 0.0)
    # What is not free gets the equation 1 x = 0.
    a, d = np.where(free[0], count + finite[0], 1.0), np.where(free[1], zz + finite[1], 1.0)
    b = np.where(free.all(axis=0), z, 0.0)
    r, rz = np.where(free[0], r, 0.0), np.where(free[1], rz, 0.0)
    determinant = a * d - b * b
    return np.stack(((d * r - b * rz) / determinant, (a * rz - b * r) / determinant))


def _with_units(runs: FreeRuns) -> FreeRuns:
    kept = [i for i, case in enumerate(runs.cases) if case.unit is not None]
    return FreeRuns([runs.cases[i] for i in kept], [runs.rows[i] for i in kept])


def _level_and_scale(surrogate: Surrogate) -> tuple[np.ndarray, np.ndarray]:
    """Training mean and standard deviation of the predicted columns (P,), float64."""
    controls = surrogate.description.sizes.controls
    return surrogate.scaling.level[controls:].cpu().numpy(), surrogate.predicted_scale.astype(np.float64)


def _nade(surrogate: Surrogate, runs: UnitRuns, effect: np.ndarray) -> float:
    """nADE over the cases with an effect of their own each (2, B, P)."""
    targets = surrogate.description.channels.target_indices
    errors = [
        np.abs(runs.with_effect(i, effect[:, i]) - truth)[:, targets].mean() for i, truth in enumerate(runs.truth)
    ]
    return float(np.mean(errors))


def _report(surrogate: Surrogate, effects: UnitEffects, runs: Sequence[UnitRuns], scores: tuple[float, float]) -> None:
    """Log the gain on left-out cases, and the effects on the targets."""
    channels = surrogate.description.channels
    columns = channels.target_indices
    head = ["unit", "left out", "training", *(f"{channels.predicted[j]} {w}" for j in columns for w in ("o", "g"))]
    lines = [
        [
            name,
            *(str(int((part.unit == u).sum())) for part in runs),
            *(f"{part[u, j]:+.3f}" for j in columns for part in (effects.offset, effects.gain)),
        ]
        for u, name in enumerate(effects.names[:SHOWN_UNITS])
    ]
    more = len(effects.names) - len(lines)
    log.info(
        "an offset (o) and a gain (g) of each unit: nADE %.4f -> %.4f over %d left-out cases, each predicted with what "
        "the other cases of its unit give [training standard deviations]:\n%s%s",
        *scores, len(runs[0].truth), aligned([head, *lines], left=1), f"\nand {more} more" if more > 0 else "",
    )  # fmt: skip
