"""Preparing the circuit compiles what a simulation then uses, while another process makes the tables."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from surrogate_modeling.refrigerant import preparation
from surrogate_modeling.refrigerant.compilation import code_folder
from surrogate_modeling.refrigerant.integrator import simulate
from surrogate_modeling.refrigerant.observation import predicted_rows, soaked_start
from surrogate_modeling.refrigerant.preparation import prepare
from surrogate_modeling.refrigerant.properties import Tables


def test_what_is_compiled_beforehand_is_what_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """One form of each function: a call with other types would compile a second one."""
    monkeypatch.setattr(preparation, "is_sealed", lambda: False)
    assert prepare("R134a") == {"rows": 3}
    assert [len(function.signatures) for function in (simulate, soaked_start, predicted_rows)] == [1, 1, 1]


@pytest.mark.slow
def test_another_process_makes_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with preparation._tables_made_meanwhile("R134a"):
        pass
    (path,) = tmp_path.rglob("R134a-*.npz")
    with np.load(path) as stored:
        assert [stored[name].ndim for name in Tables._fields] == [part.ndim for part in Tables.empty()]


def test_a_lock_that_is_not_given_back_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "is_sealed", lambda: False)
    monkeypatch.setattr(preparation, "SECONDS_TO_COMPILE", 0.1)
    with FileLock(code_folder() / preparation.LOCK):
        assert prepare("R134a") == {"rows": 3}
    with FileLock(code_folder() / preparation.LOCK, timeout=0):
        pass


@pytest.mark.slow
def test_two_commands_that_find_nothing_compile_once(tmp_path: Path) -> None:
    script = (
        "from surrogate_modeling.refrigerant.preparation import prepare\n"
        "from surrogate_modeling.refrigerant.integrator import simulate\n"
        "if __name__ == '__main__':\n"
        "    prepare('R134a')\n"
        "    print(sum(simulate.stats.cache_misses.values()))\n"
    )
    (tmp_path / "prepare.py").write_text(script)
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, str(tmp_path / "prepare.py")]
    both = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert sorted(process.communicate()[0].strip() for process in both) == ["0", "1"]
