"""Train every pair that has no result yet, each as a run of its own below the run of the comparison."""

from __future__ import annotations

import hashlib
import logging
import secrets
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from omegaconf import OmegaConf

from surrogate_modeling.cases.case import CaseSet
from surrogate_modeling.common.console import logged, quiet_console
from surrogate_modeling.common.errors import TrainingDiverged, UserError
from surrogate_modeling.common.wording import counted
from surrogate_modeling.comparison.counts import check_counts, count_cases
from surrogate_modeling.comparison.pairs import Pair, refuse_twins
from surrogate_modeling.comparison.report import Report
from surrogate_modeling.comparison.results import Numbers, Result, Status, read_result, write_result
from surrogate_modeling.config.commands import CompareConfig
from surrogate_modeling.experiment.assignment import Assignment
from surrogate_modeling.experiment.dataset import load_cases_once
from surrogate_modeling.experiment.recording import device_name, git_commit
from surrogate_modeling.experiment.result import Evaluation, RunResult
from surrogate_modeling.experiment.run import run_experiment
from surrogate_modeling.surrogate.device import choose_device
from surrogate_modeling.tracking.journal import JOURNAL, locked
from surrogate_modeling.tracking.parent import ParentRun, clear_sent

log = logging.getLogger(__name__)
# Scores of pairs that differ in these are over different rows or cases.
SAME_ROWS = (
    "settings.in_len",
    "settings.use_decimate",
    "settings.decimate_range",
    "settings.decimate",
    "settings.is_debug",
)


def compare(
    config: CompareConfig, pairs: Sequence[Pair], output: Path, document: Path | None, typed: Sequence[str]
) -> None:
    """Train every pair that has no result yet, and write the table after each.

    Args:
        config: of the command.
        pairs: every training.
        output: folder of the comparison.
        document: to paste the table into, if any.
        typed: the command's arguments, for the record.

    Raises:
        UserError: another process is at work in the folder, or the cases cannot be used.
        KeyboardInterrupt: stopped; the same command goes on.
    """
    lock = locked(output)
    try:
        with logged(output / "compare.log"), quiet_console():
            _warn_of_differences(pairs)
            Comparison(config, pairs, output, Report(config, output, document, typed)).run()
    finally:
        lock.release()


