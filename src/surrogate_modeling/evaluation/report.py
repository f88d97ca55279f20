"""Write the files of a run or a prediction: predicted CSVs, bands, figures, and error tables.

Shape letters: T rows of a case, H predicted rows, P predicted columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.cases.writer import write_case
from surrogate_modeling.common.atomic_file import write_atomic
from surrogate_modeling.common.cores import cores
from surrogate_modeling.common.file_names import file_names
from surrogate_modeling.common.progress import track
from surrogate_modeling.common.tables import aligned, csv_text, printable
from surrogate_modeling.common.wording import column_title
from surrogate_modeling.evaluation.curve_axes import Curve
from surrogate_modeling.evaluation.error_analysis import ErrorAnalysis, errors_csv
from surrogate_modeling.evaluation.error_figure import draw_errors
from surrogate_modeling.evaluation.figures import Sheet, draw_figures, picture_or_warning
from surrogate_modeling.evaluation.scores import Scores
from surrogate_modeling.surrogate.band import LEVEL
from surrogate_modeling.surrogate.training_range import Position

# Figure of a case with all its targets.
SHEET_NAME = "targets"
# More would be no picture to look at, and take seconds to draw.
MAX_SHEET_CURVES = 30


@dataclass(frozen=True)
class ScoredCases:
    """Cases with truth, prediction and scores, all in one order.

    Attributes:
        cases: with the truth, NaN where it is missing.
        rows: predicted, (H, P) per case, physical units.
        scores: of the same cases.
        half_widths: of the band around the prediction, (H, P) per case.
        level: nominal probability of the band.
        positions: how far each case is from the training cases, which figures mark; None if unknown.
    """

    cases: Sequence[Case]
    rows: Sequence[np.ndarray]
    scores: Scores
    half_widths: Sequence[np.ndarray] | None = None
    level: float = LEVEL
    positions: Sequence[Position] | None = None


@dataclass(frozen=True)
class ReportOptions:
    """Options of writing a report.

    Attributes:
        workers: cores; None for all.
        num_figures: maximum number of figures, targets of the worst cases first; None for every case and column.
        progress_bar: show bars on a terminal.
        figure_format: ending of the figures' files.
    """

    workers: int | None = None
    num_figures: int | None = None
    progress_bar: bool = True
    figure_format: str = "png"


def write_report(folder: Path, predicted: ScoredCases, options: ReportOptions) -> None:
    """Write ``csv/``, ``loss/`` and ``figure/`` into a run's folder, and ``band/`` for a surrogate with a band."""
    channels = predicted.scores.channels
    if predicted.half_widths is not None:
        bands = list(zip(predicted.rows, predicted.half_widths, strict=True))
        write_bands(folder / "band", predicted.cases, bands, channels, options)
    write_predictions(folder / "csv", predicted.cases, predicted.rows, channels, options)
    write_losses(folder / "loss", predicted.scores)
    curves = case_curves(folder / "figure", predicted, options.figure_format)
    drawn = curves[: options.num_figures]
    write_figures([*drawn, *target_sheets(curves, drawn, channels.targets)], options)
    write_case_tables(folder / "figure", predicted.scores)


def write_figures(figures: Sequence[Curve | Sheet], options: ReportOptions) -> None:
    """Draw every figure and write it to its path."""
    for path in {figure.path.parent for figure in figures}:
        path.mkdir(parents=True, exist_ok=True)
    for _ in track(draw_figures(figures, options.workers), len(figures), "drawing figures", options.progress_bar):
        pass


def target_sheets(curves: Sequence[Curve], drawn: Sequence[Curve], targets: Sequence[str]) -> list[Sheet]:
    """One sheet with the targets, at most ``MAX_SHEET_CURVES``, for each case of which a curve is drawn."""
    wanted = dict.fromkeys(curve.path.parent for curve in drawn)
    of_case: dict[Path, list[Curve]] = {folder: [] for folder in wanted}
    for curve in curves:
        if curve.column in set(targets) and curve.path.parent in of_case:
            of_case[curve.path.parent].append(curve)
    return [
        Sheet(folder / f"{SHEET_NAME}{found[0].path.suffix}", tuple(found[:MAX_SHEET_CURVES]), len(found))
        for folder, found in of_case.items() if found
    ]  # fmt: skip


def write_errors(folder: Path, analysis: ErrorAnalysis) -> None:
    """Write ``errors.png`` and ``errors.csv``, the error analysis."""
    write_atomic(folder / "errors.csv", errors_csv(analysis).encode(), durable=False)
    picture = picture_or_warning("errors.png", lambda: draw_errors(analysis))
    if picture is not None:
        write_atomic(folder / "errors.png", picture, durable=False)


