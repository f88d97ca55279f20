"""The report page of a search."""

from __future__ import annotations

import logging
import warnings
from functools import partial
from pathlib import Path

import optuna
from omegaconf import DictConfig, OmegaConf
from optuna.trial import FrozenTrial, TrialState

from surrogate_modeling.reporting.content import write_page_or_warning
from surrogate_modeling.reporting.search_report import SearchFacts, TrialFacts, search_content
from surrogate_modeling.search.pictures import FEWEST_FOR_IMPORTANCE
from surrogate_modeling.search.results import train_command
from surrogate_modeling.search.study import REASON, SearchStudy

log = logging.getLogger(__name__)
LANGUAGE = "settings.language"


def write_search_page(study: SearchStudy, config: DictConfig, folder: Path, status: str) -> None:
    """Write ``report.html`` of a search; what fails there is a warning, because no result depends on it.

    Args:
        study: of the search.
        config: Hydra's.
        folder: of the record, which holds ``best.yaml``.
        status: how the search ended.

    Raises:
        NotWritten: the disk is full.
    """
    language = str(OmegaConf.select(config, LANGUAGE, default=None) or "en")
    write_page_or_warning(folder, lambda: search_content(_facts(study, config, folder, status)), language)


def _facts(study: SearchStudy, config: DictConfig, folder: Path, status: str) -> SearchFacts:
    best, yaml = study.best(), folder / "best.yaml"
    settings = study.settings
    return SearchFacts(
        name=study.study.study_name,
        status=status,
        objective=list(settings.objective),
        directions=list(settings.directions),
        keys=list(study.space.searched),
        trials=[_trial(trial) for trial in study.trials()],
        best=[trial.number for trial in best] if len(settings.objective) > 1 else [t.number for t in best[:1]],
        importance=_importance(study) if status != "KILLED" else {},
        best_yaml=yaml.read_text(encoding="utf-8") if yaml.exists() else "",
        command=train_command(config, study.space, best[0]) if best else "",
        wanted=study.target,
        storage=str(study.store.place),
    )


def _trial(trial: FrozenTrial) -> TrialFacts:
    complete = trial.state is TrialState.COMPLETE
    return TrialFacts(
        number=trial.number,
        state=trial.state.name,
        values=[float(value) for value in trial.values] if complete and trial.values else None,
        params=trial.params,
        seconds=trial.duration.total_seconds() if trial.duration else None,
        reason=str(trial.user_attrs.get(REASON, "")),
    )


def _importance(study: SearchStudy) -> dict[str, dict[str, float]]:
    """Importance of the searched keys for each objective, as Optuna's picture of it has it."""
    complete = [trial for trial in study.trials() if trial.state is TrialState.COMPLETE]
    varied = [key for key in study.space.searched if len({repr(t.params.get(key)) for t in complete}) > 1]
    if len(complete) < FEWEST_FOR_IMPORTANCE or len(varied) < 2:
        return {}
    found = {}
    for i, name in enumerate(study.settings.objective):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                target = partial(_value, i)
                shares = optuna.importance.get_param_importances(study.study, target=target, params=varied)
        except Exception as error:  # equal values of all trials, or keys that not every trial has
            log.debug("importance for %s: %s", name, error)
            continue
        found[name] = {key: float(share) for key, share in shares.items()}
    return found


def _value(i: int, trial: FrozenTrial) -> float:
    return float(trial.values[i])
