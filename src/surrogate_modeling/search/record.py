"""What a search leaves at its end, however it ends: tables, pictures, the best configuration, its run in MLflow."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig, OmegaConf
from optuna.trial import FrozenTrial

from surrogate_modeling.search.pictures import draw_pictures
from surrogate_modeling.search.results import best_table, train_command, write_best, write_table
from surrogate_modeling.search.space import to_overrides
from surrogate_modeling.search.study import SearchStudy
from surrogate_modeling.tracking import parent
from surrogate_modeling.tracking.run import Run

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
        self.folder = folder / token / f"search-{hashlib.sha256(f'{where} {self.name}'.encode()).hexdigest()[:10]}"
        self.run_id: str | None = None
        self._run: Run | None = None

    def start(self) -> None:
        """Begin the run, or go on with it."""
        self.folder.mkdir(parents=True)
        experiment = OmegaConf.select(self.config, EXPERIMENT)
        if experiment is None:
            return
        settings = self.study.settings
        params = {
            "study": self.name,
            "storage": self.study.store.place,
            "objective": ", ".join(settings.objective),
            "direction": ", ".join(settings.directions),
            **{key: str(distribution) for key, distribution in self.study.space.searched.items()},
        }
        # Two processes that begin at once must find one run, not make two.
        with self.study.store.locked():
            self._run = Run.start(
                self.folder, str(experiment), f"search {self.name}", {"study": self.name}, params, self.folder.name
            )
            self.run_id = parent.run_id(self.folder)

    @contextmanager
    def running(self) -> Iterator[None]:
        """From the first trial to the results; how it ended is the run's status."""
        self.start()
        status = "FAILED"
        try:
            yield
            status = "FINISHED"
        except KeyboardInterrupt:
            status = "KILLED"
            raise
        finally:
            self._finish(status)

    def _finish(self, status: str) -> None:
        best = self.study.best()
        objective = self.study.settings.objective
        write_table(self.folder / "trials.csv", self.study.trials(), self.study.space, objective)
        if best:
            self._write_best(best[0])
        if status != "KILLED":
            draw_pictures(self.study.study, self.folder / "pictures", objective)
        if self._run and best:
            values = zip(objective, best[0].values, strict=True)
            self._run.log_metrics({f"best_{name}": value for name, value in values})
        place = self._run.finish(status) if self._run else str(self.folder)
        parent.clear_sent(self.folder)
        self._say(best, place)
        # What is in the store by now leaves no empty folders behind.
        for empty in (self.folder.parent, self.folder.parent.parent):
            if not any(empty.iterdir()):
                empty.rmdir()

    def _write_best(self, trial: FrozenTrial) -> None:
        space = self.study.space
        composed = self.loader.load_sweep_config(self.config, to_overrides(space, trial.params))
        found = ", ".join(f"{n} {v:.6g}" for n, v in zip(self.study.settings.objective, trial.values, strict=True))
        head = [
            f"Trial {trial.number} of the search {self.name}: {found}. To train it:",
            "pdm run train --config-dir <folder of this file> --config-name best",
        ]
        write_best(self.folder / "best.yaml", composed, head)

    def _say(self, best: list[FrozenTrial], place: str | None) -> None:
        space, objective = self.study.space, self.study.settings.objective
        if not best:
            log.warning("no trial of %s is complete", self.name)
        elif len(objective) > 1:
            log.info("Pareto front of %s:\n%s", self.name, best_table(best, space, objective))
        else:
            log.info("best trials of %s:\n%s", self.name, best_table(best, space, objective))
        if best:
            log.info("train trial %d again:\n  %s", best[0].number, train_command(space, best[0]))
        if place:
            log.info("table of the trials, best.yaml and pictures are in %s", place)
        else:
            log.warning(
                "the tracking store could not be reached; send the search with:\n  pdm run send %s", self.folder
            )
