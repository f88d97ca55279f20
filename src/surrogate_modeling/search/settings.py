"""The keys under ``hydra.sweeper``, checked before the first trial."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields
from typing import Any, NoReturn

from omegaconf import DictConfig, OmegaConf

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.experiment.assignment import OBJECTIVES, PRUNABLE
from surrogate_modeling.search.launchers import joblib_processes

DIRECTIONS = ("minimize", "maximize")
# Keys of Hydra's own Optuna plugin that mean nothing here, and what to do instead.
OF_PLUGIN = {
    "search_space": "give the ranges as hydra.sweeper.params, {settings.lr: 'interval(1e-4, 1e-2)'}",
    "custom_search_space": "code that extends the space runs with hydra/sweeper=optuna only",
}


def refuse(key: str, given: Any, allowed: str) -> NoReturn:
    """Raise the one-line refusal of one key.

    Raises:
        UserError: always.
    """
    raise UserError(f"hydra.sweeper.{key}={given}: {allowed}")


@dataclass(frozen=True)
class SearchSettings:
    """Settings of a search; ``sampler`` and ``pruner`` as written, ``storage`` a URL or None for memory."""

    params: dict[str, str]
    n_trials: int
    n_jobs: int
    objective: tuple[str, ...]
    directions: tuple[str, ...]
    study_name: str | None
    storage: str | None
    max_failure_rate: float
    sampler: Any
    pruner: Any

    @property
    def prunes(self) -> bool:
        """Whether a bad validation curve may end a trial: one objective that follows from it, smaller is better."""
        single = len(self.objective) == 1 and self.objective[0] in PRUNABLE and self.directions == ("minimize",)
        return self.pruner is not None and single


def read_settings(config: DictConfig) -> SearchSettings:
    """Read and check ``hydra.sweeper``.

    Args:
        config: the whole composed configuration, with its ``hydra`` node.

    Raises:
        UserError: a value is not allowed; the message names the key, what was given, and what is allowed.
    """
    given = config.hydra.sweeper
    _check_keys(given)
    objective, directions = as_names(given.objective), as_names(given.direction)
    unknown = [name for name in objective if name not in OBJECTIVES]
    if unknown or not objective or len(set(objective)) < len(objective):
        refuse("objective", list(objective), f"must be one or several of {', '.join(OBJECTIVES)}, each once")
    if any(direction not in DIRECTIONS for direction in directions):
        refuse("direction", list(directions), f"must be {' or '.join(DIRECTIONS)}, or a list of them")
    if len(objective) != len(directions):
        refuse(
            "direction",
            list(directions),
            f"must be one per objective: hydra.sweeper.objective={list(objective)} names {len(objective)}",
        )
    params = {} if given.params is None else OmegaConf.to_container(given.params, resolve=True)
    if not isinstance(params, dict):
        refuse(
            "params", given.params, "must be a mapping like {settings.lr: 'tag(log, interval(1e-4, 1e-2))'}, or null"
        )
    return SearchSettings(
        params={str(key): _text(value) for key, value in params.items()},
        n_trials=_whole("n_trials", given.n_trials),
        n_jobs=_jobs(config),
        objective=objective,
        directions=directions,
        study_name=_optional_name("study_name", given.study_name),
        storage=None if given.storage is None else str(given.storage),
        max_failure_rate=_share("max_failure_rate", given.max_failure_rate),
        sampler=given.sampler,
        pruner=given.pruner,
    )


def _check_keys(given: DictConfig) -> None:
    shown = [*(field.name for field in fields(SearchSettings) if field.name != "directions"), "direction"]
    known = [*shown, "_target_", "_recursive_", "trial", "parent_run"]
    for key in map(str, given):
        if key in OF_PLUGIN and given[key] is not None:
            refuse(key, given[key], OF_PLUGIN[key])
        if key not in known and key not in OF_PLUGIN:
            close = difflib.get_close_matches(key, shown, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            raise UserError(f"hydra.sweeper.{key}: no such key; {hint}known: {', '.join(shown)}")


def as_names(given: Any) -> tuple[str, ...]:
    """One name or a list of them, as a tuple."""
    return (given,) if isinstance(given, str) else tuple(str(name) for name in given or ())


def _text(value: Any) -> str:
    """A value of ``params`` as it would be typed; YAML makes lists and null out of what looks like them."""
    return "null" if value is None else str(value)


def _whole(key: str, given: Any) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        refuse(key, given, "must be a whole number from 1")
    return given


def _share(key: str, given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= 1:
        refuse(key, given, "must be a number between 0 (stop at the first failure) and 1 (never stop)")
    return float(given)


def _optional_name(key: str, given: Any) -> str | None:
    if given is not None and not str(given).strip():
        refuse(key, repr(given), "must not be empty; null makes a name from the search")
    return None if given is None else str(given)


def _jobs(config: DictConfig) -> int:
    """Trials at once: as told, else as many as the joblib launcher runs."""
    given = config.hydra.sweeper.n_jobs
    if given is not None:
        return _whole("n_jobs", given)
    return joblib_processes(config) or 1
