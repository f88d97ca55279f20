"""CSV writing: short numbers that read back to seven digits, and the case format."""

import io

import numpy as np
import pandas as pd

from surrogate_modeling.refrigerant.case import names_and_units
from surrogate_modeling.refrigerant.worker import case_csv, round_significant


def test_rounding_keeps_seven_significant_digits() -> None:
    values = np.array([123456.789, -0.00123456789, 0.0, 98765432.1, 1e-9, -273.15, 0.1])
    expected = [float(f"{v:.7g}") for v in values]
    np.testing.assert_array_equal(round_significant(values), expected)
    rng = np.random.default_rng(0)
    many = rng.normal(size=20000) * 10.0 ** rng.integers(-6, 7, 20000)
    rounded = round_significant(many)
    assert np.abs(rounded / many - 1.0).max() < 5.1e-7
    digits = [repr(abs(float(v))).split("e")[0].replace(".", "").strip("0") for v in rounded]
    assert max(len(d) for d in digits) <= 7


def test_a_case_file_has_names_units_and_numbers() -> None:
    table = np.linspace(-1.0, 1.0, 3 * 53).reshape(3, 53)
    table[:, 0] = [0.0, 0.1, 0.2]
    text = case_csv(table).decode()
    names, units = names_and_units()
    lines = text.splitlines()
    assert lines[0].split(",") == names
    assert lines[1].split(",") == units
    assert len(lines) == 5
    assert text.endswith("\n")
    back = pd.read_csv(io.StringIO(text), skiprows=[1])
    np.testing.assert_allclose(back.to_numpy(), table, rtol=1e-6, atol=1e-12)
    assert "-0," not in case_csv(np.full((1, 53), -0.0)).decode()
