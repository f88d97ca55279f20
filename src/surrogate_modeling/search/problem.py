"""The problem of a study: its search space, its objectives, its cases and the rest of its configuration.

Trials of one study are compared with each other, so a study may go on only with the problem it began with.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.composition import to_config
from surrogate_modeling.config.identity import decisive, differences, flatten
from surrogate_modeling.search.settings import SearchSettings, refuse
from surrogate_modeling.search.space import Space, to_overrides

# The validation loss is another quantity where one of these differs.
LOSS_KEYS = (
    "dataset.controls",
    "dataset.targets",
    "settings.byproduct_weight",
    "settings.criterion",
    "settings.horizon",
    "settings.out_len",
    "settings.output",
)
FREE_RUN = "settings.free_run_every"
# Keys of which every searched choice is composed.
COMPOSED = ("dataset", "+dataset", FREE_RUN, "settings.monitor")


@dataclass(frozen=True)
class Problem:
    """What makes results of trials comparable.

    Attributes:
        space: searched key -> its range, as text.
        objective: name -> direction.
        configuration: what is not searched, as ``group.key -> value``; a key that depends on a searched group has a
            line per choice, ``model.width [model=don]``.
        cases: fingerprints of the cases, by the choice that leads to them.
    """

    space: dict[str, str]
    objective: dict[str, str]
    configuration: dict[str, Any]
    cases: dict[str, str]

    def digest(self) -> str:
        """Stands for the whole problem."""
        return hashlib.sha256(json.dumps(self.flat(), sort_keys=True).encode()).hexdigest()[:8]

    def flat(self) -> dict[str, Any]:
        """All of it as ``key -> value``, as it is kept in a study."""
        return {
            **{f"objective {name}": direction for name, direction in self.objective.items()},
            **{f"range of {key}": text for key, text in self.space.items()},
            **{key: _plain(value) for key, value in self.configuration.items()},
            **{f"fingerprint of the cases{where}": text for where, text in self.cases.items()},
        }

    def differences(self, kept: Mapping[str, Any], ranges_may_change: bool) -> list[str]:
        """What differs from the problem of a study.

        Args:
            kept: :meth:`flat` of that problem.
            ranges_may_change: leave out intervals and ranges, which may be widened or narrowed within a study.
        """
        now = self.flat()
        free = [f"range of {key}" for key, text in self.space.items() if not text.startswith("Categorical")]
        ignored = {key for key in free if key in kept} if ranges_may_change else set()
        return differences(
            {key: value for key, value in kept.items() if key not in ignored},
            {key: value for key, value in now.items() if key not in ignored},
        )


class SampledConfigs:
    """Configurations of a few points of the space: the first one, and those with another group, cases or monitor.

    Args:
        config: Hydra's.
        loader: composes.
        space: what is searched.
    """

    def __init__(self, config: DictConfig, loader: ConfigLoader, space: Space) -> None:
        self.space = space
        self._config, self._loader = config, loader
        self.first = {key: _ends(distribution)[0] for key, distribution in space.searched.items()}
        # A point that composes no more fails by itself; what fails in every trial is refused here.
        self.composed: dict[str, DictConfig] = {"": self._compose(self.first)}
        self.groups = [key for key in space.searched if key.lstrip("+") in self._choices]
        for key, distribution in space.searched.items():
            kept = key in self.groups or key.startswith(COMPOSED)
            for value in _ends(distribution)[1:]:
                if not kept and type(value) is type(self.first[key]) and not isinstance(value, str):
                    continue
                try:
                    composed = self._compose({**self.first, key: value})
                except (HydraException, OmegaConfBaseException):
                    # With other choices of the groups it may compose.
                    if self.groups:
                        continue
                    raise
                if kept:
                    self.composed[f" [{key}={value}]"] = composed

    def _compose(self, point: Mapping[str, Any]) -> DictConfig:
        composed = self._loader.load_sweep_config(self._config, to_overrides(self.space, point))
        self._choices = composed.hydra.runtime.choices
        # As Hydra hands it to the task.
        with read_write(composed), open_dict(composed):
            del composed["hydra"]
        return composed

    def of_key(self, key: str) -> Iterator[tuple[str, DictConfig]]:
        """The configurations that differ in one key."""
        return ((where, config) for where, config in self.composed.items() if where.startswith(f" [{key}="))

    def decisive(self) -> dict[str, Any]:
        """What is not searched, by key; what depends on a searched group by key and choice."""
        searched = {key.lstrip("+") for key in self.space.searched}
        fixed = {k: v for k, v in decisive(flatten(self.composed[""])).items() if k not in searched}
        for key in self.groups:
            for where, config in self.of_key(key):
                own = {k: v for k, v in decisive(flatten(config)).items() if k not in searched}
                fixed |= {f"{k}{where}": v for k, v in own.items() if k not in fixed or fixed[k] != v}
        return fixed

    def fingerprints(self) -> dict[str, str]:
        """Of the cases of the first configuration that is valid, and of every searched choice of cases.

        Raises:
            UserError: no configuration is valid, or the cases cannot be read.
        """
        from surrogate_modeling.experiment.dataset import load_cases_once

        valid, refusals = {}, []
        for where, composed in self.composed.items():
            try:
                valid[where] = to_config(composed)
            except (UserError, OmegaConfBaseException) as error:
                refusals.append(error)
        if not valid:
            raise refusals[0]
        of_cases = [where for where in valid if where.startswith((" [dataset", " [+dataset"))]
        wanted = list(dict.fromkeys([next(iter(valid)), *of_cases]))
        return {where: load_cases_once(valid[where]).fingerprint for where in wanted}

    def values(self, key: str) -> list[Any]:
        """Of one key, in all of these configurations."""
        return [OmegaConf.select(config, key, default=None) for config in self.composed.values()]

    def varied(self, keys: tuple[str, ...]) -> list[str]:
        """Those of the keys that are searched, or depend on a searched group."""
        return [key for key in keys if key in self.space.searched or len(set(map(str, self.values(key)))) > 1]


def state_problem(configs: SampledConfigs, settings: SearchSettings) -> Problem:
    """The problem of a search.

    Args:
        configs: sampled from its space.
        settings: objective and directions.

    Raises:
        UserError: the objective cannot rank the trials, or the cases cannot be used.
    """
    _check_objective(configs, settings)
    space = {key: str(distribution) for key, distribution in configs.space.searched.items()}
    objective = dict(zip(settings.objective, settings.directions, strict=True))
    has_cases = "dataset" in configs.composed[""]
    return Problem(space, objective, configs.decisive(), configs.fingerprints() if has_cases else {})


def incomparable_curves(configs: SampledConfigs) -> list[str]:
    """The searched keys for which validation curves of two trials must not be compared by a pruner."""
    if varied := configs.varied(("settings.monitor",)):
        return varied
    # Anything else that is monitored is in the targets' own measure.
    return configs.varied(LOSS_KEYS) if "val_loss" in map(str, configs.values("settings.monitor")) else []


def _check_objective(configs: SampledConfigs, settings: SearchSettings) -> None:
    varied = configs.varied(LOSS_KEYS)
    if "val_loss" in settings.objective and varied:
        refuse(
            "objective",
            "val_loss",
            f"is another quantity for each value of {', '.join(varied)}, which this search varies; objectives that "
            "compare: nADE, or val_nADE with settings.free_run_every",
        )
    if "val_nADE" in settings.objective and "settings" in configs.composed[""] and None in configs.values(FREE_RUN):
        refuse("objective", "val_nADE", "needs settings.free_run_every in every trial, or take nADE")


def _ends(distribution: BaseDistribution) -> list[Any]:
    """Every choice, or both ends of a range."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    return [distribution.low, distribution.high]


def _plain(value: Any) -> Any:
    """As it comes back from JSON."""
    return json.loads(json.dumps(value, default=str))
