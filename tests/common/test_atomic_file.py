"""Files are whole or absent, on a disk that is really full too."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import disk, fill, grid_case

from surrogate_modeling.cases.cache import load_entry, save_entry
from surrogate_modeling.common.atomic_file import STALE_AFTER, NotWritten, append_atomic, write_atomic
from surrogate_modeling.tracking.journal import append, drop_half_line, keep_reserve, release_reserve
from surrogate_modeling.training.checkpoints import AtomicCheckpointIO


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with disk(tmp_path, "64k") as folder:
        yield folder


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """This process may write no longer file (EFBIG), as on a disk that fills up in the middle of it."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_leaves_the_file_before(small_disk: Path) -> None:
    path = small_disk / "圧力.csv"
    write_atomic(path, b"good")
    with pytest.raises(
        NotWritten, match=r"圧力.csv: No space left on device; 100,000 bytes are needed, [\d,]+ are free"
    ):
        write_atomic(path, b"x" * 100_000)
    assert path.read_bytes() == b"good"
    assert list(small_disk.iterdir()) == [path]


def test_a_write_cut_in_the_middle_leaves_the_file_before(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_atomic(path, b"good")
    with files_of_at_most(1000), pytest.raises(NotWritten, match=r"a.csv: File too large; 1,001 bytes are needed"):
        write_atomic(path, b"x" * 1001)
    assert path.read_bytes() == b"good"
    assert list(tmp_path.iterdir()) == [path]


def test_a_checkpoint_on_a_full_disk_leaves_the_one_before(small_disk: Path) -> None:
    path = small_disk / "epoch=1.ckpt"
    AtomicCheckpointIO().save_checkpoint({"weights": torch.arange(10)}, path)
    with pytest.raises(NotWritten, match=r"epoch=1.ckpt: No space left on device; [\d,]+ bytes are needed"):
        AtomicCheckpointIO().save_checkpoint({"weights": torch.zeros(50_000)}, path)
    assert torch.equal(torch.load(path, weights_only=True)["weights"], torch.arange(10))
    assert list(small_disk.iterdir()) == [path]


def test_a_case_that_does_not_fit_is_not_cached(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = 20_000
    case = grid_case(["a"], ["-"], np.zeros((rows, 1)))
    save_entry(small_disk / "one.case", case)
    assert "could not cache" in caplog.text
    assert load_entry(small_disk / "one.case") is None
    assert list(small_disk.iterdir()) == []


def test_parts_of_killed_processes_go_and_those_at_work_stay(tmp_path: Path) -> None:
    path = tmp_path / "deep" / ("長" * 80 + ".csv")
    write_atomic(path, b"one")
    parts: list[str] = []
    replace = Path.replace

    def killed(self: Path, target: Path) -> Path:
        parts.append(self.name)
        return self

    Path.replace = killed  # type: ignore[method-assign, assignment]
    try:
        write_atomic(path, b"two")
        write_atomic(path, b"three")
    finally:
        Path.replace = replace  # type: ignore[method-assign]
    old, young = (path.parent / name for name in parts)
    os.utime(old, (0, old.stat().st_mtime - STALE_AFTER - 1))
    script = f"from pathlib import Path; from surrogate_modeling.common.atomic_file import *; write_atomic(Path({str(path)!r}), b'four')"
    subprocess.run([sys.executable, "-c", script], check=True)
    assert path.read_bytes() == b"four"
    assert not old.exists()
    assert young.exists()


def test_others_may_read_it_like_any_file(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    write_atomic(tmp_path / "whole", b"")
    assert (tmp_path / "whole").stat().st_mode == plain.stat().st_mode


def test_a_folder_is_looked_through_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Path] = []
    glob = Path.glob

    def counted(self: Path, pattern: str) -> Iterator[Path]:
        looked.append(self)
        return glob(self, pattern)

    monkeypatch.setattr(Path, "glob", counted)
    for number in range(5):
        write_atomic(tmp_path / "figure" / f"{number}.png", b"")
    assert looked == [tmp_path / "figure"]


@pytest.mark.parametrize(("durable", "flushed"), [(True, 1), (False, 0)])
def test_the_disk_is_waited_for_only_where_it_matters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool, flushed: int
) -> None:
    calls: list[int] = []
    monkeypatch.setattr(os, "fsync", calls.append)
    write_atomic(tmp_path / "a", b"", durable=durable)
    assert len(calls) == flushed


def test_a_line_that_does_not_fit_leaves_the_lines_before(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    append_atomic(path, b"x" * 989 + b"\n")
    with files_of_at_most(1000), pytest.raises(NotWritten, match=r"a.jsonl: File too large; 20 bytes are needed"):
        append_atomic(path, b"y" * 19 + b"\n")
    append_atomic(path, b"z\n")
    assert path.read_bytes() == b"x" * 989 + b"\nz\n"


def test_the_last_words_of_a_journal_fit_on_a_full_disk(tmp_path: Path) -> None:
    with disk(tmp_path, "256k") as folder:
        keep_reserve(folder)
        append(folder, {"op": "start"})
        fill(folder)
        with pytest.raises(
            NotWritten, match=r"tracking.jsonl: No space left on device; [\d,]+ bytes are needed, 0 are free"
        ):
            append(folder, {"op": "metrics", "values": "x" * 5000})
        assert release_reserve(folder)
        append(folder, {"op": "tags", "values": "x" * 5000})
        assert not release_reserve(folder)
        before = (folder / "tracking.jsonl").read_bytes()
        drop_half_line(folder / "tracking.jsonl")
        assert (folder / "tracking.jsonl").read_bytes() == before
        assert [line[:13] for line in before.splitlines()] == [b'{"op": "start', b'{"op": "tags"']


def test_a_folder_that_cannot_be_made_is_no_matter_of_space(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotWritten, match=r"a.csv: File exists\. What was there before is intact$"):
        write_atomic(tmp_path / "file" / "a.csv", b"1")
