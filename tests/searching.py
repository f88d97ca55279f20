"""A Hydra command with a quadratic objective, searched as users search, which costs nothing; shared by tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import optuna
from builders import run_python
from optuna.trial import FrozenTrial, TrialState

from surrogate_modeling.common.paths import PROJECT_ROOT

APP = """
import os, signal, sys, time
from pathlib import Path
import hydra
from surrogate_modeling.config.refusals import run_command
import surrogate_modeling.search.record as record

if os.environ.get("NO_PICTURES"):
    record.draw_pictures = lambda *_: []

@hydra.main(version_base="1.3", config_path="conf", config_name="app")
def main(cfg):
    time.sleep(float(os.environ.get("SLEEP", cfg.sleep)))
    if marks := os.environ.get("MARKS"):
        # n=1 goes on when so many others came here.
        deadline = time.monotonic() + 60
        while cfg.n == 1 and len(list(Path(marks).iterdir())) < int(os.environ["OTHERS"]):
            if time.monotonic() > deadline:
                raise RuntimeError("n=1 waited for the others in vain")
            time.sleep(0.05)
        Path(marks, str(cfg.n)).touch()
    if os.environ.get("DIE_AT") == str(cfg.n):
        os.kill(os.getpid(), signal.SIGKILL)
    if cfg.fail_every and int(cfg.n) % cfg.fail_every == 0:
        raise RuntimeError(f"n={cfg.n} is no good")
    if os.environ.get("KILL_AT") == str(cfg.n):
        raise KeyboardInterrupt
    value = (cfg.x - 1) ** 2 + (cfg.n - 3) ** 2
    return {"one": value, "two": (value, cfg.x), "bad": float("nan")}[os.environ.get("RETURNS", "one")]

sys.exit(run_command(main))
"""
CONFIG = """
defaults:
  - _self_
  - override hydra/sweeper: search
x: 0.0
n: 1
sleep: 0.0
fail_every: 0
hydra:
  searchpath: [file://{yaml}]
  sweep: {{dir: {folder}/out, subdir: "${{hydra.job.num}}"}}
  sweeper: {{storage: "sqlite:///{folder}/db/studies.db", study_name: s}}
"""
SPACE = ["x=interval(-2.0,2.0)", "n=range(1,5)"]


class App:
    """The command and its study in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "conf").mkdir()
        (folder / "app.py").write_text(APP)
        (folder / "conf" / "app.yaml").write_text(CONFIG.format(yaml=PROJECT_ROOT / "hydra", folder=folder))
        self.environment = {
            **os.environ,
            "NO_PICTURES": "1",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(PROJECT_ROOT / "src"),
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(self.folder / "app.py"), "-m", *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(command, cwd=self.folder, env=self.environment, **pipes)

    def run(self, *arguments: str) -> tuple[int, str]:
        done = run_python([str(self.folder / "app.py"), "-m", *arguments], self.folder, self.environment, timeout=180)
        return done.returncode, done.stdout + done.stderr

    def trials(self, name: str = "s") -> list[FrozenTrial]:
        return optuna.load_study(study_name=name, storage=f"sqlite:///{self.folder}/db/studies.db").trials


def wait_for_trial(process: subprocess.Popen[str]) -> None:
    """Read what a search says until it says that a trial begins."""
    assert process.stdout is not None
    said = ""
    while not re.search(r" trial \d+: ", line := process.stdout.readline()):
        said += line
        assert line, said


def states(trials: list[FrozenTrial]) -> dict[str, int]:
    """How many trials are in each state that occurs."""
    return {
        state.name: sum(t.state is state for t in trials) for state in TrialState if state in {t.state for t in trials}
    }
