"""The command ``plan``: refusals in one line, proposals, and a loop that is killed at random moments and finishes."""

import csv
import itertools
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from builders import TRAIN, command_environment, empty_store, run_command

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.dataset import RefrigerantConfig
from surrogate_modeling.config.plan_keys import PlanConfig

PLAN = ["-m", "surrogate_modeling.plan"]
# A first-order lag of a valve.
PROGRAM = """
level = 0.0
lines = [line.split(",") for line in open("inputs.csv").read().splitlines()]
with open("output.csv", "w") as output:
    print("time,level\\ns,m", file=output)
    for time, valve in lines[2:]:
        level += 0.1 * (float(valve) ** 2 - level)
        print(time, level, sep=",", file=output)
"""


def test_a_refusal_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "model.pth").touch()
    keys = ["surrogate=model.pth", "output=out", "dataset=csv", "dataset.path=x", "dataset.controls=1", "rounds=1"]
    done = run_command(tmp_path, PLAN, *keys)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "dataset=csv: nothing to simulate; use dataset=refrigerant or" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"cases": 300}, "candidates=200: must be at least cases=300"),
        ({"rounds": 2}, "rounds=2: needs dataset=refrigerant, fmu or command"),
        ({"until": 0.1, "dataset": RefrigerantConfig(path="x", controls=9)}, "until=0.1: needs rounds="),
        ({"duration": 9.0, "dataset": RefrigerantConfig(path="x", controls=9)}, "duration=9.0: not with dataset="),
        ({"duration": 0.0}, "duration=0.0: must be more than 0"),
        ({"inputs": [1]}, "inputs=[1]: must be a dictionary of controls"),
    ],
)
def test_keys_that_do_not_go_together_are_refused(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as caught:
        PlanConfig("model.pth", output="out", **keys)
    assert str(caught.value).startswith(said)


@pytest.mark.slow
def test_a_loop_that_is_killed_at_random_moments_finishes(tmp_path: Path) -> None:
    """What an uninterrupted loop leaves, whenever the process died; and a proposal with rules, to simulate by hand."""
    empty_store(tmp_path)
    (tmp_path / "plant.py").write_text(PROGRAM)
    plant = [
        "dataset=command", f"dataset.command=[{sys.executable},{tmp_path}/plant.py]", "dataset.inputs={valve: [0, 1]}",
        "dataset.cases=8", "dataset.duration=80.0", "dataset.output_step=1.0", "dataset.path=cases",
        "dataset.trust=True", "dataset.workers=1",
    ]  # fmt: skip
    recipe = ["model=nss", "settings=nss", "settings.epochs=6", "settings.horizon=40", "settings.is_save_model=True",
              "settings.num_figures=0", "settings.progress_bar=False"]  # fmt: skip
    done = run_command(tmp_path, [str(TRAIN)], *plant, *recipe, "dataset.test=3", "hydra.run.dir=run")
    assert done.returncode == 0, done.stderr
    (surrogate,) = (tmp_path / "mlruns").glob("*/artifacts/lit_model.pth")

    rules = ['constraints=["valve <= 0.9"]', "rates={valve: 0.05}"]
    done = run_command(tmp_path, PLAN, f"surrogate={surrogate}", "output=next", "cases=3", "candidates=9", *rules,
                       "inputs={valve: {range: [0, 0.9], family: [steps, ramps]}}")  # fmt: skip
    assert done.returncode == 0, done.stderr
    for file in (tmp_path / "next" / "schedules").iterdir():
        rows = [float(line.split(",")[1]) for line in file.read_text().splitlines()[2:]]
        assert max(rows) <= 0.9
        assert max(abs(b - a) for a, b in itertools.pairwise(rows)) <= 0.05 + 1e-6

    loop = [*PLAN, f"surrogate={surrogate}", *plant, "cases=2", "candidates=6", "rounds=2", "progress_bar=false"]
    began = time.monotonic()
    done = run_command(tmp_path, loop, "output=whole", seconds=900)
    whole = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    drawn, kills = random.Random(1), 0
    environment = command_environment(tmp_path)
    for _ in range(6):
        process = subprocess.Popen([sys.executable, *loop, "output=killed"], cwd=tmp_path, env=environment,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        try:
            process.wait(drawn.uniform(0.1, 0.8) * whole)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
    done = run_command(tmp_path, loop, "output=killed", seconds=900)
    assert done.returncode == 0, done.stderr
    assert kills > 0
    tables = [list(csv.DictReader((tmp_path / name / "rounds.csv").open())) for name in ("whole", "killed")]
    for rows in tables:
        assert [row["cases"] for row in rows] == ["5", "7", "9"]
    assert [row["nADE"] for row in tables[0]] == [row["nADE"] for row in tables[1]]
    left = [sorted(file.name for file in (tmp_path / name / "cases").glob("*.csv")) for name in ("whole", "killed")]
    assert left[0] == left[1]
    assert len(left[0]) == 12
