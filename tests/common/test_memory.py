"""Freed memory goes back to the system, or nothing happens where it cannot."""

import re
import sys
from pathlib import Path

import pytest

from surrogate_modeling.common import memory
from surrogate_modeling.common.memory import give_back_freed_memory


def resident() -> int:
    """Of this process [kB]."""
    return int(re.findall(r"^VmRSS:\s+(\d+)", Path("/proc/self/status").read_text(), re.M)[0])


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's")
def test_what_lies_below_a_block_in_use_is_given_back() -> None:
    blocks = [bytearray(100_000) for _ in range(2_000)]
    last = bytearray(100_000)
    full = resident()
    del blocks
    give_back_freed_memory()
    assert full - resident() > 100_000
    assert len(last) == 100_000


def test_elsewhere_the_c_library_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(memory.ctypes, "CDLL", asked.append)
    for platform, expected in (("win32", 0), ("darwin", 0), ("linux", 1)):
        monkeypatch.setattr(sys, "platform", platform)
        give_back_freed_memory()
        assert len(asked) == expected


def written(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/", {}, 8_000 * 1024),
        (
            "0::/a/b",
            {"a/memory.max": "5000000", "a/memory.stat": "anon 1000000\nfile 3", "a/b/memory.max": "max"},
            4_000_000,
        ),
        ("5:memory:/a", {"memory/a/memory.limit_in_bytes": "700", "memory/a/memory.stat": "cache 9\nrss 900"}, 0),
        ("5:cpu:/a", {"cpu/a/memory.limit_in_bytes": "700", "cpu/a/memory.stat": "rss 200"}, 8_000 * 1024),
    ],
)
def test_available_memory_is_that_of_the_system_or_of_the_least_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str, files: dict[str, str], expected: int
) -> None:
    written(tmp_path / "meminfo", "MemTotal:  9000 kB\nMemAvailable:  8000 kB\n")
    written(tmp_path / "own", own + "\n")
    for name, text in files.items():
        written(tmp_path / "groups" / name, text + "\n")
    for name, path in {"MEMINFO": "meminfo", "OWN_GROUPS": "own", "GROUPS": "groups"}.items():
        monkeypatch.setattr(memory, name, tmp_path / path)
    assert memory.available_memory() == expected


def test_where_the_system_says_nothing_the_available_memory_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MEMINFO", "OWN_GROUPS", "GROUPS"):
        monkeypatch.setattr(memory, name, tmp_path / "none")
    assert memory.available_memory() is None
