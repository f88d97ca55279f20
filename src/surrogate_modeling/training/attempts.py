"""Models that a portfolio tries: their free runs over cases left out, and what they become in the mixture.

Shape letters: H predicted rows of a case, P predicted columns.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor

from surrogate_modeling.cases.case import Case
from surrogate_modeling.config.models import ModelConfig, NssConfig, PersistenceConfig, RegressionConfig, TreesConfig
from surrogate_modeling.networks import Network
from surrogate_modeling.networks.ensemble import EnsembleNetwork
from surrogate_modeling.networks.trees import TreeRegression
from surrogate_modeling.surrogate.description import Member
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.baselines import Baseline, cross_fit
from surrogate_modeling.training.fold_pool import StartJob, network_of, processes_for, run_jobs
from surrogate_modeling.training.folds import FoldTraining
from surrogate_modeling.training.regression_rows import BaselineData
from surrogate_modeling.training.tree_fit import cross_fit_trees, fit_trees

# Closed forms whose fit takes as long as a training: they are tried with the networks.
TAKE_LONG = ("trees",)


class Attempt:
    """A model that is tried.

    Attributes:
        name: for people.
        model: its sizes.
        seconds: of all its fits.
        diverged: whether one of its trainings did.
        rows: free runs over cases left out (H, P), physical units, by the case's name: the mean over the starts.
    """

    def __init__(self, name: str, model: ModelConfig) -> None:
        self.name, self.model = name, model
        self.seconds, self.diverged = 0.0, False
        self.rows: dict[str, np.ndarray] = {}
        self._runs: dict[str, dict[int, np.ndarray]] = {}
        self._networks: dict[tuple[int, int], Network] = {}
        self._final: Network | None = None

    def add(self, network: Network, fold: int, start: int) -> None:
        """Keep a network that was fitted without a fold from a start; they may come in any order."""
        self._networks[start, fold] = network

    def folds(self, start: int = 0) -> list[int]:
        """Those that a network of a start was fitted without."""
        return sorted(fold for which, fold in self._networks if which == start)

    def network(self, fold: int) -> Network:
        """The network that was fitted without a fold, of the first start."""
        return self._networks[0, fold]

    def judge(self, left_out: Sequence[Case], rows: Sequence[np.ndarray], start: int = 0) -> None:
        """Keep free runs over cases left out, of the network of a start."""
        for case, each in zip(left_out, rows, strict=True):
            runs = self._runs.setdefault(case.name, {})
            runs[start] = each
            # In one order, so that the mean does not go by which start came first.
            self.rows[case.name] = each if len(runs) == 1 else np.mean([runs[i] for i in sorted(runs)], axis=0)

    def finish(self, network: Network) -> None:
        """Take a network that was fitted on all cases in place of those of the folds."""
        self._final = network

    @property
    def is_finite(self) -> bool:
        """Whether no training diverged and all free runs are finite."""
        return not self.diverged and all(np.isfinite(rows).all() for rows in self.rows.values())

    def result(self) -> tuple[Member, Network]:
        """The member of the mixture, and its network."""
        if self._final is not None:
            return Member(self.name, self.model), self._final
        networks = [self._networks[place] for place in sorted(self._networks)]
        if len(networks) == 1:
            return Member(self.name, self.model), networks[0]
        return Member(self.name, self.model, len(networks)), EnsembleNetwork(networks)


class ClosedForms:
    """Fit models that need no training, without each fold in turn and on all cases.

    Args:
        training: the cases in folds.
        baselines: whose features and penalty are kept.
        models: networks that are trained later; one that starts at the linear state space shares it.
    """

    def __init__(self, training: FoldTraining, baselines: dict[str, Baseline], models: Sequence[ModelConfig]) -> None:
        self.training, self.baselines = training, baselines
        self.linear = next((model for model in models if isinstance(model, NssConfig)), NssConfig("nss"))
        self._starts: dict[int, Surrogate] = {}
        surrogate = training.surrogate
        targets, in_len = surrogate.description.channels.target_indices, surrogate.description.in_len
        folds = training.folds
        self.data = BaselineData(
            folds.cases, [], targets, surrogate.scaling, in_len, folds=folds.parts, stretches=folds.stretches
        )

    def fit(self, name: str) -> Attempt:
        """Fit the model of a name, see :class:`~surrogate_modeling.config.models.Candidate`."""
        fits: dict[str, Callable[[], Attempt]] = {
            "persistence": self._persistence,
            "linear": lambda: self._regression("linear"),
            "quadratic": lambda: self._regression("quadratic"),
            "lss": self._linear_state_space,
            "trees": self._trees,
        }
        began = time.perf_counter()
        attempt = fits[name]()
        attempt.seconds = time.perf_counter() - began
        return attempt

    def first_look(self, name: str) -> Attempt:
        """Fit a model that takes long, see ``TAKE_LONG``, without the first fold only."""
        began = time.perf_counter()
        attempt, _ = self._trees_without(range(1))
        attempt.seconds = time.perf_counter() - began
        return attempt

    def known_start(self, model: ModelConfig, k: int) -> dict[str, Tensor] | None:
        """Closed-form weights of a network without fold k, where they were fitted before."""
        if model != self.linear or k not in self._starts:
            return None
        return {name: values.clone() for name, values in self._starts[k].network.state_dict().items()}

    def _persistence(self) -> Attempt:
        attempt = Attempt("persistence", PersistenceConfig())
        alone = self.training.single(Member(attempt.name, attempt.model))
        for k, part in enumerate(self.training.folds.parts):
            attempt.judge(part, self.training.folds.free_runs(k, alone.predict))
        attempt.finish(alone.network)
        return attempt

    def _regression(self, name: str) -> Attempt:
        baseline, without = cross_fit(self.baselines[name], self.data)
        attempt = Attempt(name, RegressionConfig(products=baseline.network.products))
        for k, (part, fitted) in enumerate(zip(self.training.folds.parts, without, strict=True)):
            attempt.judge(part, self.training.folds.free_runs(k, fitted.predict))
        attempt.finish(baseline.network)
        return attempt

    def _linear_state_space(self) -> Attempt:
        attempt = Attempt("lss", self.linear)
        parts = self.training.folds.parts
        jobs = [StartJob(self.linear, k) for k in (*range(len(parts)), None)]
        for outcome in run_jobs(self.training, jobs, processes_for(self.training, len(jobs))):
            fitted = network_of(self.training, self.linear, outcome.weights)
            if outcome.fold is None:
                attempt.finish(fitted.network)
            else:
                self._starts[outcome.fold] = fitted
                attempt.judge(parts[outcome.fold], outcome.rows)
        return attempt

    def _trees(self) -> Attempt:
        parts = self.training.folds.parts
        attempt, without = self._trees_without(range(len(parts)))
        final = fit_trees(replace(self.data, folds=(), stretches=()), without[0])
        attempt.model = TreesConfig(trees=final.trees, depth=final.depth)
        attempt.finish(final)
        return attempt

    def _trees_without(self, folds: range) -> tuple[Attempt, list[TreeRegression]]:
        """Trees fitted without each of some folds, and judged on it."""
        parts = self.training.folds.parts
        data = [
            replace(self.data, training=self.training.folds.kept(k), validation=parts[k], folds=(), stretches=())
            for k in folds
        ]
        attempt, without = Attempt("trees", TreesConfig()), cross_fit_trees(data)
        for k, fitted in zip(folds, without, strict=True):
            model = TreesConfig(trees=fitted.trees, depth=fitted.depth)
            alone = self.training.single(Member(attempt.name, model), fitted)
            attempt.judge(parts[k], self.training.folds.free_runs(k, alone.predict))
        return attempt, without
