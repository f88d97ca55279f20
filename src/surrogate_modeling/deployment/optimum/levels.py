"""Schedules as few numbers: a control keeps a level for some rows, or moves in ramps no steeper than its rate.

Limits and rates hold by construction, so that any number is a schedule that can be driven.

Shape letters: B schedules, K knots, T all rows, H predicted rows, C control.
"""

from __future__ import annotations

import torch
from torch import Tensor

from surrogate_modeling.deployment.optimum.problem import Problem

# Share of the range of a control within which a start lies: at the edges the sigmoid is flat.
ROOM = 0.02
# Of the levels of a random start around their mean, as a share of the range.
SPREAD = 0.15


class Levels:
    """Between free numbers (B, K, C) and controls of all rows (B, T, C).

    Args:
        problem: limits, rates, what is searched.
        controls: (T, C) of the case, physical units.
        in_len: its first rows, which stay but for parameters.
    """

    def __init__(self, problem: Problem, controls: Tensor, in_len: int) -> None:
        self.problem, self.controls, self.in_len = problem, controls, in_len
        self.ahead = len(controls) - in_len
        self.knots = -(-self.ahead // problem.held)
        self.ramped = problem.rate.isfinite()

    def of_case(self) -> Tensor:
        """Numbers (1, K, C) of the schedule nearest to that of the case."""
        held, last = self.problem.held, len(self.controls) - 1
        rows = torch.arange(self.knots)
        starts = self.controls[self.in_len + held * rows]
        ends = self.controls[(self.in_len - 1 + held * (rows + 1)).clamp(max=last)]
        wanted = torch.where(self.ramped, ends, starts)
        wanted = torch.where(self.problem.constant, self.controls[0], wanted)
        width = (self.problem.high - self.problem.low).clamp_min(1e-12)
        return torch.logit(((wanted - self.problem.low) / width).clamp(ROOM, 1 - ROOM))[None]

    def random(self, count: int, generator: torch.Generator) -> Tensor:
        """Numbers (count, K, C) of schedules that vary around a random level of each control."""
        width, kind = self.controls.shape[1], self.controls.dtype
        mean = torch.rand(count, 1, width, generator=generator, dtype=kind)
        share = mean + SPREAD * torch.randn(count, self.knots, width, generator=generator, dtype=kind)
        return torch.logit(share.clamp(ROOM, 1 - ROOM))

    def schedule(self, numbers: Tensor) -> Tensor:
        """Controls of all rows (B, T, C), differentiable."""
        problem = self.problem
        wanted = problem.low + (problem.high - problem.low) * torch.sigmoid(numbers)
        held = wanted.repeat_interleave(problem.held, dim=1)[:, : self.ahead]
        searched = torch.where(self.ramped, self._ramps(wanted), held) if self.ramped.any() else held
        one = wanted.mean(dim=1, keepdim=True)
        searched = torch.where(problem.constant, one, searched)
        before = self.controls[: self.in_len].expand(len(numbers), -1, -1)
        before = torch.where(problem.constant & problem.free, one, before)
        ahead = torch.where(problem.free, searched, self.controls[self.in_len :])
        return torch.cat((before, ahead), dim=1)

    def _ramps(self, wanted: Tensor) -> Tensor:
        """Lines (B, H, C) from the last given row over the knots, each knot as far towards what is wanted as can be."""
        # The tangent hyperbolic, where a cut would leave a control without a gradient once it is at its rate.
        most = torch.where(self.ramped, self.problem.rate * self.problem.held, 1.0)
        knots = [self.controls[self.in_len - 1].expand_as(wanted[:, 0])]
        for k in range(self.knots):
            knots.append(knots[-1] + most * torch.tanh((wanted[:, k] - knots[-1]) / most))
        line = torch.stack(knots, dim=1)
        place = torch.arange(1, self.ahead + 1) / self.problem.held
        before = place.ceil().long() - 1
        share = (place - before).to(line)[:, None]
        return (1 - share) * line[:, before] + share * line[:, before + 1]
