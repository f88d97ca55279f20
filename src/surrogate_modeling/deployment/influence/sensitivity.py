"""How a surrogate's targets answer to its controls: gradients along trajectories, step responses, Sobol indices.

Shape letters: T all rows, H predicted rows, C control, P predicted column, N targets, S samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from surrogate_modeling.cases.case import Case
from surrogate_modeling.surrogate.model import Surrogate

# Share of a step response at which its time constant is read: 1 - 1/e.
RISEN = 1.0 - math.exp(-1.0)
# A response is settled where it moves by less than this share of itself in the last tenth of its rows.
SETTLED = 0.05
# Less than this share of a standard deviation of the target is no response.
NOTHING = 1e-4
# An answer that ends at nothing has come to rest there if its last tenth is below this share, else it may swing past.
NEARLY_NOTHING = 1e-3
# Runs of one batch in Sobol's samples.
SAMPLES_AT_ONCE = 128


def gradients(surrogate: Surrogate, case: Case, unit: str | None = None) -> np.ndarray:
    """What a control does in each row to the mean of each target over the trajectory (N, T, C).

    It is the change of that mean, in standard deviations of the target, if the control is one standard deviation higher
    in all rows of a time as long as the predicted rows together; so the mean over the rows is the effect of a control
    that is higher all the time.
    """
    initial, controls = _inputs(surrogate, case)
    controls.requires_grad_()
    rows = surrogate.free_run(initial, controls, unit)
    targets, in_len = surrogate.description.channels.target_indices, surrogate.description.in_len
    scale = surrogate.scaling.scale.to(controls)
    found = []
    for i in targets:
        (slope,) = torch.autograd.grad(rows[:, i].mean(), controls, retain_graph=True)
        slope = slope * scale[: controls.shape[1]] / scale[controls.shape[1] + i] * (len(controls) - in_len)
        found.append(slope.detach())
    return np.asarray(torch.stack(found).cpu().numpy())


@dataclass(frozen=True)
class StepResponses:
    """Answers of the targets to a step of each control from a settled point; the mean of a step up and one down.

    Attributes:
        gain: (N, C), change of the target by change of the control, in their units, 0 where it is less than
            ``NOTHING``; NaN where it does not settle, or the control is constant in training.
        seconds: (N, C) until 63 % of the change; NaN where there is none, or it does not settle.
        change: (N, C), the change of the target in its standard deviations for one of the control.
    """

    gain: np.ndarray
    seconds: np.ndarray
    change: np.ndarray


def step_responses(
    surrogate: Surrogate, case: Case, size: float, settle: float | None = None, unit: str | None = None
) -> StepResponses:
    """Step each control up and down, one by one, from the mean of the case.

    Args:
        surrogate: on its device.
        case: whose first rows and mean controls are the start.
        size: of a step, in standard deviations of the control, cut at the training range.
        settle: seconds before and after the step; None: the duration of the case.
        unit: whose outputs are predicted.
    """
    description = surrogate.description
    initial, controls = _inputs(surrogate, case)
    before = len(controls) if settle is None else max(10, round(settle / description.step))
    schedules, moved = _stepped(surrogate, controls, size, before)
    with torch.no_grad():
        rows = surrogate.free_run(initial.expand(len(schedules), -1, -1), schedules, unit)
    targets, count = description.channels.target_indices, controls.shape[1]
    # Against the run without a step: what has not settled before is not counted.
    answers = rows[1:, before - 1 :, targets].double() - rows[:1, before - 1 :, targets].double()
    changes = (answers[:count] - answers[count:]).permute(2, 0, 1).cpu().numpy()
    scale = surrogate.scaling.scale.double().cpu().numpy()
    return _read(changes, moved, scale[:count], scale[count:][targets], description.step)


def _stepped(surrogate: Surrogate, controls: Tensor, size: float, before: int) -> tuple[Tensor, np.ndarray]:
    """Schedules (1 + 2 C, rows, C): without a step, with one up, with one down; and both steps together (C,)."""
    in_len, count = surrogate.description.in_len, controls.shape[1]
    low, high = (edge[:count].to(controls) for edge in (surrogate.scaling.low, surrogate.scaling.high))
    deviation = surrogate.scaling.scale[:count].to(controls)
    base = controls.mean(dim=0).clamp(low, high)
    up, down = torch.minimum(base + size * deviation, high), torch.maximum(base - size * deviation, low)
    # The first rows are the case's own: the state follows from them.
    schedule = torch.cat((controls[:in_len], base.expand(2 * before, -1)))
    several = schedule.repeat(1 + 2 * count, 1, 1)
    for i in range(count):
        several[1 + i, in_len + before :, i] = up[i]
        several[1 + count + i, in_len + before :, i] = down[i]
    return several, (up - down).double().cpu().numpy()


def _read(
    changes: np.ndarray, moved: np.ndarray, control_scale: np.ndarray, target_scale: np.ndarray, step: float
) -> StepResponses:
    """Gains and time constants of answers (N, C, rows), the first row before the step, to changes of controls (C,)."""
    last, deviation = changes[:, :, -1], target_scale[:, None]
    answered = np.abs(last) > NOTHING * deviation
    tail = changes[:, :, -max(2, changes.shape[2] // 10) :]
    faded = ~answered & (np.abs(tail).max(axis=2) <= NEARLY_NOTHING * deviation)
    settled = faded | (np.abs(last - tail[:, :, 0]) <= SETTLED * np.abs(last) + NOTHING * deviation)
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where((moved > 0) & settled, np.where(faded, 0.0, last / moved), np.nan)
    seconds = np.full(gain.shape, np.nan)
    for n, i in np.argwhere(answered & settled):
        seconds[n, i] = _risen(changes[n, i] / last[n, i]) * step
    return StepResponses(gain, seconds, gain * control_scale / deviation)


def _risen(answer: np.ndarray) -> float:
    """Rows until an answer that ends at 1 first reaches 63 %, between rows by a line."""
    after = int(np.argmax(answer >= RISEN))
    if after == 0:
        return 0.0
    return after - 1 + float((RISEN - answer[after - 1]) / (answer[after] - answer[after - 1]))


def sobol(surrogate: Surrogate, case: Case, samples: int, seed: int, unit: str | None = None) -> tuple[np.ndarray, ...]:
    """First-order and total Sobol indices (N, C) of each target's mean over constant levels in the training range.

    The share of the variance of the mean that a control explains by itself, and with all its interactions, if every
    control is constant at a level that is uniform in its training range (Saltelli et al. 2010, as SciPy has it).

    Args:
        surrogate: on its device.
        case: whose first rows are the start, and whose duration counts.
        samples: a power of 2; free runs for each control, and twice more.
        seed: of the sequence.
        unit: whose outputs are predicted.
    """
    from scipy.stats import sobol_indices, uniform

    description = surrogate.description
    initial, controls = _inputs(surrogate, case)
    count, in_len, targets = controls.shape[1], description.in_len, description.channels.target_indices
    low, high = (edge[:count].cpu().numpy() for edge in (surrogate.scaling.low, surrogate.scaling.high))
    moves = high > low

    def means(levels: np.ndarray) -> np.ndarray:
        """Mean of each target (N, S) for levels of the controls that move (., S)."""
        found = []
        for part in torch.as_tensor(levels.T.copy()).to(controls).split(SAMPLES_AT_ONCE):
            several = controls.repeat(len(part), 1, 1)
            several[:, in_len:, torch.as_tensor(moves)] = part[:, None]
            with torch.no_grad():
                rows = surrogate.free_run(initial.expand(len(part), -1, -1), several, unit)
            found.append(rows[..., targets].mean(dim=1).double().cpu().numpy())
        return np.concatenate(found).T

    if moves.sum() < 2:
        # One control explains all that varies, and SciPy takes no fewer than two.
        alone = np.tile(moves.astype(float), (len(targets), 1))
        return alone, alone.copy()
    levels = [uniform(loc=low[i], scale=high[i] - low[i]) for i in np.flatnonzero(moves)]
    result = sobol_indices(func=means, n=samples, dists=levels, rng=np.random.default_rng(seed))
    whole = []
    for index in (result.first_order, result.total_order):
        filled = np.zeros((len(targets), count))
        filled[:, moves] = np.nan_to_num(index)
        whole.append(filled)
    return tuple(whole)


def _inputs(surrogate: Surrogate, case: Case) -> tuple[Tensor, Tensor]:
    """Given rows (G, P) and controls (T, C) on the surrogate's device."""
    parts = case.outputs[: surrogate.description.given_rows], case.controls
    given, controls = (torch.tensor(part, dtype=surrogate.scaling.number, device=surrogate.device) for part in parts)
    return given, controls
