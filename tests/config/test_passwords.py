"""Passwords in addresses are in no file that Hydra writes."""

import os
from pathlib import Path

import pytest
from broken_server import BrokenServer
from builders import TRAIN, run_command, write_cases
from omegaconf import DictConfig, OmegaConf

from surrogate_modeling.config.passwords import move_passwords

URL = "postgresql://eve:p%40ss@127.0.0.1:1/optuna"
NAME = "SURROGATE_HYDRA_SWEEPER_STORAGE"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))


def config(storage: str, hydra: list[str], task: list[str]) -> DictConfig:
    tree = {"a": 1, "hydra": {"sweeper": {"storage": storage}, "overrides": {"hydra": hydra, "task": task}}}
    made = OmegaConf.create(tree)
    OmegaConf.set_readonly(made.hydra, True)
    OmegaConf.set_struct(made, True)
    return made


def raw(made: DictConfig) -> list[str]:
    return OmegaConf.to_container(made.hydra.overrides.hydra, resolve=False)


def test_a_typed_address_becomes_an_interpolation() -> None:
    made = config(URL, ["hydra.mode=MULTIRUN", f"hydra.sweeper.storage='{URL}'"], ["a=1"])
    move_passwords(made)
    assert "p%40ss" not in OmegaConf.to_yaml(made)
    assert raw(made) == ["hydra.mode=MULTIRUN", f"hydra.sweeper.storage=${{oc.env:{NAME}}}"]
    assert os.environ[NAME] == URL


def test_an_address_from_a_file_gets_an_override_for_each_trial() -> None:
    made = config(URL, [], [])
    move_passwords(made)
    assert "p%40ss" not in OmegaConf.to_yaml(made)
    assert raw(made) == [f"hydra.sweeper.storage=${{oc.env:{NAME}}}"]


@pytest.mark.parametrize(
    "storage",
    ["sqlite:///x.db", "postgresql://eve@host/x", "${oc.env:PGURL}", "postgresql://${oc.env:U}:${oc.env:P}@h/x"],
)
def test_what_holds_no_password_stays(storage: str) -> None:
    made = config(storage, [f"hydra.sweeper.storage={storage}"], [])
    before = OmegaConf.to_yaml(made)
    move_passwords(made)
    assert OmegaConf.to_yaml(made) == before


def test_a_password_in_a_search_space_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        move_passwords(config("x", [], [f"a=choice('{URL}',b)"]))
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "error: a: holds a password; put the address in the environment and give ${oc.env:NAME}\n"
    )


@pytest.mark.slow
def test_no_file_of_a_run_holds_it(tmp_path: Path) -> None:
    """Neither the study's address nor that of the tracking store, whose server does not let the run in."""
    server = BrokenServer(hangs=False, status=401)
    address = f"http://eve:s3cret@127.0.0.1:{server.server.server_port}"
    write_cases(tmp_path / "cases")
    done = run_command(
        tmp_path, [str(TRAIN)], "dataset=csv", f"dataset.path={tmp_path / 'cases'}", "dataset.controls=2", "model=ssm",
        "model.width=4", "model.states=4", "model.depth=1", "model.base=none", "settings.epochs=1",
        f"hydra.sweeper.storage={URL}", f"+hydra.job.env_set.MLFLOW_TRACKING_URI={address}",
        f"hydra.run.dir={tmp_path / 'run'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    server.server.shutdown()
    assert server.logins == {"eve:s3cret"}
    assert f"tracking store {server.uri}: API request to endpoint" in done.stderr + done.stdout
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert {"train.log", "hydra.yaml", "config.yaml", "tracking.jsonl"} <= {path.name for path in files}
    for secret in (b"p%40ss", b"s3cret"):
        assert secret not in (done.stderr + done.stdout).encode()
        assert [path for path in files if secret in path.read_bytes()] == []
    assert NAME in (tmp_path / "run" / ".hydra" / "hydra.yaml").read_text()
