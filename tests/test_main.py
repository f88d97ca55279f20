"""The installed command from a folder that is no clone, as a user types it."""

import subprocess
import sys
from pathlib import Path

import pytest

from surrogate_modeling.__main__ import MODULES, VERBS


def surrogate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "surrogate_modeling", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


def test_help_lists_the_verbs(tmp_path: Path) -> None:
    done = surrogate(tmp_path)
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()[2:]] == list(VERBS)


def test_a_refusal_need_not_wait_for_torch() -> None:
    modules = ", ".join(
        f"surrogate_modeling.{MODULES.get(verb, verb)}" for verb in VERBS if verb not in ("ui", "send", "dashboard")
    )
    script = f"import sys, {modules}; print([name for name in ('torch', 'mlflow', 'optuna') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "surrogate trian: no such verb; known: train, import"),
        (
            ["train", "dataset=csv", "dataset.path=データ/夏 1", "dataset.controls=2"],
            "dataset.path=データ/夏 1: No such file",
        ),
        (["predict", "surrogate=~/no such.pth", "cases=x", "output=y"], "no such.pth"),
        (["send"], "usage: "),
    ],
)
def test_a_verb_is_run_anywhere_and_its_refusal_is_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = surrogate(tmp_path, *arguments)
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
