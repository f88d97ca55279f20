"""The cache may be damaged, deleted, shared or on a full disk: what is read stays the same."""

import errno
import json
import logging
import multiprocessing
import os
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from builders import grid_case, read, read_in_process, smooth_values, write_cases, write_table
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from surrogate_modeling.cases import folder as cases
from surrogate_modeling.cases.cache import load_entry, save_entry
from surrogate_modeling.cases.case import CaseSet
from surrogate_modeling.cases.grid import Grid


def entries(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.case"))


def assert_equal(one: CaseSet, other: CaseSet) -> None:
    assert one.channels == other.channels
    assert (one.step, one.fingerprint) == (other.step, other.fingerprint)
    assert [case.name for case in one.cases] == [case.name for case in other.cases]
    for a, b in zip(one.cases, other.cases, strict=True):
        assert a.time.tobytes() == b.time.tobytes()
        assert a.values.tobytes() == b.values.tobytes()
        assert (a.values.dtype, a.values.shape) == (b.values.dtype, b.values.shape)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were parsed, not taken from the cache."""
    parsed: list[str] = []
    parse = cases.parse_file
    monkeypatch.setattr(
        cases, "parse_file", lambda path, *rest, **kept: parsed.append(path.name) or parse(path, *rest, **kept)
    )
    return parsed


def test_the_second_reading_equals_the_first_and_parses_nothing(tmp_path: Path, counted: list[str]) -> None:
    write_cases(tmp_path, 3, step=0.3)
    first = read(tmp_path)
    assert sorted(counted) == ["case0.csv", "case1.csv", "case2.csv"]
    assert_equal(first, read(tmp_path))
    assert len(counted) == 3


def test_another_grid_is_another_entry(tmp_path: Path, counted: list[str]) -> None:
    write_cases(tmp_path, 1, rows=60)
    assert [len(read(tmp_path, grid=Grid(step, 5.0)).cases[0].time) for step in (1.0, 2.0, None, 1.0)] == [
        60,
        30,
        60,
        60,
    ]
    assert len(counted) == 3


def test_other_ignored_columns_are_another_entry(tmp_path: Path, counted: list[str]) -> None:
    write_cases(tmp_path, 1)
    found = [read(tmp_path, ["load"], ignore=ignore).channels.predicted for ignore in (["p"], ["T"], [], ["p"])]
    assert found == [("valve", "T"), ("valve", "p"), ("valve", "T", "p"), ("valve", "T")]
    assert len(counted) == 3


def test_a_grid_that_refuses_is_not_answered_by_one_that_allowed(tmp_path: Path) -> None:
    write_table(tmp_path / "a.csv", np.r_[0:15, 40:60.0], smooth_values(35))
    read(tmp_path, grid=Grid(1.0, None))
    with pytest.raises(cases.UserError, match="gap"):
        read(tmp_path, grid=Grid(1.0, 5.0))


def test_a_changed_file_of_the_same_size_and_time_is_noticed(tmp_path: Path) -> None:
    write_cases(tmp_path, 2)
    path = tmp_path / "case0.csv"
    before, status = read(tmp_path), path.stat()
    body = path.read_bytes()
    changed = body.replace(b"\n3.0,", b"\n3.1,")
    assert len(changed) == len(body)
    # A clock of the file system ticks every few milliseconds.
    while path.stat().st_ctime_ns == status.st_ctime_ns:
        path.write_bytes(changed)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    after = read(tmp_path)
    assert path.stat().st_mtime_ns == status.st_mtime_ns
    assert after.fingerprint != before.fingerprint
    assert after.cases[0].values[3].tolist() != before.cases[0].values[3].tolist()


def test_added_removed_and_swapped_files_are_noticed(tmp_path: Path) -> None:
    write_cases(tmp_path, 3)
    first = read(tmp_path)
    write_table(tmp_path / "case9.csv", np.arange(20), smooth_values(20, 9))
    assert [case.name for case in read(tmp_path).cases] == ["case0", "case1", "case2", "case9"]
    (tmp_path / "case9.csv").unlink()
    assert_equal(read(tmp_path), first)
    for old, new in (("case0", "x"), ("case1", "case0"), ("x", "case1")):
        (tmp_path / f"{old}.csv").rename(tmp_path / f"{new}.csv")
    swapped = read(tmp_path)
    np.testing.assert_array_equal(swapped.cases[0].values, first.cases[1].values)
    assert swapped.fingerprint != first.fingerprint


@pytest.mark.parametrize(
    "damage",
    [
        lambda body: b"",
        lambda body: body[:10],
        lambda body: body[:-1],
        lambda body: body + b"\x00",
        lambda body: b"\x00" * len(body),
        lambda body: body.replace(b"valve", b"valvf"),
        lambda body: body.replace(b'"kW"', b'"mW"'),
        lambda body: body[:-5] + bytes([body[-5] ^ 1]) + body[-4:],
        lambda body: b"5\n" + body,
        lambda body: b"[" * 100_000,
    ],
    ids=["empty", "head", "cut", "longer", "zeros", "name", "unit", "value", "number", "nested"],
)
def test_a_damaged_entry_is_made_again(tmp_path: Path, cache_folder: Path, counted: list[str], damage: object) -> None:
    write_cases(tmp_path, 2)
    first = read(tmp_path)
    whole = [entry.read_bytes() for entry in entries(cache_folder)]
    for entry in entries(cache_folder):
        entry.write_bytes(damage(entry.read_bytes()))  # type: ignore[operator]
    assert_equal(read(tmp_path), first)
    assert len(counted) == 4
    assert [entry.read_bytes() for entry in entries(cache_folder)] == whole


CASE = grid_case(["a", "圧力"], ["-", "MPa"], np.arange(10.0).reshape(5, 2))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(at=st.integers(0, 10_000), flip=st.integers(1, 255), cut=st.booleans())
def test_no_single_damaged_byte_is_believed(tmp_path: Path, at: int, flip: int, cut: bool) -> None:
    path = tmp_path / "one.case"
    save_entry(path, CASE)
    body = bytearray(path.read_bytes())
    at %= len(body)
    body = body[:at] if cut else body[:at] + bytes([body[at] ^ flip]) + body[at + 1 :]
    path.write_bytes(body)
    assert load_entry(path) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(
    key=st.sampled_from(["names", "units", "rows", "raw_step", "digest", "numbers", "ignored", "more", None]),
    value=JSON,
)
@example(key="rows", value=10**15)
@example(key="rows", value=-1)
@example(key="names", value=["a"] * 1000)
def test_no_crafted_header_ends_a_run_or_takes_memory(tmp_path: Path, key: str | None, value: object) -> None:
    """Its checksum is right, as whoever makes such a file would see to."""
    path = tmp_path / "one.case"
    save_entry(path, CASE)
    _, head, body = path.read_bytes().split(b"\n", maxsplit=2)
    header = json.loads(head)
    crafted = value if key is None else {**header, key: value}
    content = json.dumps(crafted).encode() + b"\n" + body
    path.write_bytes(b"%08x\n" % zlib.crc32(content) + content)
    tracemalloc.start()
    found = load_entry(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000
    assert found is None or found.values.shape == (5, 2)


KEPT = ("names", "units", "digest", "numbers", "ignored")


def test_an_entry_comes_back_as_it_was(tmp_path: Path) -> None:
    save_entry(tmp_path / "new" / "one.case", CASE)
    found = load_entry(tmp_path / "new" / "one.case")
    assert found is not None
    assert [getattr(found, key) for key in KEPT] == [getattr(CASE, key) for key in KEPT]
    np.testing.assert_array_equal(found.time, CASE.time)
    np.testing.assert_array_equal(found.values, CASE.values)
    np.testing.assert_array_equal(found.loss.table, CASE.loss.table)
    assert (found.low.tolist(), found.high.tolist(), found.raw_step) == ([0.0, 1.0], [8.0, 9.0], 1.0)
    assert load_entry(tmp_path / "none.case") is None


def test_the_folder_may_be_deleted(tmp_path: Path, cache_folder: Path) -> None:
    write_cases(tmp_path, 2)
    first = read(tmp_path)
    for entry in entries(cache_folder):
        entry.unlink()
    cache_folder.rmdir()
    assert_equal(read(tmp_path), first)
    assert len(entries(cache_folder)) == 2


def test_a_full_disk_costs_the_cache_only(
    tmp_path: Path, cache_folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full_disk(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    write_cases(tmp_path, 2)
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(os, "fsync", full_disk)
        full = read(tmp_path)
    assert "No space left on device" in caplog.text
    assert list(cache_folder.iterdir()) == []
    assert_equal(read(tmp_path), full)


def test_a_cache_folder_that_cannot_be_made_costs_the_cache_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    write_cases(tmp_path / "cases", 2)
    monkeypatch.setattr(cases, "CACHE_FOLDER", tmp_path / "file" / "cache")
    assert len(read(tmp_path / "cases").cases) == 2
    assert "could not cache" in caplog.text


@pytest.mark.slow
def test_two_processes_fill_one_cache(tmp_path: Path, cache_folder: Path) -> None:
    write_cases(tmp_path, 6)
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(2), context.Queue()
    workers = [context.Process(target=read_in_process, args=(tmp_path, cache_folder, start, results)) for _ in range(2)]
    for worker in workers:
        worker.start()
    found = {body for _ in workers for body in results.get(timeout=60)}
    for worker in workers:
        worker.join()
    assert found == {smooth_values(65, 5).astype(np.float32).tobytes()}
    assert len(entries(cache_folder)) == 6
    assert len(list(cache_folder.iterdir())) == 6
