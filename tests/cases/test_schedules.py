"""What a schedule must hold, and how it is put on the surrogate's step."""

import logging
from pathlib import Path

import numpy as np
import pytest

from surrogate_modeling.cases import schedules
from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.cases.grid import Grid
from surrogate_modeling.cases.problems import file_refusal
from surrogate_modeling.cases.schedules import Demands, Schedule, read_chunks, read_schedule, schedule_files
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.settings import Decimation

CHANNELS = Channels(("u",), ("p", "q"), ("p",), {"u": "-", "p": "bar", "q": "°C"})
DEMANDS = Demands(CHANNELS, 2, 2, Grid(1.0, 5.0))


def write(folder: Path, *lines: str, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def read(path: Path, demands: Demands = DEMANDS) -> Schedule:
    result = read_schedule(path, demands)
    assert isinstance(result, Schedule), result
    return result


def problems(path: Path, demands: Demands = DEMANDS) -> str:
    result = read_schedule(path, demands)
    assert isinstance(result, list)
    return "\n".join(map(str, result))


def test_a_file_a_folder_or_the_files_that_match(tmp_path: Path) -> None:
    for name in ("case10.csv", "case2.csv", "families.csv", "plan.json"):
        write(tmp_path, "x", name=name)

    def names(place: Path) -> list[str]:
        return [path.name for path in schedule_files(place)]

    # families.csv is the generator's, whose plan lies beside it.
    assert names(tmp_path) == ["case2.csv", "case10.csv"]
    assert names(tmp_path / "case*.csv") == ["case2.csv", "case10.csv"]
    assert names(tmp_path / "case2.csv") == ["case2.csv"]
    with pytest.raises(UserError, match=r"cases=.*: no file b\*.csv in this folder"):
        names(tmp_path / "b*.csv")


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    """Both would be predicted into one file."""
    for name in ("a.csv", "a.parquet", "b.csv"):
        write(tmp_path, "x", name=name)
    with pytest.raises(
        UserError, match=r"^1 problem in 1 file of .*: *\n  a\.(csv|parquet): gives the case 'a' as a\."
    ):
        schedule_files(tmp_path / "*")
    assert [path.name for path in schedule_files(tmp_path / "*.csv")] == ["a.csv", "b.csv"]


def test_columns_are_found_by_name_and_others_left_aside(tmp_path: Path) -> None:
    path = write(tmp_path, "time,q,note,u,p", "s,°C,-,-,bar", "0,20,9,1,5", "1,21,,2,6", "2,22,text,3,7")
    schedule = read(path)
    assert schedule.has_truth
    assert schedule.case.name == "a"
    np.testing.assert_array_equal(schedule.case.values, [[1, 5, 20], [2, 6, 21], [3, 7, 22]])


@pytest.mark.parametrize("absent", ["2,3,,", "2,3,NaN,nan", "2,3", "2,3,"])
def test_the_truth_may_be_absent_after_the_first_rows(tmp_path: Path, absent: str) -> None:
    path = write(tmp_path, "time,u,p,q", "s,-,bar,°C", "0,1,5,20", "1,2,6,21", absent)
    schedule = read(path)
    assert not schedule.has_truth
    np.testing.assert_array_equal(schedule.case.values, [[1, 5, 20], [2, 6, 21], [3, np.nan, np.nan]])


def test_finer_steps_are_decimated_as_far_as_each_column_is_given(tmp_path: Path) -> None:
    rows = [f"{k / 2},{10 * k},{k if k < 4 else ''},{2 * k if k < 3 else ''}" for k in range(7)]
    path = write(tmp_path, "time,u,p,q", "s,-,bar,°C", *rows)
    schedule = read(path)
    np.testing.assert_array_equal(schedule.case.time, [0, 1, 2, 3])
    np.testing.assert_array_equal(schedule.case.values[:, 0], [0, 20, 40, 60])
    # p is given up to 1.5 s, which reaches the grid's second row and not its third.
    np.testing.assert_array_equal(schedule.case.values[:, 1], [0, 2, np.nan, np.nan])
    np.testing.assert_array_equal(schedule.case.values[:, 2], [0, 4, np.nan, np.nan])


def test_a_mean_that_lacks_rows_is_not_one_to_start_from(tmp_path: Path) -> None:
    """Rows every 0.25 s: the mean at 0 s is of those to 0.25 s, that at 1 s of those from 0.5 to 1.25 s."""
    demands = Demands(CHANNELS, 2, 2, Grid(1.0, 5.0, Decimation.mean))

    def given_to(last: float) -> Path:
        rows = [f"{t},1,{t},{t}" if t <= last else f"{t},1,," for t in np.arange(0, 4.25, 0.25).tolist()]
        return write(tmp_path, "time,u,p,q", "s,-,bar,°C", *rows)

    np.testing.assert_array_equal(read(given_to(4.0), demands).case.values[:, 1], [0.125, 0.875, 1.875, 2.875, 3.75])
    for last in (1.25, 2.0):
        np.testing.assert_array_equal(
            read(given_to(last), demands).case.values[:, 1], [0.125, 0.875, np.nan, np.nan, np.nan]
        )
    assert read(given_to(1.0)).case.values[1, 1] == 1.0
    assert problems(given_to(1.0), demands).endswith(
        "the prediction starts from 2 rows of every predicted column on a step of 1 s, each a mean up to half a step "
        "later (settings.decimate=mean): from all rows before 1.5 s; too few are given of 'p' (1 rows), 'q' (1 rows)"
    )
    one = Demands(CHANNELS, 1, 1, demands.grid)
    assert "before 0.5 s; too few are given of 'p' (0 rows)" in problems(given_to(0.0), one)
    assert read(given_to(0.25), one).case.values[0, 1] == 0.125


def test_one_given_row_is_enough_for_a_surrogate_that_asks_for_one(tmp_path: Path) -> None:
    path = write(tmp_path, "time,u,p,q", "s,-,bar,°C", "0,1,5,20", "1,2,,", "2,3,,")
    schedule = read(path, Demands(CHANNELS, 1, 1, Grid(1.0, 5.0)))
    np.testing.assert_array_equal(schedule.case.values[:, 1], [5, np.nan, np.nan])


def test_a_surrogate_that_starts_from_controls_asks_for_no_other_column(tmp_path: Path) -> None:
    demands = Demands(CHANNELS, 1, 0, Grid(1.0, 5.0))
    schedule = read(write(tmp_path, "time,u", "s,-", "0,1", "1,2"), demands)
    assert not schedule.has_truth
    np.testing.assert_array_equal(schedule.case.values, [[1, np.nan, np.nan], [2, np.nan, np.nan]])
    schedule = read(write(tmp_path, "time,u,q,p", "s,-,°C,bar", "0,1,20,5", "1,2,21,6"), demands)
    assert schedule.has_truth
    np.testing.assert_array_equal(schedule.case.values, [[1, 5, 20], [2, 6, 21]])
    # One column of two, or one that begins late, is no truth to compare with, and no obstacle.
    schedule = read(write(tmp_path, "time,u,q", "s,-,°C", "0,1,", "1,2,21"), demands)
    assert not schedule.has_truth
    assert "unit 'bar'" in problems(write(tmp_path, "time,u,q", "s,-,bar", "0,1,20", "1,2,21"), demands)
    assert "missing columns 'u'" in problems(write(tmp_path, "time,v", "s,-", "0,1", "1,2"), demands)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "time,u,p", "s,K,bar", "0,1,5", "1,2,6")
    assert (
        "missing columns 'q', which the surrogate needs; 'q' only in the first 2 rows on its step of 1 s"
        in problems(path)
    )
    assert "line 2, column 2 ('u'): unit 'K', the surrogate was trained on '-'" in problems(path)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["0,1,5,20", "1,2,,21", "2,3,,"], "too few are given of 'p' (1 rows)"),
        (["0,1,5,20", "1,,6,21", "2,3,7,"], "line 4, column 2 ('u'): empty cell"),
        (["0,1,5,20", "1,2,6,21", "2,3,x,"], "line 5, column 3 ('p'): text 'x'"),
        (["0,1,5,20", "1,2,6,21"], "at least one more is needed"),
        (["0,1,5,20", "2,2,6,21", "4,3,7,22"], "rows every 2 s, the surrogate steps by 1 s"),
        (["0,1,5,20", "1,2,6,21", "2,2,6,21", "3,2,6,21", "30,3,7,22"], "allow it with max_gap=null"),
    ],
)
def test_refusals(tmp_path: Path, rows: list[str], said: str) -> None:
    assert said in problems(write(tmp_path, "time,u,p,q", "s,-,bar,°C", *rows))


