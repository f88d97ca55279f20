"""Freed memory goes back to the system, or nothing happens where it cannot."""

import re
import sys
from pathlib import Path

import pytest

from surrogate_modeling.memory import give_back_freed_memory


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


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    give_back_freed_memory()
