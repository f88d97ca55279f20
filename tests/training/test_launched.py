"""One training in processes that a launcher started."""

import multiprocessing
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import empty_store, write_plant
from lag import make, settings
from lightning_fabric.plugins.environments.lightning import find_free_network_port

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.settings import Launcher
from surrogate_modeling.training.fit import fit
from surrogate_modeling.training.launched import is_launched, joined

ARGUMENTS = (
    "dataset=csv", "dataset.path=cases", "dataset.controls=1", "model=don", "settings.epochs=3", "settings.horizon=5",
    "settings.num_figures=0", "settings.device=cpu", "settings.batch_size=16", "settings.ensemble=2",
    "settings.is_save_model=True",
)  # fmt: skip
SLURM = {
    "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_STEP_NUM_TASKS": "2", "SLURM_NNODES": "1",
    "SLURM_NODEID": "0", "SLURM_NODELIST": "localhost", "SLURM_JOB_ID": "77", "SLURM_JOB_NAME": "surrogate",
}  # fmt: skip


def test_a_launcher_that_did_not_start_this_process_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    asked = settings(launched_by=Launcher.torchrun)
    said = r"torchrun did not start this process \(LOCAL_WORLD_SIZE is not set\)"
    with pytest.raises(UserError, match=said), joined(asked):
        pass
    with pytest.raises(UserError, match="torchrun started no process for this command"):
        is_launched(asked)
    # What is not asked for is ignored.
    monkeypatch.setenv("WORLD_SIZE", "2")
    with joined(settings()) as leads:
        assert leads
    assert not is_launched(settings())


def take_part(rank: int, port: int, folder: Path, victim: Any, told: Any) -> None:
    """One of two processes as torchrun starts them; the first kills the other in its second training."""
    os.environ.update(
        LOCAL_WORLD_SIZE="2", WORLD_SIZE="2", RANK=str(rank), LOCAL_RANK=str(rank), GROUP_RANK="0",
        MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port),
    )  # fmt: skip
    victim.value = os.getpid() if rank else victim.value
    recipe = settings(launched_by=Launcher.torchrun, device="cpu", batch_size=16, epochs=50)

    def kill(metrics: dict[str, float], epoch: int) -> None:
        if epoch == 1:
            os.kill(victim.value, signal.SIGKILL)

    try:
        with joined(recipe) as leads:
            if leads:
                first = replace(recipe, epochs=3)
                surrogate, data, validation = make(first)
                told.send(fit(surrogate, data, validation, first, folder / "first", lambda *_: None).least)
                fit(surrogate, data, validation, recipe, folder / "second", kill)
    except UserError as error:
        told.send(str(error))


@pytest.mark.slow
def test_launched_processes_train_together_and_say_when_one_is_lost(tmp_path: Path) -> None:
    # Not forked from this process, whose torch may have run threads that a fork does not have.
    multiprocessing.set_forkserver_preload(["surrogate_modeling.training.launched", "pytorch_lightning"])
    context = multiprocessing.get_context("forkserver")
    receiver, sender = context.Pipe(duplex=False)
    victim, port = context.Value("i", 0), find_free_network_port()
    both = [context.Process(target=take_part, args=(i, port, tmp_path, victim, sender), daemon=True) for i in (0, 1)]
    for process in both:
        process.start()
    assert receiver.poll(60)
    least = receiver.recv()
    alone = settings(device="cpu", batch_size=32)
    surrogate, data, validation = make(alone)
    assert least == pytest.approx(fit(surrogate, data, validation, alone, tmp_path / "alone", lambda *_: None).least)
    assert receiver.poll(60)
    assert receiver.recv().startswith("another process of this training ended")
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, -signal.SIGKILL]


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["torchrun", "srun"])
def test_launched_processes_make_one_run_equal_to_that_of_devices(launcher: str, tmp_path: Path) -> None:
    write_plant(tmp_path / "cases")
    environment = {**os.environ, "MLFLOW_TRACKING_URI": empty_store(tmp_path), "OMP_NUM_THREADS": "1"}
    train = ["-m", "surrogate_modeling.train", *ARGUMENTS]
    together = [*train, f"settings.launched_by={launcher}", "hydra.run.dir=runs/${unique:}"]
    if launcher == "torchrun":
        commands = [([sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", *together], {})]
    else:
        ranks = ({"SLURM_PROCID": str(i), "SLURM_LOCALID": str(i), "MASTER_PORT": "29517"} for i in range(2))
        commands = [([sys.executable, *together], {**SLURM, **rank}) for rank in ranks]
    started = [
        subprocess.Popen(
            command,
            cwd=tmp_path,
            env={**environment, **own},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for command, own in commands
    ]
    output = "".join(process.communicate(timeout=600)[0] for process in started)
    assert [process.returncode for process in started] == [0] * len(started), output
    alone = subprocess.run(
        [sys.executable, *train, "settings.devices=2"], cwd=tmp_path, env=environment, capture_output=True, text=True,
        timeout=600, check=False,
    )  # fmt: skip
    assert alone.returncode == 0, alone.stderr

    assert output.count("FINISHED") == output.count("free run over") == 1
    scores = [line for line in output.splitlines() if line.startswith("nADE, nFDE")]
    assert scores
    assert scores == [line for line in (alone.stdout + alone.stderr).splitlines() if line.startswith("nADE, nFDE")]
