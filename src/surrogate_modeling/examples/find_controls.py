"""Find the control schedule that brings a target down under a bound, by gradients through the free run.

    pdm run python src/surrogate_modeling/examples/find_controls.py <lit_model.pth> <case CSV> <target> <upper bound> \\
        [<control>=fixed] [<control>=<low>:<high>] ...

The free run is differentiable with respect to the controls, so any optimiser of PyTorch can search a schedule: here the
last value of a target is minimised, with a penalty where the target exceeds the bound on the way. Controls that are
fixed, such as the weather, keep the case's schedule; the others stay inside the limits given, or the training range,
where the surrogate can be trusted, and are held for some rows at a time.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from surrogate_modeling.cases.schedules import Schedule, read_schedule
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.deployment.loading import demands_of
from surrogate_modeling.surrogate.model import Surrogate


@dataclass(frozen=True)
class Problem:
    """What is searched.

    Attributes:
        target: predicted column whose last value is minimised.
        bound: largest value the target may take.
        limits: control -> lowest and highest value; the training range where nothing is given.
        fixed: controls that keep their schedule.
    """

    target: str
    bound: float
    limits: dict[str, tuple[float, float]] = field(default_factory=dict)
    fixed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Method:
    """How it is searched: rows for which a control keeps its value, steps of the optimiser, weight of the penalty."""

    held: int = 20
    steps: int = 200
    weight: float = 100.0


@dataclass(frozen=True)
class Result:
    """Controls of all rows (T, C), the trajectory of the target (T - in_len,) and its last value before the search."""

    controls: Tensor
    target: Tensor
    before: float


def find_controls(
    surrogate: Surrogate, initial: Tensor, controls: Tensor, problem: Problem, method: Method = Method()
) -> Result:
    """Minimise the last value of the target while it stays below the bound.

    Args:
        surrogate: loaded.
        initial: (G, P) predicted columns of the rows in which they are given.
        controls: (T, C) where the search starts; the first in_len rows stay.
        problem: target, bound, limits.
        method: of the search.

    Raises:
        UserError: a column that the surrogate does not have, or limits outside the training range.
    """
    description, in_len = surrogate.description, surrogate.description.in_len
    column = _position(problem.target, description.channels.predicted, "predicted columns")
    scale = float(surrogate.predicted_scale[column])
    low, high, free = _limits(surrogate, controls, problem)
    ahead, held = len(controls) - in_len, method.held

    def trajectory(levels: Tensor) -> tuple[Tensor, Tensor]:
        """Controls of all rows, and the target in the predicted ones."""
        # The sigmoid keeps every level inside its limits.
        searched = (low + (high - low) * torch.sigmoid(levels)).repeat_interleave(held, dim=0)[:ahead]
        whole = torch.cat((controls[:in_len], torch.where(free, searched, controls[in_len:])))
        return whole, surrogate.free_run(initial, whole)[:, column]

    share = ((controls[in_len::held] - low) / (high - low).clamp_min(1e-9)).clamp(0.02, 0.98)
    levels = torch.logit(share).requires_grad_()
    optimiser = torch.optim.Adam([levels], lr=0.1)
    before = float(surrogate.free_run(initial, controls)[-1, column].detach())
    best: tuple[float, Result] | None = None
    for _ in range(method.steps):
        whole, values = trajectory(levels)
        beyond = ((values - problem.bound) / scale).clamp_min(0.0)
        loss = values[-1] / scale + method.weight * beyond.square().mean()
        if best is None or float(loss.detach()) < best[0]:
            best = float(loss.detach()), Result(whole.detach(), values.detach(), before)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert best is not None
    return best[1]


def _position(name: str, names: Sequence[str], kind: str) -> int:
    if name not in names:
        raise UserError(f"{name}: not among the {kind} of this surrogate: {', '.join(names)}")
    return names.index(name)


def _limits(surrogate: Surrogate, controls: Tensor, problem: Problem) -> tuple[Tensor, Tensor, Tensor]:
    """Lowest and highest value of each control (C,), and whether it is searched at all (C,)."""
    names = surrogate.description.channels.controls
    low, high = (
        part[: controls.shape[1]].to(controls).clone() for part in (surrogate.scaling.low, surrogate.scaling.high)
    )
    free = torch.ones(len(names), dtype=torch.bool)
    for name in problem.fixed:
        free[_position(name, names, "controls")] = False
    for name, (lowest, highest) in problem.limits.items():
        i = _position(name, names, "controls")
        if not low[i] <= lowest <= highest <= high[i]:
            raise UserError(f"{name}={lowest:g}:{highest:g}: must lie in the training range {low[i]:g}:{high[i]:g}")
        low[i], high[i] = lowest, highest
    return low, high, free


def parse_problem(target: str, bound: str, options: Sequence[str]) -> Problem:
    """The problem as typed.

    Raises:
        UserError: something in it cannot be read.
    """
    fixed, limits = set(), {}
    try:
        largest = float(bound)
        for option in options:
            name, _, value = option.rpartition("=")
            if value == "fixed":
                fixed.add(name)
            else:
                lowest, highest = map(float, value.split(":"))
                limits[name] = lowest, highest
    except ValueError as error:
        raise UserError(f"{error}; <upper bound> [<control>=fixed] [<control>=<low>:<high>] is expected") from None
    return Problem(target, largest, limits, frozenset(fixed))


def main(model: str, case: str, target: str, bound: str, *options: str) -> None:
    """Search from the schedule of a case and print what was found."""
    problem = parse_problem(target, bound, options)
    surrogate = Surrogate.load(model)
    description = surrogate.description
    read = read_schedule(Path(case), demands_of(description, 5.0))
    if not isinstance(read, Schedule):
        raise UserError("\n".join(map(str, read)))
    initial = torch.from_numpy(read.case.outputs[: description.given_rows])
    controls = torch.from_numpy(read.case.controls)
    found = find_controls(surrogate, initial, controls, problem)
    unit = description.channels.units[target]
    print(f"last {target}: {found.before:.4g} {unit} before, {float(found.target[-1]):.4g} {unit} after the search")
    print(f"largest on the way: {float(found.target.max()):.4g} {unit}, bound {problem.bound:g} {unit}")


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit("usage: find_controls.py <lit_model.pth> <case CSV> <target> <upper bound> [<control>=fixed] ...")
    try:
        main(*sys.argv[1:])
    except UserError as error:
        sys.exit(f"error: {error}")
