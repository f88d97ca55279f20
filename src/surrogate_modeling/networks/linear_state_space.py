"""The best linear model of some windows in free run, as a state-space model of low order.

x[t+1] = A x[t] + B u[t], y[t] = C x[t] + D u[t], x[0] = E z: u are the controls and a constant 1, z what is known of
the past window (see :func:`past_features`).

Modes are chosen first (time constants spread over the scales, a pure integrator, and the poles that subspace
identification finds). Given the modes, every output is linear in what is unknown, so that a ridge regression of whole
trajectories finds the best free run without a search. What it gives is large; balanced proper orthogonal decomposition
keeps the states that the data excite and the outputs show. The order is that of the least error on windows held out.

Sources: proper orthogonal decomposition, balanced (Willcox and Peraire 2002, AIAA Journal 40; Rowley 2005, Int. J.
Bifurcation and Chaos 15).

Shape letters: W windows, T rows, C controls and the constant, P outputs, Z features of the past, N states, M states
before the reduction, K modes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple

import numpy as np
import torch

from surrogate_modeling.networks.ridge import Moments, ridge
from surrogate_modeling.networks.subspace import poles

ORDERS = (1, 2, 3, 4, 6, 8, 10, 12, 16)
PENALTIES = (1e-6, 1e-4, 1e-2, 1e-1)
TIME_CONSTANTS = 8
# Of the past features, combinations that start the large model.
STARTS = 8
START_PENALTIES = (None, 1e-2, 1.0)
# Of the windows by which is chosen, together.
CHOOSING_ROWS = 50_000
SAMPLED_ROWS = 40_000
WINDOWS_AT_ONCE = 32
# Of the balanced singular values, against the first.
LEAST = 1e-8
# A smaller model is taken while its error is not larger than this many times the least.
TOLERANCE = 1.02


@dataclass(frozen=True)
class Trajectories:
    """Standardised windows: past features (W, Z), controls and 1 (W, T, C), outputs (W, T, P), weight (W, T)."""

    past: np.ndarray
    control: np.ndarray
    output: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(cls, past: np.ndarray, control: np.ndarray, output: np.ndarray, weight: np.ndarray) -> Trajectories:
        """Of past windows (W, in_len, F), and controls without the constant."""
        ones = np.ones((*control.shape[:2], 1))
        return cls(past_features(past), np.concatenate((control, ones), axis=-1), output, weight)

    def __getitem__(self, chosen: slice | np.ndarray) -> Trajectories:
        return Trajectories(self.past[chosen], self.control[chosen], self.output[chosen], self.weight[chosen])

    def __len__(self) -> int:
        return len(self.past)

    def thinned(self, rows: int) -> Trajectories:
        """Every k-th window, so that they have about so many rows together."""
        return self[slice(None, None, max(1, round(float(self.weight.sum()) / rows)))]


@dataclass(frozen=True)
class LinearModel:
    """A (N, N), B (N, C), C (P, N), D (P, C), E (N, Z)."""

    a: np.ndarray
    b: np.ndarray
    c: np.ndarray
    d: np.ndarray
    e: np.ndarray

    @property
    def order(self) -> int:
        return len(self.a)

    def states(self, windows: Trajectories) -> np.ndarray:
        """States (W, T, N) before each row."""
        states = np.empty((*windows.control.shape[:2], self.order))
        state = windows.past @ self.e.T
        moved = windows.control @ self.b.T
        for t in range(states.shape[1]):
            states[:, t] = state
            state = state @ self.a.T + moved[:, t]
        return states

    def outputs(self, windows: Trajectories) -> np.ndarray:
        """Free run (W, T, P)."""
        return self.states(windows) @ self.c.T + windows.control @ self.d.T

    def transformed(self, forward: np.ndarray, backward: np.ndarray) -> LinearModel:
        """The same in states forward (N', N) x; backward (N, N') takes them back, or nearly."""
        return LinearModel(forward @ self.a @ backward, forward @ self.b, self.c @ backward, self.d, forward @ self.e)


def past_features(past: np.ndarray) -> np.ndarray:
    """Mean (F) and change from the first row to the last (F) of past windows (W, in_len, F), and a 1."""
    return np.concatenate((past.mean(axis=1), past[:, -1] - past[:, 0], np.ones((len(past), 1))), axis=-1)


def mean_error(model: LinearModel, windows: Trajectories) -> float:
    """Mean absolute error of the free run; infinite where it diverges."""
    with np.errstate(over="ignore", invalid="ignore"):
        errors = np.abs(model.outputs(windows) - windows.output).mean(axis=-1) * windows.weight
    error = float(errors.sum() / windows.weight.sum())
    return error if np.isfinite(error) else np.inf


class Recipe(NamedTuple):
    """What is chosen on windows held out.

    Attributes:
        order: states.
        penalty: of the large model.
        start_penalty: of the regression of the states' start on the past; None: it stays that of the large model.
    """

    order: int
    penalty: float
    start_penalty: float | None


def fit_linear(windows: Trajectories, kept: np.ndarray, held_out: Trajectories, states: int) -> LinearModel:
    """The model whose free run is about the best, in its smallest order, and as many further states as are asked for.

    The further states are those that would come next; no output and no other state reads them.

    Args:
        windows: that the model is fitted on.
        kept: (W,), those of them that stay where order and penalties are chosen.
        held_out: other windows, by which these are chosen.
        states: of the model in all.
    """
    orders = [order for order in ORDERS if order <= states]
    recipes = [Recipe(*parts) for parts in product(orders, PENALTIES, START_PENALTIES)]
    fitted, held_out = windows[kept].thinned(CHOOSING_ROWS), held_out.thinned(CHOOSING_ROWS)
    errors = {recipe: mean_error(model, held_out) for recipe, model in _models(fitted, recipes)}
    if not errors:
        return _constant(windows)
    least = min(errors.values())
    smallest = min(recipe.order for recipe, error in errors.items() if error <= TOLERANCE * least)
    chosen = min((recipe for recipe in errors if recipe.order == smallest), key=errors.__getitem__)
    ((_, model),) = _models(windows, [chosen], states)
    return model


def _models(windows: Trajectories, recipes: Sequence[Recipe], states: int = 0) -> Iterator[tuple[Recipe, LinearModel]]:
    """Models of recipes of growing penalty, as far as the windows hold so many states."""
    modes = spread_modes(windows.control.shape[1])
    modes = np.concatenate((modes, poles(windows.control[..., :-1], windows.output, windows.weight)))
    bank = ModeBank(modes, windows)
    known = bank.moments(windows)
    reached = known.gram[: len(bank.a), : len(bank.a)].numpy() / known.rows
    for penalty in sorted({recipe.penalty for recipe in recipes}):
        large = bank.model(known, penalty)
        forward, backward = _balancing(large, reached, windows.control.shape[1])
        for recipe in recipes:
            if recipe.penalty != penalty or recipe.order > len(forward):
                continue
            model = _within_circle(large.transformed(forward[: recipe.order], backward[:, : recipe.order]))
            if recipe.start_penalty is not None:
                model = restarted(model, windows, recipe.start_penalty)
            further = slice(recipe.order, max(recipe.order, states))
            yield recipe, _with_further(model, large.transformed(forward[: further.stop], backward[:, : further.stop]))


def _constant(windows: Trajectories) -> LinearModel:
    """The mean output, in no states: what is known where nothing moves."""
    weight = windows.weight[..., None]
    inputs, outputs, known = windows.control.shape[2], windows.output.shape[2], windows.past.shape[1]
    d = np.zeros((outputs, inputs))
    d[:, -1] = (windows.output * weight).sum(axis=(0, 1)) / weight.sum()
    return LinearModel(np.zeros((0, 0)), np.zeros((0, inputs)), np.zeros((outputs, 0)), d, np.zeros((0, known)))


def _within_circle(model: LinearModel) -> LinearModel:
    """The model with poles outside the unit circle moved onto it."""
    poles_, vectors = np.linalg.eig(model.a)
    if (np.abs(poles_) <= 1.0).all():
        return model
    moved = (vectors * (poles_ / np.abs(poles_).clip(1.0))) @ np.linalg.inv(vectors)
    return replace(model, a=moved.real)


def in_modes(model: LinearModel, radius: float) -> LinearModel:
    """The model in coordinates in which A has 2 x 2 blocks: of a conjugate pair each, then of two real poles each.

    Args:
        model: of any order.
        radius: poles farther out than this are moved there.
    """
    poles_, vectors = np.linalg.eig(model.a)
    poles_ = poles_ * np.minimum(1.0, radius / np.abs(poles_).clip(radius))
    upper, real = np.flatnonzero(poles_.imag > 0), np.flatnonzero(poles_.imag == 0)
    parts = [part for k in upper for part in (vectors[:, k].real, vectors[:, k].imag)]
    columns = np.stack([*parts, *vectors[:, real].real.T], axis=1)
    a = np.diag(np.concatenate((np.repeat(poles_[upper].real, 2), poles_[real].real)))
    for block, k in enumerate(upper):
        a[2 * block, 2 * block + 1], a[2 * block + 1, 2 * block] = poles_[k].imag, -poles_[k].imag
    return replace(model.transformed(np.linalg.inv(columns), columns), a=a)


def _with_further(model: LinearModel, larger: LinearModel) -> LinearModel:
    """The model and the further states of a larger one, which nothing reads."""
    order = model.order
    further = larger.a[order:, order:]
    further = further / max(1.0, np.abs(np.linalg.eigvals(further)).max(initial=0.0))
    above = np.concatenate((model.a, np.zeros((order, len(further)))), axis=1)
    below = np.concatenate((larger.a[order:, :order], further), axis=1)
    return LinearModel(
        np.concatenate((above, below)),
        np.concatenate((model.b, larger.b[order:])),
        np.pad(model.c, ((0, 0), (0, len(further)))),
        model.d,
        np.concatenate((model.e, larger.e[order:])),
    )


def spread_modes(rows: int) -> np.ndarray:
    """Poles of time constants spread from one row to the length of the windows, and an integrator."""
    return np.append(np.exp(-1.0 / np.geomspace(1.0, rows, TIME_CONSTANTS)), 1.0).astype(complex)


class ModeBank:
    """Every mode under every control, and started by every known of the past window: the states of a large model.

    Args:
        modes: poles (K,), of conjugate pairs the upper one.
        windows: whose length and past features scale it.
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
        """Of states and controls against outputs."""
        step = max(1, int(windows.weight.sum()) // SAMPLED_ROWS)
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

    def model(self, known: Moments, penalty: float) -> LinearModel:
        """The large model whose outputs are those of the ridge regression."""
        weights, offset = (part.numpy() for part in ridge(known, penalty))
        c, d = weights[: len(self.a)].T, weights[len(self.a) :].T.copy()
        d[:, -1] += offset
        return LinearModel(self.a, self.b, c, d, self.e)


def _principal_axes(past: np.ndarray) -> np.ndarray:
    """Combinations (S, Z) of past features that tell most windows apart, and the constant."""
    varying = past[:, :-1] - past[:, :-1].mean(axis=0)
    _, _, axes = np.linalg.svd(varying, full_matrices=False)
    axes = axes[: max(1, min(STARTS, len(past) // 4))]
    constant = np.eye(1, past.shape[1], past.shape[1] - 1)
    return np.concatenate((np.pad(axes, ((0, 0), (0, 1))), constant))


def _balancing(model: LinearModel, reached: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Transformations (N, M) and (M, N) to states in the order of what they add to the outputs.

    Args:
        model: of M states.
        reached: second moments of its states (M, M).
        rows: over which a state is seen in the outputs.
    """
    seen, power = model.c.T @ model.c, model.a
    for _ in range(max(1, round(np.log2(rows)))):
        seen = seen + power.T @ seen @ power
        power = power @ power
    reached_root, seen_root = _root(reached), _root(seen)
    left, singular, right = np.linalg.svd(seen_root.T @ reached_root)
    kept = singular > LEAST * singular[0]
    root = np.sqrt(singular[kept])
    return (left[:, kept] / root).T @ seen_root.T, reached_root @ (right[kept].T / root)


def _root(matrix: np.ndarray) -> np.ndarray:
    """R with R R^T = matrix, which has no negative eigenvalues but for rounding."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return vectors * np.sqrt(values.clip(0.0))


def restarted(model: LinearModel, windows: Trajectories, penalty: float) -> LinearModel:
    """The model with the E that fits the windows best: what its states should start at, regressed on the past.

    An error of the start counts by what it does to the outputs over the windows.
    """
    rows = windows.output.shape[1]
    response, seen = model.c, np.empty((rows, *model.c.shape))
    for t in range(rows):
        seen[t] = response
        response = response @ model.a
    left = windows.output - replace(model, e=np.zeros_like(model.e)).outputs(windows)
    cross = np.einsum("wt,tpn,wtp->wn", windows.weight, seen, left, optimize=True)
    seen_by_row = np.einsum("tpn,tpm->tnm", seen, seen)
    grams = (windows.weight @ seen_by_row.reshape(rows, -1)).reshape(-1, model.order, model.order)
    mean = grams.mean(axis=0)
    grams += 1e-6 * np.trace(mean) / model.order * np.eye(model.order)
    starts = np.linalg.solve(grams, cross[..., None])[..., 0]
    metric = _root(mean)
    known = Moments.of(torch.from_numpy(windows.past), torch.from_numpy(starts @ metric))
    weights, offset = (part.numpy() for part in ridge(known, penalty))
    weights[-1] += offset
    return replace(model, e=np.linalg.lstsq(metric.T, weights.T, rcond=1e-9)[0])
