"""Choose the oscillations and integrals of a state-space network by a linear fit to windows held out.

A linear model has every mode once per control and once per feature of the past window, and its outputs are fitted in
free run (see :mod:`linear_fit`). The modes of a network as it is are its filters. The conjugate pairs that subspace
identification finds, and a pure integrator, are added only where they take a clear part of the error of windows held
out: where a plant neither oscillates nor integrates, the network stays as it is.

Shape letters: W windows, T rows, C controls, P outputs, Z features of the past, K modes.
"""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np

from surrogate_modeling.config.models import Core, Modes, SsmConfig
from surrogate_modeling.networks.linear_fit import MAX_SELECTION_ROWS, PENALTIES, ModeBank
from surrogate_modeling.networks.linear_start import MIN_CASES, kept_windows
from surrogate_modeling.networks.linear_state_space import Trajectories, mean_error
from surrogate_modeling.networks.sizes import Batch
from surrogate_modeling.networks.subspace import poles

log = logging.getLogger(__name__)
# Shorter windows show no oscillation beyond doubt.
MIN_ROWS = 64
# Part of the error that all pairs together, or the integrator, must take away, and part that each further pair must.
MIN_GAIN, MIN_FURTHER_GAIN = 0.25, 0.05
MAX_PAIRS = 3
# A pair that decays by more than this within a radian is no oscillation to speak of: a damping ratio of about 0.45.
MAX_DAMPING = 0.5
# Shortest period of a pair, in rows.
MIN_PERIOD = 4.0
# Of many columns, the axes in which they vary most.
MAX_AXES = 8
MIN_SPREAD = 1e-9


def choose_modes(config: SsmConfig, whole: Batch, spread: Batch) -> SsmConfig:
    """The configuration with the oscillations and integrals that the training cases ask for; logs what they gain.

    Modes that were typed are kept, and nothing else is looked for.

    Args:
        config: of the network.
        whole: one window per training case, from its first rows to its end.
        spread: windows over all cases: the first of each, then others in their order.
    """
    typed = bool(config.oscillations) or config.integral_time is not None
    if config.modes is Modes.none or typed or config.core is Core.gru or config.states < 2:
        return config
    cases = len(whole.past)
    windows = spread if spread.control.shape[1] >= MIN_ROWS else whole
    if windows.control.shape[1] < MIN_ROWS or len(windows.past) < 2:
        return config
    filters = np.exp(-1.0 / np.array(config.filters)).astype(complex)
    fit = _HeldOutFit(windows, kept_windows(len(windows.past), cases))
    pairs = _oscillating(fit, filters)
    if len(pairs):
        periods = [float(period) for period in sorted(2.0 * np.pi / np.angle(pairs))]
        config = replace(config, oscillations=[round(period, 2) for period in periods])
    if cases >= MIN_CASES and whole.control.shape[1] >= MIN_ROWS:
        fit = _HeldOutFit(whole, kept_windows(cases, cases))
        modes = np.concatenate((filters, pairs))
        before, after = fit.error(modes), fit.error(np.append(modes, 1.0))
        if after < (1.0 - MIN_GAIN) * before:
            log.info("integrals of the controls: a linear fit errs by %.3g with them, %.3g without", after, before)
            config = replace(config, integral_time=float(whole.control.shape[1]))
    return config


class _HeldOutFit:
    """Linear fits with chosen modes to some windows, and their error on the others."""

    def __init__(self, windows: Batch, kept: np.ndarray) -> None:
        chosen = [_thinned(np.flatnonzero(part), windows.control.shape[1]) for part in (kept, ~kept)]
        every = np.concatenate(chosen)
        past, control, output, weight = (part[every].double().cpu().numpy() for part in windows)
        control, output = (_main_axes(part, weight > 0) for part in (control, output))
        trajectories, count = Trajectories.of(past, control, output, weight), len(chosen[0])
        self.fitted, self.held_out = trajectories[slice(None, count)], trajectories[slice(count, None)]

    def error(self, modes: np.ndarray) -> float:
        """Least mean absolute error over the windows held out, among a few penalties."""
        bank = ModeBank(modes, self.fitted)
        moments = bank.moments(self.fitted)
        return min(mean_error(bank.model(moments, penalty), self.held_out) for penalty in PENALTIES)

    def pairs(self) -> np.ndarray:
        """Conjugate pairs that ring, the upper pole of each, as subspace identification finds them."""
        fitted = self.fitted
        found = poles(fitted.control[..., :-1], fitted.output, fitted.weight)
        angle, decay = np.angle(found), -np.log(np.abs(found))
        longest = fitted.control.shape[1] / 2
        rings = (angle > 2.0 * np.pi / longest) & (angle < 2.0 * np.pi / MIN_PERIOD)
        return found[rings & (decay < MAX_DAMPING * np.maximum(angle, MIN_SPREAD))]


def _oscillating(fit: _HeldOutFit, filters: np.ndarray) -> np.ndarray:
    """The few conjugate pairs that take most of the error; none where all together take too little."""
    left = list(fit.pairs())
    least = before = fit.error(filters)
    if not left or fit.error(np.concatenate((filters, left))) >= (1.0 - MIN_GAIN) * before:
        return np.zeros(0, complex)
    chosen: list[complex] = []
    while left and len(chosen) < MAX_PAIRS:
        errors = [fit.error(np.concatenate((filters, chosen, [pair]))) for pair in left]
        if chosen and min(errors) >= (1.0 - MIN_FURTHER_GAIN) * least:
            break
        least = min(errors)
        chosen.append(left.pop(int(np.argmin(errors))))
    log.info(
        "oscillations with periods of %s rows: a linear fit errs by %.3g with them, %.3g without",
        ", ".join(f"{2.0 * np.pi / np.angle(pair):.3g}" for pair in chosen), least, before,
    )  # fmt: skip
    return np.array(chosen)


def _thinned(windows: np.ndarray, rows: int) -> np.ndarray:
    """Every k-th of some windows, of so many rows each, so that they have about ``MAX_SELECTION_ROWS`` in total."""
    return windows[:: max(1, round(len(windows) * rows / MAX_SELECTION_ROWS))]


def _main_axes(rows: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Columns (W, T, N) in the axes in which they vary most, where there are more than ``MAX_AXES``."""
    if rows.shape[2] <= MAX_AXES:
        return rows
    varying = rows[used] - rows[used].mean(axis=0)
    axes = np.linalg.eigh(varying.T @ varying)[1][:, -MAX_AXES:]
    return np.asarray(rows @ axes)
