"""The command ``generate``, and the way from an FMU over cases and a surrogate to an FMU."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from builders import run_command
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

fmpy = pytest.importorskip("fmpy")
from plant_fmu import build_fmu  # noqa: E402

from surrogate_modeling.common.errors import UserError  # noqa: E402
from surrogate_modeling.common.paths import CONFIG_DIR, PROJECT_ROOT  # noqa: E402
from surrogate_modeling.common.wording import counted  # noqa: E402
from surrogate_modeling.config.composition import register_schemas, to_generation  # noqa: E402
from surrogate_modeling.config.dataset import FmuConfig  # noqa: E402
from surrogate_modeling.generation.dataset import make_missing  # noqa: E402

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
SOURCE = PROJECT_ROOT / "src" / "surrogate_modeling"
DATASET = ["dataset=fmu", "dataset.fmu=plant.fmu", "dataset.path=cases", "dataset.output_step=0.1"]


def generate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_command(folder, [str(SOURCE / "generate.py")], *arguments)


def test_nothing_is_run_without_trust_and_the_list_is_a_plan(tmp_path: Path) -> None:
    build_fmu(tmp_path / "plant.fmu", fault="crash")
    listed = generate(tmp_path, *DATASET, "list=True")
    assert (listed.returncode, listed.stderr) == (0, "")
    plan = listed.stdout.replace('#  "gain": [0.5, 2]', '  "gain": [1.4, 1.6]')
    (tmp_path / "plan.yaml").write_text(plan)
    short = [*DATASET, "dataset.plan=plan.yaml", "dataset.duration=5", "dataset.cases=4", "dataset.attempts=1"]
    refused = generate(tmp_path, *short)
    assert refused.returncode == 2
    assert "plant.fmu (model plant of a test, FMI 2.0, co-simulation and model-exchange" in refused.stderr
    assert "would be run 4 times" in refused.stderr
    assert not (tmp_path / "cases").exists()
    made = generate(tmp_path, *short, "dataset.trust=True")
    gains = pd.read_csv(tmp_path / "cases" / "parameters.csv", index_col="case")["gain"]
    bad = list(gains[gains > 1.5].index)
    assert 0 < len(bad) < 4
    assert made.returncode == 2
    assert f"error: {counted(len(bad), 'case')} failed, the others are there: {bad[0]}: the process died" in made.stderr
    assert list(pd.read_csv(tmp_path / "cases" / "failed.csv")["case"]) == bad
    assert f"{counted(4 - len(bad), 'case')} made, 0 were there" in made.stdout
    # Nothing is missing of the first case: nothing is run, so nobody's leave is needed.
    config = FmuConfig(
        "fmu", fmu=str(tmp_path / "plant.fmu"), path=str(tmp_path / "cases"), controls=None, duration=5.0,
        plan=str(tmp_path / "plan.yaml"),
    )  # fmt: skip
    assert make_missing(config, limit=1).present == ([1] if "case0001" not in bad else [])


@pytest.mark.slow
def test_the_page_runs_as_written(tmp_path: Path) -> None:
    """With fewer and shorter cases."""
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", (PROJECT_ROOT / "docs" / "generation.md").read_text(), re.M | re.S)
    build_fmu(tmp_path / "plant.fmu")
    (tmp_path / "plan.yaml").write_text(next(text for language, text in blocks if language == "yaml"))
    (tmp_path / "plant.py").write_text(next(text for language, text in blocks if language == "python"))
    lines = [
        shlex.split(line) for _, text in blocks for line in text.splitlines() if line.startswith("pdm run generate")
    ]
    made = [words[3:] for words in lines if ">" not in words]
    assert len(made) == 2
    for words, columns in zip(made, (["u", "on", "gain", "x"], ["valve", "mass", "level"]), strict=True):
        done = generate(tmp_path, *words, "dataset.cases=3", "dataset.duration=60", "dataset.path=cases")
        assert done.returncode == 0, done.stderr
        table = pd.read_csv(tmp_path / "cases" / "case0003.csv", skiprows=[1])
        assert list(table) == ["time", *columns]
        assert len(table) == 601
        shutil.rmtree(tmp_path / "cases")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list=True"], "list=True: for dataset=fmu only, not for dataset=refrigerant"),
        (["dataset=fmu", "dataset.fmu=x", "check=true"], "check=true: for dataset=refrigerant only"),
    ],
)
def test_refusals(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = generate(tmp_path, *arguments)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f"error: {message}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dataset=csv", "dataset.path=x", "dataset.controls=1"], "dataset=csv: nothing to simulate; use dataset=refr"),
        (["dataset=fmu"], "dataset.fmu: no value given"),
        (["dataset=fmu", "dataset.fmu=no.fmu"], "dataset.fmu=.*no.fmu: No such file"),
        (["dataset=command"], "dataset.command, dataset.path: no value given"),
        (["dataset=command", "dataset.path=x", "dataset.command=run"], "neither inputs nor parameter_ranges"),
        (
            ["dataset=command", "dataset.path=x", "dataset.command='run -n {{number}}'", "dataset.inputs={u:[0,1]}"],
            "`run -n '{{number}}'` is a program: it would be run 100 times",
        ),
    ],
)
def test_configurations_that_are_refused(arguments: list[str], message: str) -> None:
    register_schemas()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        tree = compose("generate", arguments)
    with pytest.raises(UserError, match=message):
        make_missing(to_generation(tree).dataset)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_killed_run_leaves_no_simulator_behind_and_goes_on(tmp_path: Path) -> None:
    """A program that hangs ends with the command that started it."""
    (tmp_path / "program.py").write_text(
        "import sys, time\nfrom pathlib import Path\n"
        f"with Path({str(tmp_path / 'pids')!r}).open('a') as file: print(__import__('os').getpid(), file=file)\n"
        "if sys.argv[1] == '3' and not Path(sys.argv[2]).exists(): time.sleep(600)\n"
        'Path("output.csv").write_text("t,y\\ns,-\\n0,1\\n600,2\\n")\n'
    )
    arguments = [
        "dataset=command", f"dataset.command={sys.executable} program.py {{{{number}}}} {tmp_path / 'go'}",
        "dataset.path=cases", "dataset.inputs={u:[0,1]}", "dataset.cases=4", "dataset.workers=1", "dataset.trust=True",
    ]  # fmt: skip
    process = subprocess.Popen([sys.executable, str(SOURCE / "generate.py"), *arguments], cwd=tmp_path)
    deadline = time.monotonic() + 60
    while not (tmp_path / "pids").exists() or len((tmp_path / "pids").read_text().split()) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    hanging = int((tmp_path / "pids").read_text().split()[2])
    deadline = time.monotonic() + 30
    while Path(f"/proc/{hanging}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    names = [f"case{number:04d}.csv" for number in range(1, 5)]
    assert sorted(path.name for path in (tmp_path / "cases").glob("case*")) == names[:2]
    (tmp_path / "go").touch()
    done = generate(tmp_path, *arguments)
    assert "2 cases made, 2 were there" in done.stdout
    assert sorted(path.name for path in (tmp_path / "cases").glob("case*")) == names


@pytest.mark.slow
def test_from_an_fmu_over_cases_and_a_surrogate_to_an_fmu(tmp_path: Path) -> None:
    build_fmu(tmp_path / "plant.fmu", 3)
    short = [
        "dataset.duration=30", "dataset.cases=8", "dataset.trust=True", "dataset.parameter_ranges={gain:[0.5,2]}",
        "dataset.inputs={u:{range:[0,1],family:[steps,multisine]}}", "dataset.start={on:1}", "dataset.outputs=[x]",
    ]  # fmt: skip
    train = [
        "settings=quick", "model=nss", "settings.decimate_range=0.1", "settings.is_save_model=True",
        "settings.num_figures=0", "settings.is_debug=True", f"hydra.run.dir={tmp_path / 'run'}",
    ]  # fmt: skip
    done = run_command(tmp_path, [str(SOURCE / "train.py")], *DATASET, *short, *train)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "cases").glob("case*.csv"))) == 6
    saved = next((tmp_path / "mlruns").glob("*/artifacts/lit_model.pth"))
    done = run_command(
        tmp_path, [str(SOURCE / "export.py")], "format=fmu", f"surrogate={saved}", "output=surrogate.fmu",
        "cases=cases/case0001.csv",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # The surrogate's FMU makes cases in its turn: the plant's parameter is one of it.
    ranges = "dataset.inputs={u:{range:[0,1],times:[2,6]}}"
    done = generate(
        tmp_path, "dataset=fmu", "dataset.fmu=surrogate.fmu", "dataset.path=again", "dataset.output_step=0.1",
        "dataset.duration=30", "dataset.cases=3", "dataset.trust=True", ranges,
        "dataset.parameter_ranges={gain:[1,1]}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "again" / "case0001.csv", skiprows=[1])
    assert list(table) == ["time", "u", "gain", "x"]
    # It follows the plant: x' = (u - x) / 2 s from its own start.
    expected = [table["x"][0]]
    for u in table["u"][1:]:
        expected.append(u + (expected[-1] - u) * np.exp(-0.1 / 2))
    assert np.abs(table["x"] - expected).mean() < 0.1