def write_predictions(
    folder: Path, cases: Sequence[Case], predicted: Sequence[np.ndarray], channels: Channels, options: ReportOptions
) -> None:
    """Write the predicted rows of each case to ``<case>.csv``, in the case format: a prediction reads as a case."""
    units = {name: channels.units[name] for name in (*channels.controls, *channels.predicted)}

    def values(case: int) -> np.ndarray:
        """Controls and predicted columns of one case (H, F)."""
        rows = predicted[case]
        return np.hstack((cases[case].controls[-len(rows) :], rows))

    _write_cases(CaseFiles(folder, units, cases, values), "writing predicted CSVs", options)


def write_bands(
    folder: Path,
    cases: Sequence[Case],
    bands: Sequence[tuple[np.ndarray, np.ndarray]],
    channels: Channels,
    options: ReportOptions,
) -> None:
    """Write ``<case>.csv``: time, then lower and upper edge of each predicted column; names and units as in a case.

    ``bands`` are the predicted rows and the half-widths of each case, (H, P) both.
    """
    units = {f"{edge} {name}": channels.units[name] for name in channels.predicted for edge in ("lower", "upper")}

    def values(case: int) -> np.ndarray:
        """Lower and upper edges of one case (H, 2 P)."""
        mean, half = bands[case]
        return np.stack((mean - half, mean + half), axis=-1).reshape(len(mean), -1)

    _write_cases(CaseFiles(folder, units, cases, values), "writing bands", options)


@dataclass(frozen=True)
class CaseFiles:
    """Description of one file per case: folder, column -> unit, and the values (H, columns) of a case by position."""

    folder: Path
    units: dict[str, str]
    cases: Sequence[Case]
    values: Callable[[int], np.ndarray]


def _write_cases(files: CaseFiles, description: str, options: ReportOptions) -> None:
    """Write one file per case in threads, with the values of its last rows."""
    cases = files.cases
    files.folder.mkdir(parents=True, exist_ok=True)
    names = file_names(case.name for case in cases)

    def write(i: int) -> None:
        """Write the file of one case."""
        rows = files.values(i)
        write_case(files.folder / f"{names[cases[i].name]}.csv", files.units, cases[i].time[-len(rows) :], rows)

    with ThreadPoolExecutor(options.workers or cores()) as pool:
        for _ in track(pool.map(write, range(len(cases))), len(cases), description, options.progress_bar):
            pass


def write_losses(folder: Path, scores: Scores) -> None:
    """Write ``loss_<column>_ADE.csv`` and ``_FDE.csv`` for every predicted column: all test cases, worst last."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, safe in file_names(scores.channels.predicted).items():
        for metric, errors in zip(("ADE", "FDE"), scores.column(name), strict=True):
            order = np.argsort(errors, kind="stable")
            head = ("case", column_title(metric, scores.channels.units[name]))
            text = csv_text([head, *((scores.cases[i], f"{errors[i]:.6g}") for i in order)])
            write_atomic(folder / f"loss_{safe}_{metric}.csv", text.encode(), durable=False)


def case_curves(folder: Path, predicted: ScoredCases, ending: str = "png") -> list[Curve]:
    """Curves of all cases and columns, targets before byproducts and the worst cases first; ``ending`` of the files."""
    cases, scores, half_widths = predicted.cases, predicted.scores, predicted.half_widths
    channels, controls = scores.channels, len(scores.channels.controls)
    # A column of the sheet's name gets another one.
    case_folders, files = file_names(scores.cases), file_names((SHEET_NAME, *channels.predicted))
    targets = set(channels.targets)
    worst_first = np.argsort(-scores.case_nade, kind="stable")
    columns = sorted(range(len(channels.predicted)), key=lambda j: channels.predicted[j] not in targets)
    pairs = [
        (i, j)
        for group in (True, False)
        for i in worst_first
        for j in columns
        if (channels.predicted[j] in targets) is group
    ]
    return [
        Curve(
            folder / case_folders[cases[i].name] / f"{files[channels.predicted[j]]}.{ending}",
            cases[i].name,
            channels.predicted[j],
            channels.units[channels.predicted[j]],
            cases[i].time,
            # Of one column: a view of a table in physical units would keep all of it, for each curve.
            cases[i].column(controls + j),
            predicted.rows[i][:, j],
            float(scores.ade[i, j]),
            float(scores.fde[i, j]),
            half_widths[i][:, j] if half_widths is not None else None,
            predicted.level,
            predicted.positions[i].outside if predicted.positions else None,
        )
        for i, j in pairs
    ]


def write_case_tables(folder: Path, scores: Scores) -> None:
    """Write ``loss.txt`` of each case: ADE and FDE of every predicted column."""
    channels = scores.channels
    for i, (name, safe) in enumerate(file_names(scores.cases).items()):
        lines = [
            [column, channels.units[column], f"{scores.ade[i, j]:.5g}", f"{scores.fde[i, j]:.5g}"]
            for j, column in enumerate(channels.predicted)
        ]
        table = aligned([["column", "unit", "ADE", "FDE"], *lines], left=1)
        text = f"{printable(name)}: free run, error per predicted column\n{table}\n"
        write_atomic(folder / safe / "loss.txt", text.encode(), durable=False)
