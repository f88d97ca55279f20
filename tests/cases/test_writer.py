"""Files in the case format read back as they were, or to seven digits."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from builders import NAMES, UNITS, make_case, read

from surrogate_modeling.cases.grid import Grid
from surrogate_modeling.cases.writer import case_csv, round_significant, write_case


def test_names_that_mean_something_to_csv(tmp_path: Path) -> None:
    """A column may itself be called time; two columns of one name would not be read back."""
    names = ("time", 'say "x"', "p, q", "T")
    case = make_case("a", 20)
    write_case(tmp_path / "a.csv", dict.fromkeys(names, "a,b"), case.time, case.values)
    back = read(tmp_path)
    assert (back.channels.controls, back.channels.predicted) == (names[:2], names[2:])
    assert set(back.channels.units.values()) == {"a,b"}
    np.testing.assert_array_equal(back.cases[0].values, case.values)


@pytest.mark.parametrize("step", [1e-12, 1e-9, 0.1, 1.0, 1e6])
def test_time_is_written_finely_enough(tmp_path: Path, step: float) -> None:
    case = make_case("a", 30, step=step)
    write_case(tmp_path / "a.csv", dict(zip(NAMES, UNITS, strict=True)), case.time, case.values)
    back = read(tmp_path, grid=Grid(None, 5.0))
    np.testing.assert_allclose(back.cases[0].time, case.time, rtol=1e-9, atol=0)


def test_rounding_keeps_seven_significant_digits() -> None:
    values = np.array([123456.789, -0.00123456789, 0.0, 98765432.1, 1e-9, -273.15, 0.1])
    expected = [float(f"{v:.7g}") for v in values]
    np.testing.assert_array_equal(round_significant(values, 7), expected)
    rng = np.random.default_rng(0)
    many = rng.normal(size=20000) * 10.0 ** rng.integers(-6, 7, 20000)
    rounded = round_significant(many, 7)
    assert np.abs(rounded / many - 1.0).max() < 5.1e-7
    digits = [repr(abs(float(v))).split("e")[0].replace(".", "").strip("0") for v in rounded]
    assert max(len(d) for d in digits) <= 7


def test_a_case_with_rounded_numbers_has_names_units_and_numbers() -> None:
    time, values = np.array([0.0, 0.1, 0.2]), np.linspace(-1.0, 1.0, 3 * 4).reshape(3, 4)
    columns = {"u": "-", "time": "%", "a,b": "bar", "T": "degC"}
    text = bytes(case_csv(columns, time, values, 7)).decode()
    lines = text.splitlines()
    assert lines[:2] == ['time_,u,time,"a,b",T', "s,-,%,bar,degC"]
    assert len(lines) == 5
    assert text.endswith("\n")
    back = pd.read_csv(io.StringIO(text), skiprows=[1])
    np.testing.assert_allclose(back.to_numpy(), np.column_stack((time, values)), rtol=1e-6, atol=1e-12)
    zero = np.full((1, 4), -0.0)
    assert "-0" not in bytes(case_csv(columns, zero[:, 0], zero, 7)).decode()
