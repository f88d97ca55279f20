"""Cells of text: numbers, dates, missing, or text."""

import numpy as np
import pyarrow as pa
import pytest

from surrogate_modeling.importing.cells import is_date, is_missing, is_number, to_numbers, western_clock


@pytest.mark.parametrize(
    ("cells", "marks", "expected"),
    [
        (["1.5", "+2", "-3.", ".5", "1e5", " 7 "], (".", ""), [1.5, 2, -3, 0.5, 1e5, 7]),
        (["1.5D+02", "1.5d-2", "1.5-102", "-2.5+003"], (".", ""), [150, 0.015, 1.5e-102, -2500]),
        (["1,5", "1.234,5", "-1.234.567,25", "1,5E3"], (",", "."), [1.5, 1234.5, -1234567.25, 1500]),
        (["1,234.5", "1,234,567", "12"], (".", ","), [1234.5, 1234567, 12]),
        (["1'234.5", "999"], (".", "'"), [1234.5, 999]),
        ([None, "", "NaN", "1.#IND", "-", "#N/A", "inf"], (".", ""), [np.nan] * 7),
        (["１２３", "－１．５", "1.5e3", "−２", "－"], (".", ""), [123, -1.5, 1500, -2, np.nan]),
        (["１，２３４．５", "７"], (".", ","), [1234.5, 7]),
    ],
)
def test_numbers(cells: list[str], marks: tuple[str, str], expected: list[float]) -> None:
    values, is_text = to_numbers(pa.array(cells, pa.string()), *marks)
    np.testing.assert_array_equal(values, expected)
    assert not is_text.any()


def test_text_is_told_from_missing_cells() -> None:
    # Beside a decimal comma a point is one of thousands, or wrong.
    for thousands in ("", "."):
        found, pointed = to_numbers(pa.array(["0,5", "1.25", "1.5D+02", "1,5D+02"]), ",", thousands)
        np.testing.assert_array_equal(found, [0.5, np.nan, np.nan, 150])
        assert pointed.tolist() == [False, True, True, False]
    values, is_text = to_numbers(pa.array(["1", "x", "", "12,34.5", "1.2.3"]), ".", ",")
    assert is_text.tolist() == [False, True, False, True, True]
    assert np.isnan(values).tolist() == [False, True, True, True, True]


def test_kinds_of_single_cells() -> None:
    assert [cell for cell in ("1", "-1,5", "1.234,5", "1 234", "1e5", "1.5D+3", "5 1", "x", "1;2", "1,") if is_number(cell)] == [
        "1", "-1,5", "1.234,5", "1 234", "1e5", "1.5D+3",
    ]  # fmt: skip
    assert all(map(is_date, ("2024-01-01", "2024/1/2 10:00", "01.02.2024 10:00:01,5", "12:00:01", "3-Jan-2024")))
    assert not any(map(is_date, ("1.5", "12", "x", "1:2")))
    assert is_number("－１２．５")
    assert not is_number("²")
    assert is_date("２０２５／０３／０１　９：００：００")
    assert is_missing(" N/A ")
    assert is_missing("－")
    assert not is_missing("0")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("9時5分", "9:05"),
        ("9時", "9:00"),
        ("午後1:05:30", "13:05:30"),
        ("午前12時05分", "0:05"),
        ("午後12:00", "12:00"),
        ("2025/3/1午前9:00:00", "2025/3/1 9:00:00"),
        # No time of day by twelve hours.
        ("午後13:00", "午後13:00"),
        ("運転時間", "運転時間"),
        ("10:00 PM", "10:00 PM"),
    ],
)
def test_times_of_day_in_japanese(text: str, plain: str) -> None:
    assert western_clock(text) == plain
