"""What a run leaves for people, read back."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import make_case, make_channels, read
from matplotlib.image import imread

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.cases.grid import Grid
from surrogate_modeling.evaluation.report import (
    ReportOptions,
    ScoredCases,
    case_curves,
    write_bands,
    write_losses,
    write_report,
)
from surrogate_modeling.evaluation.scores import Scores, score
from surrogate_modeling.evaluation.tables import group_table, summary_table

SCALE = np.array([1.0, 1.0])
NASTY = Channels(("弁", "a,b"), ("T/out", "../p"), ("T/out",), {"弁": "", "a,b": "kW", "T/out": "°C", "../p": "N/m²"})


def free_runs(cases: list[Case], errors: list[float], in_len: int = 10) -> list[np.ndarray]:
    return [
        (case.values[in_len:, 2:] + np.float32(e)).astype(np.float32) for case, e in zip(cases, errors, strict=True)
    ]


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def lines(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_everything_is_there_and_opens(tmp_path: Path) -> None:
    cases = [make_case("one.v1", 30, 0), make_case("two", 25, 1)]
    rows = free_runs(cases, [0.5, 0.1])
    scored = ScoredCases(cases, rows, score(cases, rows, make_channels(), SCALE))
    write_report(tmp_path, scored, ReportOptions(workers=1, progress_bar=False))
    assert files(tmp_path) == {
        *(f"csv/{name}.csv" for name in ("one.v1", "two")),
        *(
            f"figure/{name}/{what}"
            for name in ("one.v1", "two")
            for what in ("T.png", "p.png", "targets.png", "loss.txt")
        ),
        *(f"loss/loss_{column}_{metric}.csv" for column in ("T", "p") for metric in ("ADE", "FDE")),
    }
    for path in tmp_path.rglob("*.png"):
        picture = imread(path)
        assert picture.shape == ((310, 1040, 4) if path.stem == "targets" else (360, 800, 4))
        assert picture[..., :3].std() > 0.01
    table = (tmp_path / "figure" / "one.v1" / "loss.txt").read_text(encoding="utf-8").splitlines()
    assert [line.split() for line in table[1:]] == [
        ["column", "unit", "ADE", "FDE"], ["T", "degC", "0.5", "0.5"], ["p", "bar", "0.5", "0.5"],
    ]  # fmt: skip


def test_a_curve_keeps_its_own_column_only() -> None:
    """In physical units the table of a column on a large level is a copy, of which each curve would keep one."""
    plain = make_case("a", 30)
    levels = replace(plain, channels=replace(plain.channels, offsets=(0.0, 0.0, 1e6, 0.0)))
    rows = free_runs([plain], [0.5])
    curves = case_curves(Path("figure"), ScoredCases([levels], rows, score([plain], rows, make_channels(), SCALE)))
    assert [curve.column for curve in curves] == ["T", "p"]
    np.testing.assert_array_equal(curves[0].truth, plain.values[:, 2].astype(np.float64) + 1e6)
    assert curves[0].truth.base is not None
    assert curves[0].truth.base.size == 30


def test_predicted_csv_reads_back_bit_for_bit_as_cases(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cases = [make_case(name, 40, i, step=0.1) for i, name in enumerate(("a", "b"))]
    rows = [(rng.normal(size=(30, 2)) * 10.0 ** rng.integers(-30, 30, (30, 2))).astype(np.float32) for _ in cases]
    rows[0][0] = [np.float32(1e-45), -0.0]
    write_report(
        tmp_path,
        ScoredCases(cases, rows, score(cases, rows, NASTY, SCALE)),
        ReportOptions(workers=1, num_figures=0, progress_bar=False),
    )
    back = read(tmp_path / "csv", grid=Grid(None, 5.0))
    assert back.channels == Channels(NASTY.controls, NASTY.predicted, NASTY.predicted, NASTY.units)
    for case, predicted, found in zip(cases, rows, back.cases, strict=True):
        assert found.name == case.name
        np.testing.assert_allclose(found.time, case.time[10:], rtol=0, atol=1e-9)
        assert found.values[:, :2].tobytes() == case.values[10:, :2].tobytes()
        assert found.values[:, 2:].tobytes() == predicted.tobytes()
    assert (tmp_path / "csv" / "a.csv").read_text(encoding="utf-8").splitlines()[4].startswith("1.2,")


def test_bands_hold_both_edges_of_every_column(tmp_path: Path) -> None:
    cases = [make_case(name, rows, i) for i, (name, rows) in enumerate((("x", 30), ("y", 14)))]
    bands = [(rows, np.full_like(rows, [1, 2])) for rows in free_runs(cases, [0.0, 0.0])]
    write_bands(tmp_path, cases, bands, make_channels(), ReportOptions(progress_bar=False))
    for case, (mean, _) in zip(cases, bands, strict=True):
        names, units, *rows = lines(tmp_path / f"{case.name}.csv")
        assert names == ["time", "lower T", "upper T", "lower p", "upper p"]
        assert units == ["s", "degC", "degC", "bar", "bar"]
        numbers = np.array(rows, dtype=float)
        np.testing.assert_array_equal(numbers[:, 0], case.time[10:])
        np.testing.assert_allclose(numbers[:, 1::2], mean - np.array([1, 2]), rtol=1e-6)
        np.testing.assert_allclose(numbers[:, 2::2], mean + np.array([1, 2]), rtol=1e-6)


def test_loss_tables_hold_every_case_worst_last(tmp_path: Path) -> None:
    ade = np.array([[3.0, 1.0], [np.inf, 2.0], [0.125, 1.0], [2.0, 0.5]])
    write_losses(tmp_path, Scores(["a", "b,c", "ケース", "d"], NASTY, ade, ade[::-1], SCALE))
    assert len(files(tmp_path)) == 4
    (path,) = (path for path in tmp_path.iterdir() if path.name.startswith("loss_T_out") and "ADE" in path.name)
    assert lines(path) == [
        ["case", "ADE [°C]"], ["ケース", "0.125"], ["d", "2"], ["a", "3"], ["b,c", "inf"],
    ]  # fmt: skip
    (path,) = (path for path in tmp_path.iterdir() if path.name.startswith("loss_T_out") and "FDE" in path.name)
    assert [row[0] for row in lines(path)[1:]] == ["b,c", "a", "d", "ケース"]


@pytest.mark.filterwarnings("ignore:Glyph")
def test_unsafe_names_stay_in_the_folder_and_apart(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    names = ["../../up", "/etc/x", "..", "a:b", "A", "a", "運転 1", "x" * 250]
    cases = [make_case(name, 20, i) for i, name in enumerate(names)]
    rows = free_runs(cases, [0.1] * len(cases))
    write_report(
        folder, ScoredCases(cases, rows, score(cases, rows, NASTY, SCALE)), ReportOptions(workers=1, progress_bar=False)
    )
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    found = files(folder)
    assert len({name.casefold() for name in found}) == 8 + 8 * 4 + 4
    assert {name.split("/")[0] for name in found} == {"csv", "figure", "loss"}
    assert "figure/運転 1/loss.txt" in found


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_diverged_free_run_still_leaves_everything(tmp_path: Path) -> None:
    cases = [make_case(name, 30, i) for i, name in enumerate(("nan", "inf", "huge", "fine"))]
    rows = free_runs(cases, [0.1] * 4)
    rows[0][:] = np.nan
    rows[1][5:, 0] = np.inf
    rows[1][8:, 0] = np.nan
    rows[2][5:] = np.float32(3e38)
    rows[2][7:] = np.float32(-3e38)
    scores = score(cases, rows, make_channels(), SCALE)
    write_report(tmp_path, ScoredCases(cases, rows, scores), ReportOptions(workers=1, progress_bar=False))
    assert len(list(tmp_path.rglob("*.png"))) == 4 * 3
    for path in tmp_path.rglob("*.png"):
        assert imread(path).shape == ((310, 1040, 4) if path.stem == "targets" else (360, 800, 4))
    assert lines(tmp_path / "csv" / "nan.csv")[2][-2:] == ["nan", "nan"]
    assert lines(tmp_path / "csv" / "inf.csv")[7][-2] == "inf"
    assert [row[0] for row in lines(tmp_path / "loss" / "loss_T_ADE.csv")[1:]] == ["fine", "huge", "nan", "inf"]
    assert "inf" in (tmp_path / "figure" / "nan" / "loss.txt").read_text()
    table = summary_table(scores, {"persistence": score(cases, free_runs(cases, [1.0] * 4), make_channels(), SCALE)})
    assert "inf" in table
    assert "nan" not in table


def test_few_figures_are_those_of_targets_in_the_worst_cases(tmp_path: Path) -> None:
    cases = [make_case(f"c{i}", 20, i) for i in range(4)]
    rows = free_runs(cases, [0.1, 0.4, 0.2, 0.3])
    scores = score(cases, rows, make_channels(["p"]), SCALE)
    write_report(
        tmp_path, ScoredCases(cases, rows, scores), ReportOptions(workers=1, num_figures=5, progress_bar=False)
    )
    pictures = {path.relative_to(tmp_path / "figure").as_posix() for path in tmp_path.rglob("*.png")}
    assert pictures == {*(f"c{i}/{name}.png" for i in range(4) for name in ("p", "targets")), "c1/T.png"}
    assert len(list(tmp_path.rglob("loss.txt"))) == 4


def test_summary_says_what_it_compares(tmp_path: Path) -> None:
    cases = [make_case(f"c{i}", 20, i) for i in range(2)]

    def scored(errors: list[float]) -> Scores:
        return score(cases, free_runs(cases, errors), make_channels(["T"]), np.array([2.0, 1.0]))

    table = summary_table(scored([0.5, 1.0]), {"persistence": scored([1.0, 2.0]), "linear": scored([0.25, 0.5])})
    head, target, normalised, verdict = table.splitlines()
    assert head.split() == ["target", "unit", "ADE", "FDE", "persistence", "ADE", "persistence", "FDE", "linear", "ADE", "linear", "FDE"]  # fmt: skip
    assert target.split() == ["T", "degC", "0.75", "0.75", "1.5", "1.5", "0.375", "0.375"]
    assert normalised.split() == ["nADE,", "nFDE", "-", "0.3750", "0.3750", "0.7500", "0.7500", "0.1875", "0.1875"]
    assert verdict == "nADE is 50% below persistence and 2 times that of linear"


def test_group_table() -> None:
    assert [row.split() for row in group_table({"x": (0.5, 0.25, 3), "longer": (1.0, 2.0, 1)}).splitlines()] == [
        ["group", "cases", "nADE", "nFDE"], ["x", "3", "0.5000", "0.2500"], ["longer", "1", "1.0000", "2.0000"],
    ]  # fmt: skip
