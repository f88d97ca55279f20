import errno
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from builders import read, write_cases

from surrogate_modeling.cases import rows as rows_module
from surrogate_modeling.cases.rows import Rows
from surrogate_modeling.common.errors import UserError


def test_cases_of_any_length_lie_one_after_another_in_one_array() -> None:
    """The second is longer than what was guessed from the first."""
    rows = Rows(expected=3)
    given = [np.float32([[length, length + 0.5]] * length) for length in (2, 11, 1)]
    for values in given:
        rows.add(values)
    table = rows.table(["a", "b", "c"], [0, 1])
    assert table.values.tolist() == [*[[2.0, 2.5]] * 2, *[[11.0, 11.5]] * 11, [1.0, 1.5]]
    assert table.first == {"a": 0, "b": 2, "c": 13}
    assert table.rows_of("b", 11).tolist() == [[11.0, 11.5]] * 11
    assert all(np.shares_memory(table.rows_of(name, 1), table.values) for name in "abc")


@pytest.mark.parametrize("in_file", [False, True])
def test_columns_are_put_in_order(in_file: bool) -> None:
    rows = Rows(2, in_file)
    rows.add(np.array([[1, 2, 3]], np.float32))
    rows.add(np.array([[4, 5, 6], [7, 8, 9]], np.float32))
    assert rows.table(["a", "b"], [2, 0, 1]).values.tolist() == [[3, 1, 2], [6, 4, 5], [9, 7, 8]]


def test_rows_in_a_file_are_those_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second case is longer than what was guessed from the first; the file has no name, so nothing is left."""
    monkeypatch.setattr(rows_module, "cache_folder", lambda: tmp_path)
    given = [np.random.default_rng(n).normal(size=(n, 3)).astype(np.float32) for n in (2, 3000, 1)]
    tables = []
    for in_file in (False, True):
        rows = Rows(3, in_file)
        for values in given:
            rows.add(values)
        rows.shift(1, np.array([0.0, 2.5, 0.0]))
        tables.append(rows.table(["a", "b", "c"], [1, 2, 0]))
    assert tables[0].first == tables[1].first
    np.testing.assert_array_equal(tables[1].values, tables[0].values)
    np.testing.assert_array_equal(tables[1].rows_of("c", 1), given[2][:, [1, 2, 0]])
    assert type(tables[1].values) is np.ndarray
    assert [table.file is not None for table in tables] == [False, True]
    for table in tables:
        copied = np.zeros((3000, 3), np.float32)
        table.copy_rows(2, copied)
        np.testing.assert_array_equal(copied, tables[0].rows_of("b", 3000))
        # Another process gets the rows without the file.
        sent = pickle.loads(pickle.dumps(table))
        assert sent.file is None
        np.testing.assert_array_equal(sent.values, tables[0].values)
    assert not list(tmp_path.iterdir())


def test_rows_lie_in_a_file_where_they_would_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A case of 1000 rows of two columns takes 8 kB, three are expected: more than half of 40 kB, less than of 50 kB."""
    monkeypatch.setattr(rows_module, "cache_folder", lambda: tmp_path)
    for free, expected in ((50_000, False), (40_000, True), (None, False)):
        monkeypatch.setattr(rows_module, "available_memory", lambda free=free: free)
        caplog.clear()
        with caplog.at_level("INFO"):
            Rows(3, None).add(np.zeros((1000, 2), np.float32))
        assert ("settings.memory_map" in caplog.text) is expected


def test_a_full_disk_is_refused_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "cache_folder", lambda: tmp_path)

    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(UserError, match=r"no room for the rows of the cases, 0\.0 GB \(No space left"):
        Rows(1, True).add(np.zeros((10, 2), np.float32))


def test_no_case_can_be_written_to() -> None:
    rows = Rows(expected=1)
    rows.add(np.zeros((2, 1), np.float32))
    with pytest.raises(ValueError, match="read-only"):
        rows.table(["a"], [0]).rows_of("a", 2)[0, 0] = 1.0


def test_a_case_of_another_width_is_left_out() -> None:
    rows = Rows(expected=2)
    rows.add(np.zeros((2, 3), np.float32))
    rows.add(np.zeros((2, 4), np.float32))
    assert rows.table(["a"], [0, 1, 2]).values.shape == (2, 3)


def test_room_is_made_for_what_the_files_hold_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of five cases is ten times as long as each of the others: 1.4 times its length, not five times."""
    asked: list[float] = []
    real = Rows.__init__

    def noted(self: Rows, expected: float, in_file: bool | None = False) -> None:
        asked.append(expected)
        real(self, expected, in_file)

    monkeypatch.setattr(Rows, "__init__", noted)
    write_cases(tmp_path / "cases", count=5)
    for i, file in enumerate(sorted((tmp_path / "cases").iterdir())):
        head, rows = file.read_text().splitlines()[:2], 400 if i == 0 else 40
        file.write_text("\n".join([*head, *(f"{1000 + t},1,2,3,4" for t in range(rows))]))
    read(tmp_path / "cases")
    assert asked == [pytest.approx(1.4, abs=0.03)]
