"""The samplers that ``hydra/sweeper/sampler=<name>`` knows, with their keys and defaults.

Hydra's own Optuna plugin has schemas of the same names, whose defaults are those of Optuna 2. Both sweepers share these
ones: every key of the plugin is here, and null leaves it to the installed Optuna.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from hydra.core.config_store import ConfigStore

# Hydra reads the annotations below, and its OmegaConf knows no other way to write them.
# ruff: noqa: UP045


@dataclass
class Tpe:
    """Tree-structured Parzen estimator: a sound choice for most searches."""

    _target_: str = "optuna.samplers.TPESampler"
    seed: Optional[int] = None
    n_startup_trials: int = 10  # random trials first
    n_ei_candidates: int = 24  # points looked at for each draw
    multivariate: Optional[bool] = None  # keys are drawn together; null: for a single objective only
    group: bool = False
    constant_liar: bool = True  # trials that are running count as bad ones, so that several do not crowd one place
    consider_prior: Optional[bool] = None
    prior_weight: Optional[float] = None
    consider_magic_clip: Optional[bool] = None
    consider_endpoints: Optional[bool] = None
    warn_independent_sampling: Optional[bool] = None


@dataclass
class Random:
    """Every point as likely as any other."""

    _target_: str = "optuna.samplers.RandomSampler"
    seed: Optional[int] = None


@dataclass
class Grid:
    """Every combination of choice(...) and range(...) once."""

    _target_: str = "optuna.samplers.GridSampler"
    # The plugin hands the space over when it knows it.
    _partial_: bool = True


@dataclass
class Cmaes:
    """Covariance matrix adaptation: many trials over continuous ranges, one objective."""

    _target_: str = "optuna.samplers.CmaEsSampler"
    seed: Optional[int] = None
    x0: Any = None  # start, key -> value
    sigma0: Optional[float] = None  # first step in each range; null: a sixth of the range
    n_startup_trials: int = 1  # random trials first
    independent_sampler: Any = None
    warn_independent_sampling: bool = True
    consider_pruned_trials: bool = False
    restart_strategy: Optional[str] = None
    inc_popsize: int = -1
    popsize: Optional[int] = None
    use_separable_cma: bool = False
    source_trials: Any = None


@dataclass
class Nsgaii:
    """Genetic algorithm (NSGA-II): several objectives and many trials."""

    _target_: str = "optuna.samplers.NSGAIISampler"
    seed: Optional[int] = None
    population_size: int = 50
    mutation_prob: Optional[float] = None  # null: one over the number of keys
    crossover_prob: float = 0.9
    swapping_prob: float = 0.5
    constraints_func: Any = None


@dataclass
class Gp:
    """Gaussian process: few, expensive trials over mostly continuous ranges."""

    _target_: str = "optuna.samplers.GPSampler"
    seed: Optional[int] = None
    n_startup_trials: int = 10  # random trials first
    deterministic_objective: bool = False


SCHEMAS: dict[str, type] = {"tpe": Tpe, "random": Random, "grid": Grid, "cmaes": Cmaes, "nsgaii": Nsgaii, "gp": Gp}


def register_samplers() -> None:
    """Make them known to Hydra, in place of the plugin's where that is installed."""
    for name, schema in SCHEMAS.items():
        ConfigStore.instance().store(group="hydra/sweeper/sampler", name=name, node=schema, provider="surrogate_search")
