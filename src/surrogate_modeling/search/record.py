"""The files of a search, written however it ends (tables, pictures, the best configuration), and its run in MLflow."""

from __future__ import annotations

import hashlib
import logging
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig, OmegaConf
from optuna.trial import FrozenTrial

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.folders import remove_empty
from surrogate_modeling.common.paths import PROJECT_ROOT
from surrogate_modeling.search.page import write_search_page
from surrogate_modeling.search.pictures import draw_pictures
from surrogate_modeling.search.results import best_table, train_command, write_best_configuration, write_table
from surrogate_modeling.search.space import to_overrides
from surrogate_modeling.search.study import RECORDS, SearchStudy
from surrogate_modeling.tracking.journal import locked
from surrogate_modeling.tracking.parent import ParentRun

log = logging.getLogger(__name__)
EXPERIMENT = "settings.mlflow_exp_name"


class SearchRecord:
    """The results of a search on disk, and above its trials' runs a run of its own.

    Args:
        study: of the search.
        config: Hydra's; its task says the experiment, and without one nothing goes to MLflow.
        loader: composes the configuration of a trial.
        folder: of this command; the trials' folders lie in it.
        token: of this command; another one may have been given the same folder.
    """

    def __init__(self, study: SearchStudy, config: DictConfig, loader: ConfigLoader, folder: Path, token: str) -> None:
        self.study, self.config, self.loader = study, config, loader
        self.name = study.study.study_name
        # A continued search goes on with its run. Memory forgets, so that there each search is a new one.
        where = str(folder) if study.store.place == "memory" else study.store.place
        own = hashlib.sha256(f"{where} {self.name}".encode()).hexdigest()[:10]
        self.folder = folder / token / f"search-{own}"
        experiment = OmegaConf.select(config, EXPERIMENT)
        params = {
            "study": self.name,
            "storage": study.store.place,
            "objective": ", ".join(study.settings.objective),
            "direction": ", ".join(study.settings.directions),
        }
        # Not parameters: ranges of a study may change, and parameters of a run cannot.
        ranges = "; ".join(f"{key}: {distribution}" for key, distribution in study.space.searched.items())
        self._run = ParentRun(
            self.folder,
            None if experiment is None else str(experiment),
            f"search {self.name}",
            tags={"study": self.name, "ranges": ranges},
            params=params,
        )

    @property
    def run_id(self) -> str | None:
        """The store's name of the run, to which the trials refer."""
        return self._run.id

    @contextmanager
    def running(self) -> Iterator[None]:
        """From the first trial to the results; how it ended is the run's status."""
        # Two processes that begin at once must find one run, not make two.
        with self.study.store.locked():
            self._clear_killed()
            self._run.start()
        try:
            with self._run.recording(self._write):
                yield
        finally:
            try:
                self.study.store.patience.ask(self._note_end)
                remove_empty_above(self.folder, levels=2)
                self._log_results()
            except UserError as error:
                # How the search ended must not be hidden by it.
                log.error("%s", error)

    def _note_end(self) -> None:
        with self.study.store.locked():
            self._note_folder(begun=False)

    def _clear_killed(self) -> None:
        """Remove what killed processes left of this search's run, with which this process goes on."""
        for folder, host in self.study.study.user_attrs.get(RECORDS, {}).items():
            if host != platform.node():
                continue
            path = Path(folder)
            try:
                if path.exists():
                    locked(path).release()
            except UserError:
                # Another process of this search is at work in it.
                continue
            shutil.rmtree(path, ignore_errors=True)
            remove_empty_above(path, levels=2)
            self._note_folder(begun=False, folder=folder)
        self._note_folder(begun=True)

    def _note_folder(self, begun: bool, folder: str | None = None) -> None:
        """Keep in the study in which folders processes keep their record of it."""
        folder = folder or str(self.folder)
        known = {key: host for key, host in self.study.study.user_attrs.get(RECORDS, {}).items() if key != folder}
        self.study.study.set_user_attr(RECORDS, {**known, folder: platform.node()} if begun else known)

    def _write(self, status: str) -> dict[str, float]:
        """Write the files of the run; returns its metrics.

        Raises:
            UserError: the storage of the study does not answer.
        """
        with self.study.store.patience.once():
            best, names = self.study.best(), self.study.settings.objective
            write_table(self.folder / "trials.csv", self.study.trials(), self.study.space, names)
            if best:
                self._write_best(best[0])
            if status != "KILLED":
                draw_pictures(self.study.study, self.folder / "pictures", names)
            write_search_page(self.study, self.config, self.folder, status)
            return {f"best_{name}": value for name, value in zip(names, best[0].values, strict=True)} if best else {}

    def _write_best(self, trial: FrozenTrial) -> None:
        space = self.study.space
        composed = self.loader.load_sweep_config(self.config, to_overrides(space, trial.params))
        values = ", ".join(f"{n} {v:.6g}" for n, v in zip(self.study.settings.objective, trial.values, strict=True))
        head = [
            f"Trial {trial.number} of the search {self.name}: {values}. To train it:",
            "pdm run train --config-dir <folder of this file> --config-name best",
        ]
        write_best_configuration(self.folder / "best.yaml", composed, head)

    def _log_results(self) -> None:
        best = self.study.store.patience.ask(self.study.best)
        space, objective = self.study.space, self.study.settings.objective
        if best:
            title = "Pareto front" if len(objective) > 1 else "best trials"
            log.info("%s of %s:\n%s", title, self.name, best_table(best, space, objective))
            log.info("train trial %d again:\n  %s", best[0].number, train_command(self.config, space, best[0]))
        else:
            log.warning("no trial of %s is complete", self.name)
        if self._run.place:
            log.info("table of the trials, best.yaml and pictures are in %s", self._run.place)


def remove_empty_above(folder: Path, levels: int) -> None:
    """Remove folders that are empty now: so many above a given one, and that of the day.

    Args:
        folder: of a trial, or of a search's record.
        levels: up to the folder of the command.
    """
    remove_empty(folder.parent, levels=levels)
    for day in folder.parents:
        if day.parent == PROJECT_ROOT / "hydra_experiment":
            remove_empty(day)
