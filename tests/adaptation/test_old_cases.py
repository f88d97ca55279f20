"""Old cases are found again by their fingerprint, whole or as stretches."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lag import CHANNELS, lag_case, make, settings

from surrogate_modeling.adaptation.old_cases import read_old, steps_since_training
from surrogate_modeling.cases.fingerprint import file_fingerprint, fingerprint
from surrogate_modeling.cases.folder import list_case_files
from surrogate_modeling.cases.writer import write_case
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.surrogate.lineage import LineageStep
from surrogate_modeling.surrogate.model import Surrogate


def write(folder: Path, count: int) -> Path:
    folder.mkdir()
    for i in range(count):
        case = lag_case(40, i)
        write_case(folder / f"{case.name}.csv", CHANNELS.units, case.time, case.values)
    return folder


def step(folder: Path, files: int, parts: dict[str, dict[str, str | None]], what: str = "trained") -> LineageStep:
    digest = file_fingerprint(list_case_files(folder)[:files])
    empty: dict[str, dict[str, str | None]] = {"training": {}, "validation": {}, "test": {}}
    return LineageStep(what, str(folder), "*.csv", files, digest, {**empty, **parts})


@pytest.fixture
def surrogate(tmp_path: Path) -> Surrogate:
    made = make(settings())[0]
    parts = {
        "training": {"case0": "a", "case1 (0 to 20 s)": None},
        "validation": {},
        "test": {"case1 (25 to 39 s)": "b"},
    }
    made.lineage = (step(write(tmp_path / "old", 4), 3, parts),)
    return made


def test_cases_and_stretches_come_back_with_their_units(surrogate: Surrogate, tmp_path: Path) -> None:
    """Only the first three files are of the training."""
    (tmp_path / "old" / "case3.csv").write_text("of another use")
    old = read_old(surrogate, None)
    assert [(case.name, case.unit) for case in old.training] == [
        ("case0 (old 0)", "a"),
        ("case1 (0 to 20 s) (old 0)", None),
    ]
    assert [(case.name, case.unit) for case in old.test] == [("case1 (25 to 39 s) (old 0)", "b")]
    np.testing.assert_allclose(old.training[1].values, lag_case(40, 1).values[:21], rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(old.test[0].time, np.arange(25.0, 40.0))


def test_other_cases_are_not_taken_for_the_old_ones(
    surrogate: Surrogate, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    moved = (tmp_path / "old").rename(tmp_path / "moved")
    assert not read_old(surrogate, None).are_there
    assert "No such file" in caplog.text
    assert len(read_old(surrogate, str(moved)).training) == 2
    with (moved / "case0.csv").open("a") as file:
        file.write("40,0,0,0\n")
    with pytest.raises(UserError, match="not the 3 cases of the training"):
        read_old(surrogate, str(moved))
    (moved).rename(tmp_path / "old")
    assert not read_old(surrogate, None).are_there


def test_cases_of_an_adaptation_count_and_those_before_the_last_training_do_not(surrogate: Surrogate) -> None:
    (trained,) = surrogate.lineage
    adapted = replace(trained, what="adapted")
    assert steps_since_training([adapted, trained, adapted, trained, adapted]) == [trained, adapted]
    surrogate.lineage = (trained, adapted)
    names = [case.name for case in read_old(surrogate, None).training]
    assert len(set(names)) == len(names) == 4


def test_the_fingerprint_is_of_names_and_content(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a", 2), write(tmp_path / "b", 2)
    files = sorted(a.iterdir()), sorted(b.iterdir())
    assert file_fingerprint(files[0]) == file_fingerprint(files[1])
    assert len({fingerprint([("x", "1")]), fingerprint([("x", "2")]), fingerprint([("y", "1")])}) == 3
