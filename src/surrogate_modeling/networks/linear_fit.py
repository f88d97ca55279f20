"""Fit a linear state-space model of low order to windows so that its free run has the least error.

Modes are chosen first (time constants spread over the scales, a pure integrator, and the poles that subspace
identification finds). Given the modes, every output is linear in the unknown weights, so that a ridge regression over
whole trajectories finds the best free run without a search. The resulting model is large; balanced proper orthogonal
decomposition keeps the states that the data excite and the outputs show. The order is that of the least error on
windows held out.

Sources: proper orthogonal decomposition, balanced (Willcox and Peraire 2002, AIAA Journal 40; Rowley 2005, Int. J.
Bifurcation and Chaos 15).

Shape letters: W windows, T rows, C controls and the constant, P outputs, Z features of the past, N states, M states
before the reduction, K modes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby, product
from operator import attrgetter
from typing import NamedTuple

import numpy as np
import torch

from surrogate_modeling.networks.linear_state_space import (
    LinearModel,
    Trajectories,
    constant_model,
    mean_error,
    with_extra_states,
    with_poles_in_circle,
)
from surrogate_modeling.networks.ridge import Moments, ridge
from surrogate_modeling.networks.subspace import poles

ORDERS = (1, 2, 3, 4, 6, 8, 10, 12, 16)
PENALTIES = (1e-6, 1e-4, 1e-2, 1e-1)
TIME_CONSTANTS = 8
# Of the past features, principal axes that the initial state of the large model is read from.
INITIAL_STATE_AXES = 8
INITIAL_STATE_PENALTIES = (None, 1e-2, 1.0)
# Training standard deviations: a feature of the past that varies less from window to window is rounded, as where all
# cases start in one equilibrium, and a state must not be read from it.
MIN_PAST_SPREAD = 1e-4
# Rows of the windows that order and penalties are chosen on, in all.
MAX_SELECTION_ROWS = 50_000
MAX_REGRESSION_ROWS = 40_000
WINDOWS_AT_ONCE = 32
# Balanced singular values below this share of the first are dropped.
MIN_SINGULAR_VALUE = 1e-8
# A smaller model is taken while its error is not larger than this many times the least.
TOLERANCE = 1.02


class FitOptions(NamedTuple):
    """Settings of the fit that are chosen on windows held out.

    Attributes:
        order: number of states.
        penalty: of the ridge regression of the large model.
        initial_state_penalty: of the regression of the initial state on the past; None keeps that of the large model.
    """

    order: int
    penalty: float
    initial_state_penalty: float | None


def fit_linear_model(windows: Trajectories, kept: np.ndarray, held_out: Trajectories, states: int) -> LinearModel:
    """Fit the smallest model whose free run is about the best, filled up to ``states`` states.

    The extra states are those that would come next; no output and no other state depends on them.

    Args:
        windows: training windows.
        kept: (W,) bool, the training windows that are used while order and penalties are chosen.
        held_out: other windows, on which order and penalties are chosen.
        states: number of states in total.
    """
    orders = [order for order in ORDERS if order <= states]
    options = [FitOptions(*parts) for parts in product(orders, PENALTIES, INITIAL_STATE_PENALTIES)]
    fitted, held_out = windows[kept].thinned(MAX_SELECTION_ROWS), held_out.thinned(MAX_SELECTION_ROWS)
    errors = {option: mean_error(model, held_out) for option, model in _models(fitted, options)}
    if not errors:
        return constant_model(windows)
    least = min(errors.values())
    smallest = min(option.order for option, error in errors.items() if error <= TOLERANCE * least)
    chosen = min((option for option in errors if option.order == smallest), key=errors.__getitem__)
    ((_, model),) = _models(windows, [chosen], states)
    return model


def _models(
    windows: Trajectories, options: Sequence[FitOptions], states: int = 0
) -> Iterator[tuple[FitOptions, LinearModel]]:
    """Fit a model per option, in order of growing penalty; orders that the windows do not support are left out.

    Args:
        windows: training windows.
        options: those of one order beside each other.
        states: number of states that the models are filled up to.
    """
    modes = spread_modes(windows.control.shape[1])
    modes = np.concatenate((modes, poles(windows.control[..., :-1], windows.output, windows.weight)))
    bank = ModeBank(modes, windows)
    moments = bank.moments(windows)
    reached = moments.gram[: len(bank.a), : len(bank.a)].numpy() / moments.rows
    for penalty in sorted({option.penalty for option in options}):
        large = bank.model(moments, penalty)
        forward, backward = _balancing(large, reached, windows.control.shape[1])
        fitting = [option for option in options if option.penalty == penalty and option.order <= len(forward)]
        for order, same_order in groupby(fitting, key=attrgetter("order")):
            model = with_poles_in_circle(large.transformed(forward[:order], backward[:, :order]))
            further = slice(order, max(order, states))
            extra = large.transformed(forward[: further.stop], backward[:, : further.stop])
            initial = None
            for option in same_order:
                if option.initial_state_penalty is None:
                    yield option, with_extra_states(model, extra)
                    continue
                initial = initial or InitialStates(model, windows)
                yield option, with_extra_states(initial.model(option.initial_state_penalty), extra)


def spread_modes(rows: int) -> np.ndarray:
    """Poles of time constants spread from one row to the length of the windows, and an integrator."""
    return np.append(np.exp(-1.0 / np.geomspace(1.0, rows, TIME_CONSTANTS)), 1.0).astype(complex)


class ModeBank:
    """A large model that has every mode once per control and once per feature of the past window.

    Args:
        modes: poles (K,); of a conjugate pair the one with positive imaginary part.
        windows: training windows; their length and past features set the scale.
    """

    def __init__(self, modes: np.ndarray, windows: Trajectories) -> None:
        self.controls = windows.control.shape[2]
        axes = _principal_axes(windows.past)
        turning = np.flatnonzero(modes.imag)
        poles_of_states = np.concatenate((modes.real, modes.real[turning]))
        imaginary = len(modes) + np.arange(len(turning))
        self.transition = np.diag(poles_of_states)
        self.transition[turning, imaginary] = -modes.imag[turning]
        self.transition[imaginary, turning] = modes.imag[turning]
        self.entry = np.zeros(len(self.transition))
        self.entry[: len(modes)] = (1.0 - np.abs(modes)).clip(1.0 / windows.control.shape[1])
        started = (np.arange(len(self.transition)) < len(modes)).astype(float)
        inputs = np.eye(self.controls + len(axes))
        self.a = np.kron(inputs, self.transition)
        self.b = np.kron(inputs[:, : self.controls], self.entry[:, None])
        self.e = np.kron(inputs[:, self.controls :], started[:, None]) @ axes

    def moments(self, windows: Trajectories) -> Moments:
        """Sums for the ridge regression of the outputs on states and controls."""
        step = max(1, int(windows.weight.sum()) // MAX_REGRESSION_ROWS)
        total: Moments | None = None
        for first in range(0, len(windows), WINDOWS_AT_ONCE):
            part = windows[slice(first, first + WINDOWS_AT_ONCE)]
            used = part.weight[:, ::step] > 0
            rows = self._features(part, step)[used], part.output[:, ::step][used]
            own = Moments.of(*map(torch.from_numpy, rows))
            total = own if total is None else total + own
        assert total is not None
        return total

    def _features(self, windows: Trajectories, step: int) -> np.ndarray:
        """States and controls (W, T / step, M + C)."""
        states = (windows.past @ self.e.T).reshape(len(windows), -1, len(self.transition))
        rows = []
        for t in range(windows.control.shape[1]):
            control = windows.control[:, t]
            if t % step == 0:
                rows.append(np.concatenate((states.reshape(len(states), -1), control), axis=1))
            states = states @ self.transition.T
            states[:, : self.controls] += control[..., None] * self.entry
        return np.stack(rows, axis=1)

    def model(self, moments: Moments, penalty: float) -> LinearModel:
        """The large model with C and D from the ridge regression."""
        weights, offset = (part.numpy() for part in ridge(moments, penalty))
        c, d = weights[: len(self.a)].T, weights[len(self.a) :].T.copy()
        d[:, -1] += offset
        return LinearModel(self.a, self.b, c, d, self.e)


def _principal_axes(past: np.ndarray) -> np.ndarray:
    """Principal axes (S, Z) of the past features over the windows, and the constant."""
    varying = past[:, :-1] - past[:, :-1].mean(axis=0)
    _, singular, axes = np.linalg.svd(varying, full_matrices=False)
    telling = int((singular > MIN_PAST_SPREAD * np.sqrt(len(past))).sum())
    axes = axes[: min(telling, max(1, min(INITIAL_STATE_AXES, len(past) // 4)))]
    constant = np.eye(1, past.shape[1], past.shape[1] - 1)
    return np.concatenate((np.pad(axes, ((0, 0), (0, 1))), constant))


def _balancing(model: LinearModel, reached: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Balancing transformations (N, M) and back (M, N); states are ordered by their contribution to the outputs.

    Args:
        model: of M states.
        reached: second moments of its states (M, M), the controllability Gramian of the data.
        rows: horizon of the observability Gramian.
    """
    seen, power = model.c.T @ model.c, model.a
    for _ in range(max(1, round(np.log2(rows)))):
        seen = seen + power.T @ seen @ power
        power = power @ power
    reached_root, seen_root = _root(reached), _root(seen)
    left, singular, right = np.linalg.svd(seen_root.T @ reached_root)
    kept = singular > MIN_SINGULAR_VALUE * singular[0]
    root = np.sqrt(singular[kept])
    return (left[:, kept] / root).T @ seen_root.T, reached_root @ (right[kept].T / root)


