"""Files are whole or absent, on a disk that is really full too."""

import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from surrogate_modeling.case_cache import GridCase, load_entry, save_entry
from surrogate_modeling.checkpoints import WholeFiles
from surrogate_modeling.whole_file import STALE_AFTER, NotWritten, write_whole


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no mount command")
    if done.returncode:
        pytest.skip(f"may not mount a small disk: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


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
    write_whole(path, b"good")
    with pytest.raises(
        NotWritten, match=r"圧力.csv: No space left on device; 100,000 bytes are needed, [\d,]+ are free"
    ):
        write_whole(path, b"x" * 100_000)
    assert path.read_bytes() == b"good"
    assert list(small_disk.iterdir()) == [path]


def test_a_write_cut_in_the_middle_leaves_the_file_before(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_whole(path, b"good")
    with files_of_at_most(1000), pytest.raises(NotWritten, match=r"a.csv: File too large; 1,001 bytes are needed"):
        write_whole(path, b"x" * 1001)
    assert path.read_bytes() == b"good"
    assert list(tmp_path.iterdir()) == [path]


def test_a_checkpoint_on_a_full_disk_leaves_the_one_before(small_disk: Path) -> None:
    path = small_disk / "epoch=1.ckpt"
    WholeFiles().save_checkpoint({"weights": torch.arange(10)}, path)
    with pytest.raises(NotWritten, match="No space left on device.*go on with resume=last"):
        WholeFiles().save_checkpoint({"weights": torch.zeros(50_000)}, path)
    assert torch.equal(torch.load(path, weights_only=True)["weights"], torch.arange(10))
    assert list(small_disk.iterdir()) == [path]


def test_a_case_that_does_not_fit_is_not_cached(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = 20_000
    case = GridCase(("a",), ("-",), np.arange(rows, dtype=float), np.zeros((rows, 1), np.float32), "digest")
    save_entry(small_disk / "one.case", case)
    assert "could not cache" in caplog.text
    assert load_entry(small_disk / "one.case") is None
    assert list(small_disk.iterdir()) == []


def test_parts_of_killed_processes_go_and_those_at_work_stay(tmp_path: Path) -> None:
    path = tmp_path / "deep" / ("長" * 80 + ".csv")
    write_whole(path, b"one")
    parts: list[str] = []
    replace = Path.replace

    def killed(self: Path, target: Path) -> Path:
        parts.append(self.name)
        return self

    Path.replace = killed  # type: ignore[method-assign, assignment]
    try:
        write_whole(path, b"two")
        write_whole(path, b"three")
    finally:
        Path.replace = replace  # type: ignore[method-assign]
    old, young = (path.parent / name for name in parts)
    os.utime(old, (0, old.stat().st_mtime - STALE_AFTER - 1))
    write_whole(path, b"four")
    assert path.read_bytes() == b"four"
    assert not old.exists()
    assert young.exists()


def test_others_may_read_it_like_any_file(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    write_whole(tmp_path / "whole", b"")
    assert (tmp_path / "whole").stat().st_mode == plain.stat().st_mode
