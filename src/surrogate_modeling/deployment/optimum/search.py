"""The search: several starts side by side, each descends the gradient of objective and penalties with Adam.

Bounds and the distance from the training cases are penalties that grow from step to step (Nocedal and Wright 2006,
chapter 17); what is kept is the best schedule that breaks none of them.

Shape letters: B starts, T all rows, H predicted rows, C control, P predicted column, F column (C, then P).
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate_modeling.cases.case import Case
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.commands import BandScope
from surrogate_modeling.deployment.optimum.levels import Levels
from surrogate_modeling.deployment.optimum.problem import Bound, Problem
from surrogate_modeling.surrogate.band import Banded
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.surrogate.training_range import BEYOND

log = logging.getLogger(__name__)
RATE_OF_LEARNING = 0.1
# Of the penalties, in the first and in the last step.
PENALTY = 10.0, 1000.0
# The search aims this far inside of a bound [standard deviations] and of the training range [its unit].
INSIDE = 0.02
SECONDS_BETWEEN_LINES = 5.0


@dataclass(frozen=True)
class Method:
    """How it is searched: starts, steps of each, seed of the random ones, margin, and whether the range counts."""

    starts: int = 4
    steps: int = 200
    seed: int = 42
    band: BandScope | None = None
    beyond: bool = False


@dataclass(frozen=True)
class Evaluated:
    """Schedules as the surrogate predicts them.

    Attributes:
        controls: (B, T, C), physical units.
        rows: (B, H, F), controls and predicted columns of the predicted rows.
        lower: (B, H, P) of the band, or the prediction.
        upper: the same.
        objective: (B,), the sum of the terms, each in standard deviations of its column.
        excess: (B,) largest distance beyond a bound, in standard deviations; 0 where all are kept.
        distance: (B, T) from the training cases, in the unit of :class:`~surrogate_modeling.surrogate.Position`.
    """

    controls: Tensor
    rows: Tensor
    lower: Tensor
    upper: Tensor
    objective: Tensor
    excess: Tensor
    distance: Tensor


@dataclass(frozen=True)
class Found:
    """Result of a search.

    Attributes:
        before: the schedule of the case, evaluated.
        best: the best schedule, evaluated (B = 1).
        kept: whether it keeps the bounds and the training range.
        objectives: best objective of each start that kept them; infinite for the others.
    """

    before: Evaluated
    best: Evaluated
    kept: bool
    objectives: list[float]


class Search:
    """Find the best schedule.

    Args:
        surrogate: on its device.
        case: whose schedule is the first start, and whose first rows are given.
        problem: what is searched.
        method: how.
        unit: whose outputs are predicted; None for the mean unit.
    """

    def __init__(
        self, surrogate: Surrogate, case: Case, problem: Problem, method: Method, *, unit: str | None = None
    ) -> None:
        self.surrogate, self.problem, self.method, self.unit = surrogate, problem, method, unit
        number, description = surrogate.scaling.number, surrogate.description
        self.controls = torch.as_tensor(case.controls, dtype=number)
        self.initial = torch.as_tensor(case.outputs[: description.given_rows], dtype=number)
        self.in_len = description.in_len
        self.scale = surrogate.scaling.scale.cpu().to(number)

    def run(self) -> Found:
        """Search from every start.

        Raises:
            UserError: no schedule had a finite free run.
        """
        levels, method = Levels(self.problem, self.controls, self.in_len), self.method
        with torch.no_grad():
            before = self.evaluate(self.controls[None])
        generator = torch.Generator().manual_seed(method.seed)
        numbers = torch.cat((levels.of_case(), levels.random(method.starts - 1, generator))).requires_grad_()
        optimiser = torch.optim.Adam([numbers], lr=RATE_OF_LEARNING)
        decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, method.steps, RATE_OF_LEARNING / 20)
        best = _Best(method.starts)
        said = time.monotonic()
        for step in range(method.steps + 1):
            now = self.evaluate(levels.schedule(numbers))
            best.see(now, numbers, self._broken(now))
            if step == method.steps:
                break
            weight = PENALTY[0] * (PENALTY[1] / PENALTY[0]) ** (step / method.steps)
            loss = now.objective + weight * self._penalty(now)
            optimiser.zero_grad()
            # Of each start by itself: Adam moves each number by its own gradients.
            loss.nan_to_num().sum().backward()
            optimiser.step()
            decay.step()
            if time.monotonic() - said > SECONDS_BETWEEN_LINES:
                said = time.monotonic()
                log.info("step %d of %d: objective %.4g", step + 1, method.steps, min(best.objectives))
        if not best.numbers.numel():
            raise UserError("the free run of every schedule diverged: this surrogate cannot be searched")
        with torch.no_grad():
            return Found(before, self.evaluate(levels.schedule(best.numbers)), best.kept, best.objectives)

    def evaluate(self, controls: Tensor) -> Evaluated:
        """Predict schedules (B, T, C), and what the problem says of them."""
        surrogate, problem = self.surrogate, self.problem
        initial = self.initial.expand(len(controls), -1, -1).to(surrogate.device)
        banded = self._predict(initial, controls.to(surrogate.device))
        mean, lower, upper = (part.cpu() for part in banded)
        rows = torch.cat((controls[:, self.in_len :], mean), dim=-1)
        terms = [term.sign * term.of(rows) / self.scale[term.place] for term in problem.terms]
        beyond = [self.beyond(bound, lower, upper).amax(dim=1) for bound in problem.bounds]
        zero = torch.zeros(len(controls), dtype=mean.dtype)
        excess = torch.stack([zero, *beyond]).amax(dim=0)
        scaled = surrogate.scaling.standardise(controls.to(surrogate.device), slice(0, controls.shape[-1]))
        distance = surrogate.training_range.distance(scaled).cpu()
        return Evaluated(controls, rows, lower, upper, torch.stack(terms).sum(dim=0), excess, distance)

    def _predict(self, initial: Tensor, controls: Tensor) -> Banded:
        if self.method.band is None:
            mean = self.surrogate.free_run(initial, controls, self.unit)
            return Banded(mean, mean, mean)
        return self.surrogate.free_run_band(initial, controls, self.unit, scope=self.method.band)

    def beyond(self, bound: Bound, lower: Tensor, upper: Tensor) -> Tensor:
        """How far (B, H less those before bounds count) a column leaves its bound, in deviations; negative inside."""
        lower, upper = (edge[:, self.problem.after :, bound.place] for edge in (lower, upper))
        above, below = upper - bound.high, bound.low - lower
        return torch.maximum(above, below) / self.scale[self.controls.shape[1] + bound.place]

    def _penalty(self, now: Evaluated) -> Tensor:
        """Penalties (B,) for bounds, and for the distance from the training cases."""
        parts = [
            (self.beyond(bound, now.lower, now.upper) + INSIDE).clamp_min(0.0).square().mean(dim=1)
            for bound in self.problem.bounds
        ]
        if not self.method.beyond:
            parts.append((now.distance - (1.0 - INSIDE)).clamp_min(0.0).square().mean(dim=1))
        return torch.stack(parts).sum(dim=0) if parts else torch.zeros_like(now.objective)

    def _broken(self, now: Evaluated) -> Tensor:
        """How far (B,) each schedule is from being allowed; 0 where it is."""
        broken = now.excess.detach().clone()
        if not self.method.beyond:
            # As of the check of the given rows, which no schedule changes.
            broken = broken + (now.distance.detach().amax(dim=1) - BEYOND).clamp_min(0.0)
        return broken


class _Best:
    """The best schedule so far: of those that break nothing the least objective, else the one that breaks least."""

    def __init__(self, starts: int) -> None:
        self.objectives = [math.inf] * starts
        self.numbers = torch.empty(0)
        self.rank = (math.inf, math.inf)

    @property
    def kept(self) -> bool:
        """Whether the best breaks nothing."""
        return self.rank[0] == 0.0

    def see(self, now: Evaluated, numbers: Tensor, broken: Tensor) -> None:
        """Compare the schedules of this step."""
        for i, (wrong, objective) in enumerate(zip(broken.tolist(), now.objective.tolist(), strict=True)):
            if not (math.isfinite(wrong) and math.isfinite(objective)):
                continue
            if wrong == 0.0:
                self.objectives[i] = min(self.objectives[i], objective)
            if (wrong, objective) < self.rank:
                self.rank, self.numbers = (wrong, objective), numbers[i : i + 1].detach().clone()
