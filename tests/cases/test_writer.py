"""Files in the case format read back as they were."""

from pathlib import Path

import numpy as np
import pytest
from builders import NAMES, UNITS, make_case, read

from surrogate_modeling.cases.grid import Grid
from surrogate_modeling.cases.writer import write_case


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
