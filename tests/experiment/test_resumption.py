"""Going on with a stopped run, without training one: its folder is written here as a run writes it."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest
from builders import composed

from surrogate_modeling.common.cluster import refuse_several_processes, started_together
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.commands import Config
from surrogate_modeling.config.composition import reload_config, save_config, to_config
from surrogate_modeling.experiment import resumption
from surrogate_modeling.experiment.resumption import SLURM_JOB_FILE, note_slurm_job, reopen, requeued_run
from surrogate_modeling.tracking.journal import JOURNAL
from surrogate_modeling.training.callbacks import Patience


def configuration(*overrides: str) -> Config:
    return to_config(composed("dataset=csv", "dataset.path=cases", "dataset.controls=2", *overrides))


def stopped_run(folder: Path, *overrides: str) -> Path:
    folder.mkdir(parents=True)
    save_config(configuration(*overrides), folder)
    (folder / JOURNAL).write_text("{}\n")
    (folder / "checkpoints" / "member1").mkdir(parents=True)
    (folder / "checkpoints" / "member1" / "fitted.json").write_text("{}")
    return folder


def test_what_may_change_is_honoured_and_noted_and_the_rest_stays(tmp_path: Path) -> None:
    run, made = stopped_run(tmp_path / "run", "settings.epochs=2", "settings.lr=0.5"), tmp_path / "made"
    made.mkdir()
    asked = configuration(f"resume={run}", "settings.epochs=7", "settings.patience=50")
    folder, config, tags = reopen(asked, made, [f"resume={run}", "settings.epochs=7", "settings.patience=50"])
    assert (folder, config.settings.epochs, config.settings.lr) == (run, 7, 0.5)
    assert tags == {"resumed.settings.epochs": "7"}  # a patience of 50 is what it was
    assert not made.exists()
    # Training that was over is not over with more epochs, and another resume starts from what holds now.
    assert not list(run.rglob("fitted.json"))
    assert reload_config(run).settings.epochs == 7


@pytest.mark.parametrize(("started_in", "more"), [("made", 1), ("run", 0)])
def test_lines_of_the_log_come_once_where_a_job_is_started_again_in_its_folder(
    tmp_path: Path, started_in: str, more: int
) -> None:
    run, root = stopped_run(tmp_path / "run"), logging.getLogger()
    before = list(root.handlers)
    reopen(configuration(f"resume={run}"), tmp_path / started_in, [f"resume={run}"])
    added = [handler for handler in root.handlers if handler not in before]
    for handler in added:
        root.removeHandler(handler)
        handler.close()
    assert len(added) == more
    assert run.exists()


def test_an_override_that_cannot_change_is_refused_by_name(tmp_path: Path) -> None:
    run = stopped_run(tmp_path / "run")
    overrides = [f"resume={run}", "model=lstm", "settings.epochs=2", "settings.lr=99", "+search=dot"]
    with pytest.raises(UserError, match=r"model, settings\.lr, search cannot change .* these can: settings\.epochs, "):
        reopen(configuration(f"resume={run}"), tmp_path / "made", overrides)
    assert list(run.rglob("fitted.json"))


def test_the_kept_configuration_holds_absolute_paths_and_no_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CASES", "夏")
    save_config(configuration("dataset.path=${oc.env:CASES}", "dataset.groups=groups.csv"), tmp_path)
    monkeypatch.delenv("CASES")
    monkeypatch.chdir("/")
    kept = reload_config(tmp_path).dataset
    assert (kept.path, kept.groups) == (str(tmp_path / "夏"), str(tmp_path / "groups.csv"))


def test_a_requeued_job_goes_on_with_its_own_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resumption, "RUNS", tmp_path)
    mine, other = stopped_run(tmp_path / "day" / "mine"), stopped_run(tmp_path / "day" / "other")
    for job, run in (("12", mine), ("13", other)):
        monkeypatch.setenv("SLURM_JOB_ID", job)
        note_slurm_job(run)
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    new = tmp_path / "new"
    assert requeued_run(new) is None  # started for the first time
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert requeued_run(new) == mine
    monkeypatch.setenv("SLURM_JOB_ID", "14")
    assert requeued_run(new) is None
    assert requeued_run(other) == other  # hydra.run.dir is fixed
    assert (mine / SLURM_JOB_FILE).read_text() == "12"


@pytest.mark.parametrize(("variable", "launcher"), [("SLURM_STEP_NUM_TASKS", "srun"), ("WORLD_SIZE", "torchrun")])
def test_several_processes_are_refused_with_the_launcher(
    monkeypatch: pytest.MonkeyPatch, variable: str, launcher: str
) -> None:
    monkeypatch.setenv(variable, "1")
    refuse_several_processes()
    monkeypatch.setenv(variable, "2")
    with pytest.raises(UserError, match=rf"{launcher} started 2 processes \({variable}=2\)"):
        refuse_several_processes()


def test_a_job_with_several_tasks_but_one_process_is_no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_NTASKS", "4")
    refuse_several_processes()
    assert started_together() is None


def test_a_new_patience_outlives_the_checkpoint() -> None:
    old, new = Patience("val_loss", 3, lambda: True), Patience("val_loss", 9, lambda: True)
    new.load_state_dict({**old.state_dict(), "wait_count": 2})
    assert (new.patience, new.wait_count) == (9, 2)


def test_the_configuration_is_kept_as_given_but_for_its_paths(tmp_path: Path) -> None:
    config = configuration("model=ssm", "settings=stable")
    save_config(config, tmp_path)
    path = str(Path("cases").absolute())
    assert reload_config(tmp_path) == replace(config, dataset=replace(config.dataset, path=path))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"dataset: {", "while parsing"),
        (b"- dataset\n- model\n", "the groups dataset, model, settings are expected"),
        (b"", "the groups dataset, model, settings are expected"),
        (b"dataset: {}\nmodel: {name: zzz}\nsettings: {}\n", "model.name=zzz: no such network"),
        ("dataset: {path: 夏}".encode("cp932"), "codec can't decode"),
    ],
)
def test_a_damaged_configuration_is_refused_in_one_line(tmp_path: Path, text: bytes, said: str) -> None:
    path = stopped_run(tmp_path / "run") / ".hydra" / "config.yaml"
    path.write_bytes(text)
    with pytest.raises(UserError) as caught:
        reload_config(tmp_path / "run")
    assert str(caught.value).startswith(f"{path}: cannot be read (")
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
