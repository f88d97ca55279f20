"""Two runs and a sweep that begin at once, in one folder and in one second of the clock, are as if each were alone."""

import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
from builders import command_environment, write_plant
from test_train import SMALL

# Every clock that names a folder stands at the same second.
SAME_SECOND = """
import time
from hydra.core import utils
utils.localtime = lambda: time.gmtime(1_700_000_000)
from surrogate_modeling import train
train.cli()
"""


def begin(place: Path, plant: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = command_environment(place)
    folder = f"{place}/runs/${{now:%Y-%m-%d}}/${{now:%H-%M-%S}}-${{unique:}}"
    command = [
        sys.executable, "-c", SAME_SECOND, *arguments, f"hydra.run.dir='{folder}'", f"hydra.sweep.dir='{folder}-multirun'",
        "dataset=csv", f"dataset.path={plant}", "dataset.controls=1", *SMALL, "settings.num_figures=2",
        "settings.is_save_model=True",
    ]  # fmt: skip
    return subprocess.Popen(
        command, cwd=place, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


SEARCH = ["-m", "hydra.sweeper.storage=null", "hydra/sweeper/sampler=grid", "settings.lr=choice(0.002,0.004)"]
COMMANDS = {
    "one": ["settings.seed=1", "settings.mlflow_exp_name=one"],
    "two": ["settings.seed=2", "settings.mlflow_exp_name=two"],
    "sweep": [*SEARCH, "settings.seed=3", "settings.mlflow_exp_name=sweep"],
}


def recorded(place: Path) -> dict[str, dict[str, bytes]]:
    """Experiment and learning rate of each run -> its predictions and error tables; every file must be there once."""
    client = mlflow.MlflowClient(f"sqlite:///{place / 'mlflow.db'}")
    found: dict[str, dict[str, bytes]] = {}
    keys = set()
    for name in COMMANDS:
        for run in client.search_runs([client.get_experiment_by_name(name).experiment_id]):
            assert run.info.status == "FINISHED"
            if "study" in run.data.params:
                continue
            folder = Path(run.info.artifact_uri.removeprefix("file://"))
            files = {
                str(path.relative_to(folder)): path.read_bytes()
                for part in ("csv", "loss", "errors.csv")
                for path in [folder / part, *(folder / part).rglob("*")]
                if path.is_file()
            }
            log = (folder / "train.log").read_text()
            assert log.count("epoch 3 of 3") == 1
            keys.add(run.data.tags["run_key"].split()[0])
            found[f"{name} {run.data.params['settings.lr']}"] = files
    assert len(keys) == len(found) == 4, "run folders differ"
    return found


@pytest.mark.slow
def test_two_runs_and_a_sweep_at_once_equal_those_alone(tmp_path: Path) -> None:
    plant = write_plant(tmp_path / "plant")
    results = {}
    for how in ("at once", "alone"):
        place = tmp_path / how.replace(" ", "_")
        place.mkdir()
        if how == "at once":
            processes = [begin(place, plant, *arguments) for arguments in COMMANDS.values()]
            endings = [(process, *process.communicate(timeout=500)) for process in processes]
        else:
            endings = []
            for arguments in COMMANDS.values():
                process = begin(place, plant, *arguments)
                endings.append((process, *process.communicate(timeout=500)))
        for process, out, errors in endings:
            assert process.returncode == 0, errors
            assert "could not be reached" not in out
        results[how] = recorded(place)
        left = [path for path in (place / "runs").rglob("*") if path.is_file()]
        assert left == [], "everything went to the store"
    assert results["at once"] == results["alone"]