def test_chunks_bound_what_is_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = ["time,u,p,q", "s,-,bar,°C", "0,1,5,20", "1,2,6,21", "2,3,,"]
    files = [write(tmp_path, *rows, name=f"{i}.csv") for i in range(7)]
    monkeypatch.setattr(schedules, "CHUNK_BYTES", 2 * files[0].stat().st_size)
    files[3].write_text("nothing")
    files.append(tmp_path / "gone.csv")
    chunks = list(read_chunks(files, DEMANDS, workers=2))
    assert [len(good) for good, _ in chunks] == [2, 1, 2, 1]
    bad = [problem for _, some in chunks for problem in some]
    assert [problem.file.name for problem in bad] == ["3.csv", "gone.csv"]
    message = str(file_refusal("folder", bad, "; the other 6 were predicted", 30))
    assert message.startswith("2 problems in 2 files of folder; the other 6 were predicted:\n  3.csv: line 1")


def test_units_are_converted_to_those_of_the_training(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path, "time,u,p,q", "s,-,kPa,K", "0,1,100,273.15", "1,2,200,283.15", "2,3,300,293.15")
    with caplog.at_level(logging.INFO):
        schedule = read(path)
    np.testing.assert_allclose(schedule.case.values, [[1, 1, 0], [2, 2, 10], [3, 3, 20]], atol=1e-5)
    assert "'p' is converted from kPa to bar, on which the surrogate was trained" in caplog.text


def test_parameters_are_constant_columns_or_one_number_per_schedule(tmp_path: Path) -> None:
    channels = Channels(("u", "d"), ("p",), ("p",), {"u": "-", "d": "mm", "p": "bar"}, parameters=("d",))
    demands = Demands(channels, 1, 1, Grid(1.0, 5.0), {"a": {"d": 7.0}})
    bare = ("time,u,p", "s,-,bar", "0,1,2", "1,3,4")
    np.testing.assert_array_equal(read(write(tmp_path, *bare), demands).case.values, [[1, 7, 2], [3, 7, 4]])
    assert "missing columns 'd'" in problems(write(tmp_path, *bare, name="b.csv"), demands)
    given = ("time,u,d,p", "s,-,mm,bar", "0,1,5,2", "1,3,5,4")
    assert "column 'd' is also in parameters=<CSV>" in problems(write(tmp_path, *given), demands)
    path = write(tmp_path, *given, name="b.csv")
    np.testing.assert_array_equal(read(path, demands).case.values, [[1, 5, 2], [3, 5, 4]])
    path = write(tmp_path, *given[:3], "1,3,6,4", name="b.csv")
    assert "column 'd' is a parameter of the surrogate and must be constant, it goes from 5 to 6" in problems(
        path, demands
    )
