"""New cases: read on the surrogate's grid and in its units, some of them kept out."""

from pathlib import Path

import numpy as np
import pytest
from builders import write_table
from lag import CHANNELS, lag_case

from surrogate_modeling.adaptation.new_cases import read_new
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.adapt_keys import AdaptConfig
from surrogate_modeling.config.models import DonConfig
from surrogate_modeling.surrogate.description import Description

DESCRIPTION = Description(DonConfig("don"), CHANNELS, 4, 1, 1.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten cases with the columns in another order, every half second."""
    for i in range(10):
        time = np.arange(0, 20, 0.5)
        values = np.column_stack([np.interp(time, np.arange(60.0), column) for column in lag_case(60, i).values.T])
        write_table(tmp_path / "truck7" / f"c{i}.csv", time, values[:, [2, 0, 1]], ("y", "u", "x"), ("-", "-", "-"))
    return tmp_path / "truck7"


def config(cases: Path, **keys: object) -> AdaptConfig:
    return AdaptConfig(surrogate="s", cases=str(cases), **keys)  # type: ignore[arg-type]


def test_cases_are_put_on_the_grid_and_some_are_kept_out(folder: Path) -> None:
    new = read_new(DESCRIPTION, config(folder))
    assert (len(new.given), len(new.kept_out), new.files) == (7, 3, 10)
    names = {case.name for case in (*new.given, *new.kept_out)}
    assert names == {f"c{i}" for i in range(10)}
    # The folder names the unit.
    assert {case.unit for case in new.given} == {"truck7"}
    first = next(case for case in (*new.given, *new.kept_out) if case.name == "c3")
    np.testing.assert_allclose(first.values, lag_case(60, 3).values[: len(first.time)], rtol=1e-5, atol=1e-5)
    again = read_new(DESCRIPTION, config(folder, kept_out=8, unit="seven"))
    assert (len(again.given), again.given[0].unit, again.fingerprint) == (2, "seven", new.fingerprint)
    assert read_new(DESCRIPTION, config(folder, seed=1)).given != new.given


@pytest.mark.parametrize(
    ("named", "pattern", "files"),
    [("", "*.csv", 10), ("c[123].csv", "c[123].csv", 3), ("c?.csv", "c?.csv", 10)],
)
def test_the_cases_are_remembered_by_the_pattern_that_named_them(
    folder: Path, named: str, pattern: str, files: int
) -> None:
    new = read_new(DESCRIPTION, config(folder / named, kept_out=1))
    assert (new.folder, new.pattern, new.files) == (str(folder), pattern, files)


def test_too_few_or_incomplete_cases_are_refused(folder: Path) -> None:
    with pytest.raises(UserError, match="10 cases, of which kept_out=9 keeps 9 out; at least 2 must be left"):
        read_new(DESCRIPTION, config(folder, kept_out=9))
    with pytest.raises(UserError, match="1 case, of which kept_out=0.3 keeps 1 out"):
        read_new(DESCRIPTION, config(folder / "c1.csv"))
    lines = (folder / "c2.csv").read_text().splitlines()
    lines[10] = lines[10].split(",", 2)[0] + ",," + lines[10].split(",", 2)[2]
    (folder / "c2.csv").write_text("\n".join(lines))
    (folder / "c4.csv").write_text("\n".join((folder / "c4.csv").read_text().splitlines()[:9]))
    with pytest.raises(UserError) as refused:
        read_new(DESCRIPTION, config(folder))
    assert "2 problems in 2 files" in str(refused.value)
    assert "c2.csv: a predicted column is missing or has empty fields" in str(refused.value)
    assert "c4.csv: 4 rows on the surrogate's step" in str(refused.value)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"kept_out": 0}, "kept_out=0: must be a number of cases"),
        ({"kept_out": 1.0}, "kept_out=1.0: must be a number of cases"),
        ({"old_share": 1.0}, "old_share=1.0: must be at least 0.0 and below 1.0"),
        ({"unit": "a", "groups": "b"}, "unit=a: give groups="),
        ({"unit": " "}, "must not be empty"),
    ],
)
def test_keys_are_checked(keys: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        config(Path("x"), **keys)
