"""A linear state-space model with inputs and outputs in standardised units, and its free run over windows.

x[t+1] = A x[t] + B u[t], y[t] = C x[t] + D u[t], x[0] = E z: u are the controls and a constant 1, z features of the
past window (see :func:`past_features`).

Shape letters: W windows, T rows, C controls and the constant, P outputs, Z features of the past, N states.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Trajectories:
    """Standardised windows: past features (W, Z), controls and 1 (W, T, C), outputs (W, T, P), weight (W, T)."""

    past: np.ndarray
    control: np.ndarray
    output: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(cls, past: np.ndarray, control: np.ndarray, output: np.ndarray, weight: np.ndarray) -> Trajectories:
        """Make them from past windows (W, in_len, F) and controls without the constant."""
        ones = np.ones((*control.shape[:2], 1))
        return cls(past_features(past), np.concatenate((control, ones), axis=-1), output, weight)

    def __getitem__(self, chosen: slice | np.ndarray) -> Trajectories:
        return Trajectories(self.past[chosen], self.control[chosen], self.output[chosen], self.weight[chosen])

    def __len__(self) -> int:
        return len(self.past)

    def thinned(self, rows: int) -> Trajectories:
        """Every k-th window, so that the windows have about ``rows`` rows in total."""
        return self[slice(None, None, max(1, round(float(self.weight.sum()) / rows)))]


@dataclass(frozen=True)
class LinearModel:
    """Matrices of a linear state-space model: A (N, N), B (N, C), C (P, N), D (P, C), E (N, Z)."""

    a: np.ndarray
    b: np.ndarray
    c: np.ndarray
    d: np.ndarray
    e: np.ndarray

    @property
    def order(self) -> int:
        """Number of states N."""
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
        """Outputs (W, T, P) of the free run."""
        return self.states(windows) @ self.c.T + windows.control @ self.d.T

    def shifted(self, level: np.ndarray) -> LinearModel:
        """The model in the coordinates x - level (N,); the last control and the last feature of the past are 1."""
        b, d, e = self.b.copy(), self.d.copy(), self.e.copy()
        b[:, -1] += self.a @ level - level
        d[:, -1] += self.c @ level
        e[:, -1] -= level
        return replace(self, b=b, d=d, e=e)

    def transformed(self, forward: np.ndarray, backward: np.ndarray) -> LinearModel:
        """The model in the coordinates forward (N', N) x; backward (N, N') is the inverse map, or nearly."""
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


def constant_model(windows: Trajectories) -> LinearModel:
    """A model without states that predicts the mean output, for windows in which nothing moves."""
    weight = windows.weight[..., None]
    inputs, outputs, features = windows.control.shape[2], windows.output.shape[2], windows.past.shape[1]
    d = np.zeros((outputs, inputs))
    d[:, -1] = (windows.output * weight).sum(axis=(0, 1)) / weight.sum()
    return LinearModel(np.zeros((0, 0)), np.zeros((0, inputs)), np.zeros((outputs, 0)), d, np.zeros((0, features)))


def with_poles_in_circle(model: LinearModel) -> LinearModel:
    """The model with poles outside the unit circle moved onto it."""
    poles_, vectors = np.linalg.eig(model.a)
    if (np.abs(poles_) <= 1.0).all():
        return model
    moved = (vectors * (poles_ / np.abs(poles_).clip(1.0))) @ np.linalg.inv(vectors)
    return replace(model, a=moved.real)


def in_modes(model: LinearModel, radius: float) -> LinearModel:
    """The model in modal coordinates: A is block diagonal, a 2 x 2 block per conjugate pair, then the real poles.

    Args:
        model: of any order.
        radius: poles farther out than this are moved there.
    """
    if not model.order:
        return model
    poles_, vectors = np.linalg.eig(model.a)
    poles_ = poles_ * np.minimum(1.0, radius / np.abs(poles_).clip(radius))
    upper, real = np.flatnonzero(poles_.imag > 0), np.flatnonzero(poles_.imag == 0)
    parts = [part for k in upper for part in (vectors[:, k].real, vectors[:, k].imag)]
    columns = np.stack([*parts, *vectors[:, real].real.T], axis=1)
    a = np.diag(np.concatenate((np.repeat(poles_[upper].real, 2), poles_[real].real)))
    for block, k in enumerate(upper):
        a[2 * block, 2 * block + 1], a[2 * block + 1, 2 * block] = poles_[k].imag, -poles_[k].imag
    return replace(model.transformed(np.linalg.inv(columns), columns), a=a)


def with_extra_states(model: LinearModel, larger: LinearModel) -> LinearModel:
    """The model and the remaining states of a larger one; no output and no other state depends on these."""
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
