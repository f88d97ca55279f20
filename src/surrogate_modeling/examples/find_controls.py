"""Find the control schedule that brings a target down under a bound, by gradients through the free run.

    pdm run python src/surrogate_modeling/examples/find_controls.py <lit_model.pth> <case CSV> <target> <upper bound>

The free run is differentiable with respect to the controls, so any optimiser of PyTorch can search a schedule: here the
last value of a target is minimised, with a penalty where the target exceeds the bound on the way. The controls stay
inside the training range, where the surrogate can be trusted, and are held for some rows at a time.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from surrogate_modeling.cases.schedules import Schedule, read_schedule
from surrogate_modeling.deployment.loading import demands_of
from surrogate_modeling.surrogate.model import Surrogate


@dataclass(frozen=True)
class Found:
    """Controls of all rows (T, C), the trajectory of the target (T - in_len,) and its last value before the search."""

    controls: Tensor
    target: Tensor
    before: float


def find_controls(
    surrogate: Surrogate, initial: Tensor, controls: Tensor, target: str, bound: float,
    held: int = 20, steps: int = 200, weight: float = 100.0,
) -> Found:  # fmt: skip
    """Minimise the last value of ``target`` while it stays below ``bound``.

    Args:
        surrogate: loaded.
        initial: (in_len, P) predicted columns of the first rows.
        controls: (T, C) where the search starts; the first in_len rows stay.
        target: name of a predicted column.
        bound: largest value the target may take.
        held: rows for which a control keeps its value.
        steps: of the optimiser.
        weight: of the penalty, per training standard deviation beyond the bound.
    """
    description, in_len = surrogate.description, surrogate.description.in_len
    column = description.channels.predicted.index(target)
    scale = float(surrogate.predicted_scale[column])
    low, high = (part[: controls.shape[1]].to(controls) for part in (surrogate.scaling.low, surrogate.scaling.high))
    ahead = len(controls) - in_len

    def trajectory(levels: Tensor) -> tuple[Tensor, Tensor]:
        """Controls of all rows, and the target in the predicted ones."""
        # The sigmoid keeps every level inside the training range.
        held_rows = (low + (high - low) * torch.sigmoid(levels)).repeat_interleave(held, dim=0)[:ahead]
        whole = torch.cat((controls[:in_len], held_rows))
        return whole, surrogate.free_run(initial, whole)[:, column]

    share = ((controls[in_len::held] - low) / (high - low).clamp_min(1e-9)).clamp(0.02, 0.98)
    levels = torch.logit(share).requires_grad_()
    optimiser = torch.optim.Adam([levels], lr=0.1)
    before = float(surrogate.free_run(initial, controls)[-1, column].detach())
    best: tuple[float, Found] | None = None
    for _ in range(steps):
        whole, values = trajectory(levels)
        beyond = ((values - bound) / scale).clamp_min(0.0)
        loss = values[-1] / scale + weight * beyond.square().mean()
        if best is None or float(loss.detach()) < best[0]:
            best = float(loss.detach()), Found(whole.detach(), values.detach(), before)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert best is not None
    return best[1]


def main(model: str, case: str, target: str, bound: str) -> None:
    """Search from the schedule of a case and print what was found."""
    surrogate = Surrogate.load(model)
    description = surrogate.description
    read = read_schedule(Path(case), demands_of(description, 5.0))
    if not isinstance(read, Schedule):
        sys.exit("\n".join(map(str, read)))
    initial, controls = torch.from_numpy(read.case.outputs[: description.in_len]), torch.from_numpy(read.case.controls)
    found = find_controls(surrogate, initial, controls, target, float(bound))
    unit = description.channels.units[target]
    print(f"last {target}: {found.before:.4g} {unit} before, {float(found.target[-1]):.4g} {unit} after the search")
    print(f"largest on the way: {float(found.target.max()):.4g} {unit}, bound {float(bound):g} {unit}")


if __name__ == "__main__":
    main(*sys.argv[1:5])
