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
