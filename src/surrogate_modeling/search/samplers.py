"""Samplers by name, wrapped in one that gives each trial a point of its own.

An Optuna sampler alone repeats points of small spaces, and with a seed it starts its sequence again in every process,
so that a continued search would draw the points of the first trials once more. Here the seed of a trial follows from
the search's seed and the trial's number: a search that was killed and continued, or that runs in two processes, draws
as one that ran through, as far as it knows the same results.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optuna
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.search.sampler_schemas import SCHEMAS
from surrogate_modeling.search.settings import refuse
from surrogate_modeling.search.space import Space

SINGLE_OBJECTIVE = ("CmaEsSampler",)
DRAWS = 20
LARGEST_ENUMERATION = 100_000


class Exhausted(Exception):
    """Every point of the space was tried."""


def make_sampler(given: Any, space: Space, objectives: int) -> SearchSampler:
    """The sampler of a search, around one of Optuna's.

    Args:
        given: a name, or a configuration with ``_target_``.
        space: what is searched.
        objectives: how many.

    Raises:
        UserError: no such sampler, or one that cannot search this.
    """
    config = _configuration(given)
    name = str(config.pop("_target_", "")).rsplit(".", 1)[-1]
    config.pop("_partial_", None)
    kind = getattr(optuna.samplers, name, None)
    if kind is None:
        refuse("sampler", name, f"not in this version of Optuna; known: {', '.join(SCHEMAS)}")
    known = inspect.signature(kind).parameters
    for key in config.keys() - known.keys():
        refuse(f"sampler.{key}", config[key], f"no argument of Optuna's {name}; known: {', '.join(known)}")
    if kind is optuna.samplers.GridSampler:
        if space.size > LARGEST_ENUMERATION:
            refuse(
                "sampler", "grid", f"takes choice(...) and range(...) with at most {LARGEST_ENUMERATION} combinations"
            )
        return SearchSampler(None, config.get("seed"), space)
    if objectives > 1 and name in SINGLE_OBJECTIVE:
        refuse("sampler", "cmaes", "searches for one objective; for several use tpe, nsgaii, gp, random or grid")
    seed = config.pop("seed", None)
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
        refuse("sampler.seed", seed, "must be a whole number from 0, or null for one drawn when the study begins")

    def make(number: int) -> BaseSampler:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return instantiate({"_target_": f"optuna.samplers.{name}", **config, "seed": number})

    return SearchSampler(make, seed, space)


def _configuration(given: Any) -> dict[str, Any]:
    if isinstance(given, DictConfig):
        return dict(OmegaConf.to_container(given, resolve=True))  # type: ignore[arg-type]
    if given in SCHEMAS:
        return dict(OmegaConf.to_container(OmegaConf.structured(SCHEMAS[given])))  # type: ignore[arg-type]
    raise UserError(f"hydra.sweeper.sampler={given}: must be one of {', '.join(SCHEMAS)}")


class SearchSampler(BaseSampler):
    """Draws with a fresh inner sampler per trial, and again while the point is taken.

    Args:
        make: seed -> inner sampler; None for a grid, walked in the order written.
        seed: of the search; None for one that the study draws when it begins.
        space: what is searched.
    """

    def __init__(self, make: Callable[[int], BaseSampler] | None, seed: int | None, space: Space) -> None:
        self.make, self.seed, self.space = make, seed, space
        # Trials before this number that failed may be tried again: their fault may have been mended.
        self.first_number = 0
        self._inner: dict[int, BaseSampler] = {}

    def inner(self, number: int) -> BaseSampler | None:
        """The sampler of one trial."""
        if self.make is None:
            return None
        if number not in self._inner:
            mixed = np.random.SeedSequence([self.seed or 0, number]).generate_state(1)[0]
            # Some samplers derive further seeds by adding to this one.
            self._inner = {number: self.make(int(mixed) % 2**30)}
        return self._inner[number]

    def taken(self, trials: Sequence[FrozenTrial]) -> set[tuple[str, ...]]:
        """Points that have a result, are running, or failed in this run of the search."""
        return {self.space.key(trial.params) for trial in trials if self._takes(trial)}

    def has_free(self, trials: Sequence[FrozenTrial]) -> bool:
        """Whether the space has a point that is not taken."""
        if self.space.size > LARGEST_ENUMERATION:
            return True
        taken = self.taken(trials)
        return any(self.space.key(point) not in taken for point in self.space.points())

    def _takes(self, trial: FrozenTrial) -> bool:
        if not trial.params and self.space.searched:
            return False
        if trial.state is TrialState.FAIL:
            return trial.number >= self.first_number and "interrupted" not in trial.user_attrs
        return trial.state is not TrialState.WAITING

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """All parameters are drawn at once, because only a whole point can be compared with the earlier ones."""
        return self.space.searched

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """A point that is not taken.

        Raises:
            Exhausted: there is none.
        """
        taken = self.taken(study.get_trials(deepcopy=False))
        sampler = self.inner(trial.number)
        if sampler is not None:
            for _ in range(DRAWS):
                point = self._draw(sampler, study, trial)
                if self.space.key(point) not in taken:
                    return point
            if self.space.size > LARGEST_ENUMERATION:
                return point
        free = (point for point in self.space.points() if self.space.key(point) not in taken)
        if sampler is None:
            chosen = next(free, None)
        else:
            left = list(free)
            generator = np.random.default_rng([self.seed or 0, trial.number])
            chosen = left[generator.integers(len(left))] if left else None
        if chosen is None:
            raise Exhausted
        return chosen

    def _draw(self, sampler: BaseSampler, study: Study, trial: FrozenTrial) -> dict[str, Any]:
        together = sampler.infer_relative_search_space(study, trial)
        drawn = sampler.sample_relative(study, trial, together)
        point: dict[str, Any] = {}
        for name, distribution in self.space.searched.items():
            # Ranges may have changed since the study began.
            usable = name in drawn and _contains(distribution, drawn[name])
            point[name] = drawn[name] if usable else sampler.sample_independent(study, trial, name, distribution)
        return point

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Not used: see :meth:`infer_relative_search_space`."""
        raise AssertionError(f"{param_name} is not in the search space")

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Passed on."""
        sampler = self.inner(trial.number)
        if sampler is not None:
            sampler.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Passed on: evolutionary samplers keep their generations in the study."""
        sampler = self.inner(trial.number)
        if sampler is not None:
            sampler.after_trial(study, trial, state, values)


def _contains(distribution: BaseDistribution, value: Any) -> bool:
    """Whether a value drawn from an earlier form of a range is still in it."""
    try:
        number = distribution.to_internal_repr(value)
    except (ValueError, TypeError):
        return False
    if isinstance(distribution, CategoricalDistribution):
        return True
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    steps = (number - distribution.low) / (distribution.step or 1)
    on_grid = distribution.step is None or abs(steps - round(steps)) < 1e-8
    return distribution.low <= number <= distribution.high and on_grid