def _root(matrix: np.ndarray) -> np.ndarray:
    """R with R R^T = matrix, which has no negative eigenvalues but for rounding."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return vectors * np.sqrt(values.clip(0.0))


class InitialStates:
    """The best initial state of each window, to be regressed on the past features.

    An error of the initial state counts by its effect on the outputs over the windows.

    Attributes:
        linear: model of which all but E stays.
        metric: (N, N), by which an error of a state counts.
        moments: of the past features and the initial states in that metric.
        telling: positions of the past features that vary.
    """

    def __init__(self, linear: LinearModel, windows: Trajectories) -> None:
        self.linear = linear
        rows = windows.output.shape[1]
        response, seen = linear.c, np.empty((rows, *linear.c.shape))
        for t in range(rows):
            seen[t] = response
            response = response @ linear.a
        left = windows.output - replace(linear, e=np.zeros_like(linear.e)).outputs(windows)
        cross = np.einsum("wt,tpn,wtp->wn", windows.weight, seen, left, optimize=True)
        seen_by_row = np.einsum("tpn,tpm->tnm", seen, seen)
        grams = (windows.weight @ seen_by_row.reshape(rows, -1)).reshape(-1, linear.order, linear.order)
        mean = grams.mean(axis=0)
        grams += 1e-6 * np.trace(mean) / linear.order * np.eye(linear.order)
        starts = np.linalg.solve(grams, cross[..., None])[..., 0]
        self.metric = _root(mean)
        self.moments = Moments.of(torch.from_numpy(windows.past), torch.from_numpy(starts @ self.metric))
        self.telling = torch.from_numpy(np.flatnonzero(windows.past.std(axis=0) > MIN_PAST_SPREAD))

    def model(self, penalty: float) -> LinearModel:
        """The model with E fitted again, by a ridge regression with this penalty."""
        found, offset = ridge(self.moments, penalty, self.telling)
        weights = found.new_zeros(len(self.moments.features), found.shape[1])
        weights[self.telling], weights[-1] = found, offset
        return replace(self.linear, e=np.linalg.lstsq(self.metric.T, weights.T, rcond=1e-9)[0])
