"""The plan of an import: names, units and time of the first file, and what is said about them."""

from pathlib import Path

import numpy as np
import pytest
from imported import case, run, write

from surrogate_modeling.common.errors import UserError


def test_units_and_numbers_in_full_width_are_read_and_names_stay(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, "a.csv", "時間（ｈ）,弁（Ａ車）,出力（ｋＷ）\n０,１２,１．５\n0.5,13,－２\n")
    with caplog.at_level("INFO"):
        units, numbers = case(run(tmp_path) / "a.csv")
    assert units == {"時間": "s", "弁（Ａ車）": "", "出力": "kW"}
    assert numbers.tolist() == [[0, 12, 1.5], [1800, 13, -2]]
    assert "- units in full width are read in plain letters: '時間', '出力'" in caplog.text


def test_dates_as_excel_stores_them_are_days(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, "a.csv", "日時,u\n45717.25,1\n45717.50,2\n45717.75,3\n")
    with caplog.at_level("INFO"):
        out = run(tmp_path)
    np.testing.assert_array_equal(case(out / "a.csv")[1], [[0, 1], [21600, 2], [43200, 3]])
    assert "time '日時' has no unit and is taken for d (it looks like Excel's days); time_unit=..." in caplog.text
    assert "2025-03-01T06:00:00" in (out / "cases.csv").read_text()


def test_a_column_of_a_name_that_is_taken_keeps_its_unit(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, "a.csv", "t,T [K],T [K],T[1],T[1],Q / kW,Q / kW\n0,1,2,3,4,5,6\n1,1,2,3,4,5,6\n")
    with caplog.at_level("INFO"):
        out = run(tmp_path)
    assert case(out / "a.csv")[0] == {
        "t": "s", "T": "K", "T 2": "K", "T[1]": "", "T[1] 2": "", "Q": "kW", "Q 2": "kW",
    }  # fmt: skip
    assert "column 3 has the name 'T [K]' of another column and is called 'T 2 [K]'" in caplog.text


def test_the_column_that_date_format_reads_is_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = "".join(f"{n},run of 2025-03-01 at 9h{n:02d},{n % 5}\n" for n in range(30))
    write(tmp_path, "a.csv", f"n [-],when,u [V]\n{rows}")
    said = r"'when': 30 different texts .* are no modes; .*; if it is the time, say how it is written: date_format='%d"
    with pytest.raises(UserError, match=said):
        run(tmp_path)
    with caplog.at_level("INFO"):
        out = run(tmp_path, date_format="run of %Y-%m-%d at %Hh%M")
    units, numbers = case(out / "a.csv")
    assert units == {"when": "s", "n": "-", "u": "V"}
    assert numbers[:2].tolist() == [[0, 0, 0], [60, 1, 1]]
    assert "time is 'when', which date_format reads; time=... says otherwise" in caplog.text


@pytest.mark.parametrize("form", [None, "%Y年%m月%d日 %H時%M分%S秒"])
def test_dates_of_japan_are_time(tmp_path: Path, form: str | None) -> None:
    rows = "".join(f"{n},2025年3月1日 9時00分{n:02d}秒\n" for n in range(30))
    write(tmp_path, "a.csv", f"圧力,測定\n{rows}")
    units, numbers = case(run(tmp_path, date_format=form) / "a.csv")
    assert units == {"測定": "s", "圧力": ""}
    assert numbers[:2].tolist() == [[0, 0], [1, 1]]
