"""Estimate the poles of a plant by subspace identification; those of slow modes from every k-th row.

A vector autoregression on p past rows gives the predictor's Markov parameters; their shifts, weighted by the data,
have the states as principal components (predictor-based subspace identification: Chiuso 2007, Automatica 43; van
Wingerden and Verhaegen 2009, Automatica 45).

Shape letters: W windows, T rows, C controls, P outputs, p lags, N states, R rows of all windows.
"""

from __future__ import annotations

import numpy as np

LAGS = 12
STEPS = (1, 4, 16)
ORDER = 8
PENALTY = 1e-6
# Singular values smaller than this against the first are noise.
MIN_SINGULAR_VALUE = 1e-3
# Rows times columns of the regression: of more, every second, third, ... window is used.
MAX_REGRESSOR_VALUES = 20_000_000
# Of more outputs, so many principal components: poles are the plant's, and time grows with the cube of the outputs.
MAX_OUTPUTS = 64
# Two poles whose logarithms differ by less than this share of them are one.
MIN_POLE_DISTANCE = 0.1
MIN_POLE_RADIUS = 0.05
# Poles of k-th rows are ambiguous near half a turn.
MAX_ANGLE = 0.8 * np.pi


def poles(control: np.ndarray, output: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Estimate poles (K,) per row; of a conjugate pair the upper one, none outside the unit circle.

    Args:
        control: (W, T, C).
        output: (W, T, P).
        weight: (W, T), 0 where a window has no such row.
    """
    whole = weight.min(axis=1) > 0
    if not whole.any():
        whole = weight.sum(axis=1) >= weight.sum(axis=1).max()
        last = int(weight[whole].sum(axis=1).min())
        control, output = control[:, :last], output[:, :last]
    output = _principal(output, weight[:, : output.shape[1]])
    found: list[complex] = []
    for step in STEPS:
        blocks = control.shape[1] // step
        if blocks < 3 * LAGS:
            break
        means = control[whole, : blocks * step].reshape(whole.sum(), blocks, step, -1).mean(axis=2)
        for pole in _poles(means, output[whole, : blocks * step : step]):
            if (step > 1 and abs(np.angle(pole)) > MAX_ANGLE) or abs(pole) < MIN_POLE_RADIUS:
                continue
            pole = min(1.0, 1.0 / abs(pole)) * pole
            pole = complex(pole) ** (1.0 / step)
            if all(abs(np.log(pole) - np.log(other)) > MIN_POLE_DISTANCE * abs(np.log(other)) for other in found):
                found.append(pole)
    return np.array(found, complex)


def _principal(output: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The outputs (W, T, P), or of many their principal components (W, T, MAX_OUTPUTS)."""
    if output.shape[2] <= MAX_OUTPUTS:
        return output
    rows = output[weight > 0]
    _, axes = np.linalg.eigh(rows.T @ rows)
    return output @ axes[:, -MAX_OUTPUTS:]


def _poles(control: np.ndarray, output: np.ndarray) -> list[complex]:
    values = LAGS * (control.shape[2] + output.shape[2]) * control.shape[0] * control.shape[1]
    thinned = slice(None, None, max(1, values // MAX_REGRESSOR_VALUES))
    control, output = control[thinned], output[thinned]
    past, now, output_rows = _lagged(control, output)
    regressors = np.concatenate((past, now), axis=1)
    gram = regressors.T @ regressors / len(regressors)
    gram += PENALTY * np.eye(len(gram))
    weights = np.linalg.solve(gram, regressors.T @ output_rows / len(regressors)).T
    innovation = output_rows - regressors @ weights.T
    markov = weights[:, : past.shape[1]]
    width = past.shape[1] // LAGS
    shifted = np.concatenate([np.pad(markov, ((0, 0), (k * width, 0)))[:, : past.shape[1]] for k in range(LAGS)])
    root = np.linalg.cholesky(gram[: past.shape[1], : past.shape[1]])
    left, singular, _ = np.linalg.svd(shifted @ root, full_matrices=False)
    order = min(ORDER, int((singular > MIN_SINGULAR_VALUE * singular[0]).sum()))
    if not order:
        # No output moves, so that nothing of the past tells one.
        return []
    states = past @ (left[:, :order] / singular[:order]).T.dot(shifted).T
    # Rows of one window follow each other; the last of a window has no next.
    rows = control.shape[1] - LAGS
    regressors_of_states = np.concatenate((states, now, innovation), axis=1).reshape(len(control), rows, -1)
    states = states.reshape(len(control), rows, -1)
    given, following = (
        regressors_of_states[:, :-1].reshape(-1, regressors_of_states.shape[2]),
        states[:, 1:].reshape(-1, order),
    )
    moments = given.T @ given + PENALTY * len(given) * np.eye(given.shape[1])
    transition = np.linalg.solve(moments, given.T @ following).T[:, :order]
    return [complex(pole) for pole in np.linalg.eigvals(transition) if pole.imag >= 0]


def _lagged(control: np.ndarray, output: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Past rows of controls and outputs (R, p (C + P)), oldest first, controls (R, C), and outputs (R, P)."""
    both = np.concatenate((control, output), axis=-1)
    rows = both.shape[1] - LAGS
    past = np.lib.stride_tricks.sliding_window_view(both[:, :-1], LAGS, axis=1)
    past = past.transpose(0, 1, 3, 2).reshape(len(both) * rows, -1)
    return past, control[:, LAGS:].reshape(len(past), -1), output[:, LAGS:].reshape(len(past), -1)
