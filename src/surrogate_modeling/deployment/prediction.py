"""Predict trajectories for control schedules, a chunk of files at a time.

Memory does not grow with the number of schedules: only scores are kept of a predicted case, and trajectories of the
first cases with truth, for the figure of the errors.

Shape letters: T rows of a case, H predicted rows, P predicted columns.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.groups import read_groups
from surrogate_modeling.cases.problems import MAX_LISTED_PROBLEMS, Problem, file_refusal
from surrogate_modeling.cases.schedules import Schedule, read_chunks
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.progress import track
from surrogate_modeling.common.wording import counted, names_and_rest
from surrogate_modeling.config.commands import PredictConfig
from surrogate_modeling.deployment.excursions import ExcursionTable, find_excursions
from surrogate_modeling.deployment.loading import demands_of, say_mean_unit
from surrogate_modeling.evaluation.error_analysis import analyse, worst_table
from surrogate_modeling.evaluation.report import (
    ReportOptions,
    ScoredCases,
    case_curves,
    target_sheets,
    write_bands,
    write_case_tables,
    write_errors,
    write_figures,
    write_losses,
    write_predictions,
)
from surrogate_modeling.evaluation.scores import Scores, joined, score
from surrogate_modeling.evaluation.tables import summary_table
from surrogate_modeling.surrogate.band import HOLDS, LEVEL, BandScope, existing
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.surrogate.training_range import Range

log = logging.getLogger(__name__)
# More lines about the range on the screen than this are no help; the table has all.
MAX_LOGGED_EXCURSIONS = 10
# Numbers of all cases together whose errors are analysed: some 100 MB, twice while the picture is drawn.
MAX_ANALYSED_VALUES = 30_000_000


# Rows (H, P) of each case, and the half-widths of their band if there is one.
Predicted = tuple[list[np.ndarray], list[np.ndarray] | None]


@dataclass
class Tally:
    """Running totals over the chunks."""

    problems: list[Problem] = field(default_factory=list)
    scored: list[Scores] = field(default_factory=list)
    analysed: list[tuple[Case, np.ndarray]] = field(default_factory=list)
    analysed_values: int = 0
    diverged: list[str] = field(default_factory=list)
    predicted: int = 0
    figures: int = 0
    shown: int = 0
    impossible: int = 0
    simulated_seconds: float = 0.0
    seconds: float = 0.0


def predict_files(surrogate: Surrogate, files: Sequence[Path], output: Path, config: PredictConfig) -> None:
    """Predict every schedule, write the results, and log how far they can be trusted.

    Args:
        surrogate: on the device that is to predict.
        files: schedules.
        output: folder, exists.
        config: checked.

    Raises:
        UserError: there is no band to give, or some files could not be predicted; the others were.
    """
    _log_band(surrogate, config.band)
    tally, unit_of = Tally(), units_of(surrogate, files, config)
    with ExcursionTable(output / "range.csv") as table:
        finished = _predict_chunks(surrogate, files, output, config, table, tally, unit_of)
        for _ in track(finished, len(files), "predicting", config.progress_bar):
            pass
    scores = joined(tally.scored) if tally.scored else None
    if scores:
        write_losses(output / "loss", scores)
        _write_errors(surrogate, scores, tally, output)
    _log_summary(tally, scores, table, output)
    if tally.problems:
        used = f"; the other {tally.predicted} were predicted" if tally.predicted else ""
        raise file_refusal(config.cases, tally.problems, used, MAX_LISTED_PROBLEMS)


def units_of(surrogate: Surrogate, files: Sequence[Path], config: PredictConfig) -> dict[str, str]:
    """The unit of each schedule by its name, as configured; logs which are new.

    Raises:
        UserError: the surrogate knows no units, the typed one is not among them, or the file of groups does not do.
    """
    names, known = [file.stem for file in files], surrogate.known_units
    key = f"groups={config.groups}" if config.groups is not None else f"unit={config.unit}"
    if config.groups is None and config.unit is None:
        say_mean_unit(surrogate, "name them by groups=<a CSV> or unit=<name>")
        return {}
    if not known:
        raise UserError(f"{key}: this surrogate knows no units; dataset.groups names them for training")
    if config.groups is None:
        assert config.unit is not None
        surrogate.require_unit(config.unit)
        return dict.fromkeys(names, config.unit)
    units = read_groups(config.groups, names, "groups")
    if new := sorted(set(units.values()) - set(known)):
        log.warning(
            "new units are predicted as the mean unit, with the band of known ones, which is too narrow for them: %s",
            names_and_rest(new, MAX_LOGGED_EXCURSIONS),
        )
    return units


def _predict_chunks(
    surrogate: Surrogate,
    files: Sequence[Path],
    output: Path,
    config: PredictConfig,
    table: ExcursionTable,
    tally: Tally,
    unit_of: Mapping[str, str],
) -> Iterator[None]:
    """Predict chunk by chunk; yields once per finished file."""
    description = surrogate.description
    demands = demands_of(description, config.max_gap, config.parameters)
    for schedules, problems in read_chunks(files, demands, config.workers):
        tally.problems += problems
        if schedules:
            cases = [replace(schedule.case, unit=unit_of.get(schedule.case.name)) for schedule in schedules]
            started = time.perf_counter()
            predicted, half_widths = _predict(surrogate, cases, config.band or BandScope.row)
            tally.seconds += time.perf_counter() - started
            tally.simulated_seconds += sum(len(rows) for rows in predicted) * description.step
            tally.predicted += len(cases)
            tally.diverged += [c.name for c, rows in zip(cases, predicted, strict=True) if not np.isfinite(rows).all()]
            tally.shown = _log_excursions(surrogate, cases, predicted, table, tally.shown)
            _log_impossible(surrogate, cases, tally)
            _write_chunk(surrogate, schedules, (predicted, half_widths), output, config, tally)
        yield from [None] * (len(schedules) + len({problem.file for problem in problems}))


def _predict(surrogate: Surrogate, cases: Sequence[Case], scope: BandScope) -> Predicted:
    """Free run of cases once, and the half-widths of the band where the surrogate has one."""
    if surrogate.band is None:
        return surrogate.predict(cases), None
    rows, spreads = surrogate.predict_spread(cases)
    return rows, surrogate.band.half_widths(spreads, scope)


def _log_band(surrogate: Surrogate, scope: BandScope | None) -> None:
    """Say what the band that was asked for promises.

    Raises:
        UserError: the surrogate has none.
    """
    if scope is not None:
        band = existing(surrogate.band, f"band={scope}: ")
        log.info(
            "band/ and figures: the band that is to hold %s with probability %.0f %%, set by %d cases",
            HOLDS[scope], 100 * band.level, band.cases,
        )  # fmt: skip


def _log_excursions(
    surrogate: Surrogate, cases: Sequence[Case], predicted: Sequence[np.ndarray], table: ExcursionTable, shown: int
) -> int:
    """Write every excursion to the table, and the first few to the log; returns how many were logged so far."""
    training = Range.of(surrogate.description.channels, surrogate.scaling)
    for case, rows in zip(cases, predicted, strict=True):
        for excursion in find_excursions(case, rows, training, surrogate.description.given_rows):
            table.add(excursion)
            # What is predicted beyond the range is in the table; most often it follows from inputs that are.
            if excursion.what != "predicted" and shown < MAX_LOGGED_EXCURSIONS:
                log.warning("%s", excursion)
                shown += 1
    return shown


def _log_impossible(surrogate: Surrogate, cases: Sequence[Case], tally: Tally) -> None:
    """Say which schedules, of which the first few by name, have states of switches that no training case has."""
    for case in cases:
        if found := surrogate.training_range.switches.impossible(case):
            tally.impossible += 1
            if tally.impossible <= MAX_LOGGED_EXCURSIONS:
                log.warning("%s: %s", case.name, "; ".join(found))


def _write_chunk(
    surrogate: Surrogate,
    schedules: Sequence[Schedule],
    prediction: Predicted,
    output: Path,
    config: PredictConfig,
    tally: Tally,
) -> None:
    """Write trajectories, figures while there is room for them, and scores where the truth is given."""
    channels, (predicted, half_widths) = surrogate.description.channels, prediction
    cases = [schedule.case for schedule in schedules]
    options = ReportOptions(config.workers, progress_bar=False)
    write_predictions(output / "csv", cases, predicted, channels, options)
    if half_widths is not None:
        write_bands(output / "band", cases, list(zip(predicted, half_widths, strict=True)), channels, options)
    scores = score(cases, predicted, channels, surrogate.predicted_scale)
    has_truth = np.array([schedule.has_truth for schedule in schedules])
    scores.ade[~has_truth] = scores.fde[~has_truth] = np.nan
    room = None if config.num_figures is None else config.num_figures - tally.figures
    level = surrogate.band.level if surrogate.band else LEVEL
    # Only figures show the positions; of thousands of schedules most are not drawn.
    positions = None if room == 0 else [surrogate.position(case) for case in cases]
    scored = ScoredCases(cases, predicted, scores, half_widths, level, positions)
    curves = case_curves(output / "figure", scored)
    drawn = curves[:room]
    write_figures([*drawn, *target_sheets(curves, drawn, channels.targets)], options)
    tally.figures += len(drawn)
    if has_truth.any():
        tally.scored.append(scores.subset(has_truth))
        write_case_tables(output / "figure", tally.scored[-1])
        _keep(tally, [(cases[i], predicted[i]) for i in np.flatnonzero(has_truth).tolist()])


def _keep(tally: Tally, pairs: Sequence[tuple[Case, np.ndarray]]) -> None:
    """Keep cases and predictions for the error analysis, at least one, up to the limit."""
    for case, rows in pairs:
        size = case.values.size + rows.size
        if tally.analysed and tally.analysed_values + size > MAX_ANALYSED_VALUES:
            tally.analysed_values = MAX_ANALYSED_VALUES  # Those that are kept are the first ones, with no gap.
            return
        tally.analysed.append((case, rows))
        tally.analysed_values += size


def _write_errors(surrogate: Surrogate, scores: Scores, tally: Tally, output: Path) -> None:
    """Write ``errors.png`` and ``errors.csv`` of the kept cases, and log the worst of them."""
    count = len(tally.analysed)
    first = scores.subset(np.arange(len(scores.cases)) < count)
    cases, predicted = zip(*tally.analysed, strict=True)
    analysis = analyse(cases, predicted, first, [surrogate.position(case) for case in cases])
    write_errors(output, analysis)
    log.info("worst cases:\n%s", worst_table(analysis))
    if count < len(scores.cases):
        log.warning(
            "errors.png, errors.csv and the worst cases are of the first %d of %s with the truth; loss/ has all",
            count, counted(len(scores.cases), "schedule"),
        )  # fmt: skip


def _log_summary(tally: Tally, scores: Scores | None, table: ExcursionTable, output: Path) -> None:
    if table.input_cases:
        log.warning(
            "the inputs of %d of %s leave the training range of their columns; every column, time and amount "
            "is in %s", len(table.input_cases), counted(tally.predicted, "schedule"), output / "range.csv",
        )  # fmt: skip
    if tally.impossible:
        log.warning(
            "%d of %d schedules have states that no training case has, between off and on, or with no mode or several "
            "at once; correct them: their prediction means nothing", tally.impossible, tally.predicted,
        )  # fmt: skip
    if tally.predicted and not table.input_cases and not tally.impossible:
        log.info("no input leaves the training range of its column")
    if table.cases["predicted"]:
        log.info(
            "the prediction itself leaves such a range somewhere in %s (%s)",
            counted(len(table.cases["predicted"]), "schedule"), output / "range.csv",
        )  # fmt: skip
    if tally.diverged:
        log.warning(
            "the free run diverged in %s: %s",
            counted(len(tally.diverged), "schedule"),
            names_and_rest(tally.diverged, 20),
        )
    if scores:
        log.info("against the truth, which %d of them hold:\n%s", len(scores.cases), summary_table(scores, {}))
    if tally.predicted:
        log.info(
            "%s of together %.4g s in %.3g s, %.4g times faster than real time: %s",
            counted(tally.predicted, "schedule"), tally.simulated_seconds, tally.seconds,
            tally.simulated_seconds / tally.seconds, output,
        )  # fmt: skip
