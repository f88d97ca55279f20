"""Initial linear model of a nonlinear state space: data split, choice of order, and states of unit variance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from surrogate_modeling.networks.linear_fit import fit_linear_model
from surrogate_modeling.networks.linear_state_space import LinearModel, Trajectories, in_modes
from surrogate_modeling.networks.sizes import Batch

# Windows of fewer rows are too short to fit a free run to.
MIN_ROWS = 32
# Where there are fewer cases than this, windows are held out, not cases.
MIN_CASES = 4
HELD_OUT_SHARE = 0.25
MIN_SPREAD = 1e-6
# Standard deviations: a state with a larger mean is counted from it. Single precision would not tell its values apart.
MAX_LEVEL = 10.0
# Units: farther out no state goes in training. A network takes 1,000 for a trajectory that has run away.
MAX_SIZE = 100.0
# Least increment per row that a state of spread 1 is taken to have.
MIN_PACE = 1e-3
# Largest pole radius where the model has to forget: a time constant of 10,000 rows.
MAX_RADIUS = 0.9999


class LinearStart(NamedTuple):
    """Matrices A (N, N), B (N, C + 1), C (P, N), D (P, C + 1), E (N, Z), and the size of state increments (N,)."""

    a: Tensor
    b: Tensor
    c: Tensor
    d: Tensor
    e: Tensor
    pace: Tensor


def linear_start(whole: Batch, spread: Batch, states: int, modal: bool = False) -> LinearStart:
    """Fit the initial linear model on the training cases.

    Args:
        whole: one window of each of some cases.
        spread: the first window of each of these, then windows of all cases, in their order.
        states: N; where the model needs fewer, the others are driven by the controls but not read.
        modal: A of 2 x 2 blocks, each of a norm below 1.
    """
    cases = len(whole[0])
    every = _trajectories(spread if spread[1].shape[1] >= MIN_ROWS else whole)
    kept = kept_windows(len(every), cases)
    held_out = every[~kept] if len(every) > 1 else every
    if cases >= MIN_CASES:
        held_out = _trajectories(whole)[np.flatnonzero(~kept[:cases])]
    model = fit_linear_model(every, kept, held_out, states)
    if modal:
        model = in_modes(model, MAX_RADIUS)
    return _scaled(model, every, states, modal)


def kept_windows(windows: int, cases: int) -> np.ndarray:
    """Whether each window (W,) is fitted to; the others, of the last cases, are held out to choose by.

    Args:
        windows: W; the first of each case, then others in the order of the cases.
        cases: number of cases.
    """
    number = np.arange(windows)
    kept = np.where(number < cases, number / cases, (number - cases) / max(1, windows - cases)) < 1.0 - HELD_OUT_SHARE
    kept[-1], kept[0] = False, True
    return kept


def _trajectories(windows: Batch) -> Trajectories:
    past, control, truth, weight = (part.double().cpu().numpy() for part in windows)
    # Windows of short cases are filled up to the horizon with rows that no case has.
    rows = int(np.flatnonzero(weight.any(axis=0))[-1]) + 1
    return Trajectories.of(past, control[:, :rows], truth[:, :rows], weight[:, :rows])


def _scaled(model: LinearModel, windows: Trajectories, states: int, modal: bool) -> LinearStart:
    """Scale the states to unit variance, and fill up to N states with states at rest."""
    used = windows.weight > 0
    rows = model.states(windows)
    inside = rows[used]
    deviation, level = inside.std(axis=0), inside.mean(axis=0)
    level = np.where(np.abs(level) > MAX_LEVEL * deviation, level, 0.0)
    model = model.shifted(level)
    spread = np.maximum(deviation, np.abs(inside - level).max(axis=0, initial=0.0) / MAX_SIZE).clip(MIN_SPREAD)
    if modal:
        # A conjugate pair keeps one scale, or its block would no longer shrink what it turns.
        pairs = np.flatnonzero(np.diag(model.a, 1)[::2])
        spread[2 * pairs] = spread[2 * pairs + 1] = np.maximum(spread[2 * pairs], spread[2 * pairs + 1])
    scaled = model.transformed(np.diag(1.0 / spread), np.diag(spread))
    moved = np.diff(rows, axis=1)[used[:, 1:]] / spread
    pace = np.clip(np.sqrt((moved**2).mean(axis=0)), MIN_PACE, 1.0) if len(moved) else np.ones(model.order)
    rest = states - model.order
    padded = {
        "a": np.pad(scaled.a, (0, rest)),
        "b": np.pad(scaled.b, ((0, rest), (0, 0))),
        "c": np.pad(scaled.c, ((0, 0), (0, rest))),
        "d": scaled.d,
        "e": np.pad(scaled.e, ((0, rest), (0, 0))),
        "pace": np.pad(pace, (0, rest), constant_values=1.0),
    }
    return LinearStart(**{name: torch.from_numpy(values) for name, values in padded.items()})