class Comparison:
    """The pairs of a comparison and their results.

    Args:
        config: of the command.
        pairs: every training.
        output: folder of the comparison.
        report: writes the table.
    """

    def __init__(self, config: CompareConfig, pairs: Sequence[Pair], output: Path, report: Report) -> None:
        self.config, self.pairs, self.output, self.report = config, pairs, output, report
        self.digests: dict[Pair, str] = {}
        self.results: dict[str, Result] = {}
        self.seconds: list[float] = []

    def run(self) -> None:
        """Train what is missing.

        Raises:
            UserError: the cases cannot be used, are too few for the fractions, or two pairs are one training.
        """
        check_counts(self.pairs)
        for pair in self.pairs:
            digest = pair.digest(load_cases_once(pair.config).fingerprint)
            if (known := read_result(self._result_file(digest))) is not None:
                # Text of an entry does not change the result: the table calls it as this command does.
                self.results[digest] = replace(known, model=pair.model, recipe=pair.recipe)
            self.digests[pair] = digest
        refuse_twins(self.digests)
        missing = [pair for pair in self.pairs if not self._is_known(pair)]
        log.info("%s, %d of them done; results in %s", counted(len(self.pairs), "training"),
                 len(self.pairs) - len(missing), self.output)  # fmt: skip
        if not missing:
            self._log_table(self.report.write(self._results()))
            return
        parent = self._parent_run()
        parent.start()
        with parent.recording(lambda status: self._write_files(parent, status)):
            for i, pair in enumerate(missing):
                self._announce(pair, i, len(missing))
                started = time.monotonic()
                self.results[self.digests[pair]] = result = self._train(pair, parent.id)
                self.seconds.append(time.monotonic() - started)
                self.report.write(self._results())
                _log_result(result)

    def _is_known(self, pair: Pair) -> bool:
        known = self.results.get(self.digests[pair])
        return known is not None and known.status is not Status.failed

    def _results(self) -> list[Result]:
        return [self.results[digest] for pair in self.pairs if (digest := self.digests[pair]) in self.results]

    def _result_file(self, digest: str) -> Path:
        return self.output / "results" / f"{digest}.json"

    def _announce(self, pair: Pair, done: int, count: int) -> None:
        left = ""
        if self.seconds:
            minutes = sum(self.seconds) / len(self.seconds) * (count - done) / 60
            left = f"; about {minutes:.0f} min left" if minutes >= 1 else "; less than a minute left"
        log.info("training %d of %d: %s%s", done + 1, count, pair, left)

    def _parent_run(self) -> ParentRun:
        """The run of the comparison in the store, to which the trainings' runs refer."""
        own = hashlib.sha256(str(self.output).encode()).hexdigest()[:10]
        tags = {
            "comparison": self.output.name,
            "mlflow.source.name": "compare.py",
            "mlflow.source.type": "LOCAL",
            # Not parameters: another selection of pairs in the same folder has others, and a run cannot change those.
            "models": ", ".join(dict.fromkeys(pair.model for pair in self.pairs)),
            "recipes": ", ".join(dict.fromkeys(pair.recipe for pair in self.pairs)),
            "seeds": ", ".join(map(str, self.config.seeds)),
            "fractions": ", ".join(f"{fraction:g}" for fraction in sorted(self.config.fractions)),
            "minutes": str(self.config.minutes),
        }
        folder = self.output / ".record" / secrets.token_hex(3) / f"compare-{own}"
        experiment = self.pairs[0].config.settings.mlflow_exp_name
        return ParentRun(folder, experiment, f"compare {self.output.name}", tags=tags, params={})

    def _write_files(self, parent: ParentRun, status: str) -> dict[str, float]:
        """Write the table a last time, with copies for the store; returns the metrics of the comparison."""
        if status == "KILLED":
            log.warning("stopped; the same command goes on")
        self._log_table(self.report.write(self._results()))
        for path in self.report.files:
            shutil.copy(path, parent.folder)
        return self.report.metrics(self._results())

    def _log_table(self, table: str) -> None:
        files = ", ".join(path.name for path in self.report.files) or "nothing yet"
        log.info("%s\nin %s: %s", table, self.output, files)

    def _train(self, pair: Pair, parent: str | None) -> Result:
        case_set = load_cases_once(pair.config)
        folder = self._run_folder(pair)
        result = Result(
            pair.model, pair.recipe, pair.seed, Status.failed, fraction=pair.fraction, run=folder.name,
            commit=git_commit(), device=device_name(choose_device(pair.config.settings).type),
        )  # fmt: skip
        try:
            outcome = self._run(pair, case_set, folder, parent)
        except Exception as error:
            # Nothing was begun: the cases or the split do not do, for this pair as for any other.
            if isinstance(error, UserError) and not (folder / JOURNAL).exists():
                shutil.rmtree(folder, ignore_errors=True)
                raise
            diverged = isinstance(error, TrainingDiverged)
            reason = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            result = replace(result, status=Status.diverged if diverged else Status.failed, reason=reason)
        else:
            learnt = count_cases(pair, pair.fraction)
            result = replace(result, cases=learnt.network, baseline_cases=learnt.baselines, pool=learnt.pool)
            result = _measured(result, outcome)
        write_result(self._result_file(self.digests[pair]), result)
        if result.status is not Status.failed:
            clear_sent(folder)
        return result

    def _run(self, pair: Pair, case_set: CaseSet, folder: Path, parent: str | None) -> RunResult:
        settings = pair.config.settings
        # Figures of all trainings together are thousands: only where their number is given.
        config = replace(pair.config, settings=replace(settings, num_figures=settings.num_figures or 0))
        tags = {"mlflow.source.name": "compare.py", "comparison": self.output.name}
        tags |= {"mlflow.parentRunId": parent} if parent else {}
        # A training that was cut short would not compare with the others.
        assignment = Assignment(("nADE",), tags, name=str(pair), keeps_on_interrupt=False)
        with logged(folder / "train.log"):
            return run_experiment(config, case_set, folder, assignment)

    def _run_folder(self, pair: Pair) -> Path:
        """The folder of a run that was stopped, or a new one."""
        digest = self.digests[pair]
        stopped = sorted((self.output / "runs").glob(f"*-{digest}-*"))
        if stopped:
            return stopped[0]
        name = f"{pair.config.model.name}-{pair.seed}-{digest}-{secrets.token_hex(3)}"
        folder = self.output / "runs" / name
        (folder / ".hydra").mkdir(parents=True)
        OmegaConf.save(pair.composed, folder / ".hydra" / "config.yaml")
        return folder


def _measured(result: Result, outcome: RunResult) -> Result:
    trained = outcome.surrogate
    return replace(
        result,
        # A small training may have been given to the CPU.
        device=result.device if trained is None else device_name(trained.device.type),
        status=Status.done,
        numbers=_numbers(outcome.network),
        validation=outcome.objective["nADE"],
        epochs=outcome.epochs,
        weights=outcome.weights,
        test_cases=len(outcome.network.scores.cases),
        baselines={name: _numbers(evaluation) for name, evaluation in outcome.baselines.items()},
    )


def _numbers(evaluation: Evaluation) -> Numbers:
    scores = evaluation.scores
    scale = {name: float(scores.scale[scores.channels.predicted.index(name)]) for name in scores.channels.targets}
    targets = {name: float(scores.column(name)[0].mean() / scale[name]) for name in scale}
    return Numbers(
        nade=scores.nade,
        nfde=scores.nfde,
        targets=targets,
        fit_seconds=evaluation.fit_seconds,
        seconds_per_case=evaluation.seconds_per_case,
        parameters=evaluation.parameters,
        diverged_cases=len(scores.diverged),
        scale=scale,
    )


def _log_result(result: Result) -> None:
    if result.numbers is None:
        log.warning("%s: %s", result.status.value, result.reason)
        return
    numbers = result.numbers
    log.info("nADE %.4f, nFDE %.4f after %s, %.0f s", numbers.nade, numbers.nfde, counted(result.epochs, "epoch"),
             numbers.fit_seconds)  # fmt: skip


def _warn_of_differences(pairs: Sequence[Pair]) -> None:
    flats = [pair.config.flat() for pair in pairs]
    # The test cases are the same for every fraction.
    keys = [key for key in flats[0] if key in SAME_ROWS or key.startswith("dataset.")]
    keys = [key for key in keys if key != "dataset.training_fraction"]
    differing = [key for key in keys if len({str(flat[key]) for flat in flats}) > 1]
    if differing:
        log.warning("the pairs differ in %s: their scores are over different rows or cases", ", ".join(differing))
