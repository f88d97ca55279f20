"""A run read back from the tracking store."""

from pathlib import Path

import pytest
from builders import empty_store

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.tracking.stored_run import fetch_run


@pytest.mark.slow
def test_what_is_recorded_and_the_wanted_files_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    uri = empty_store(tmp_path / "store")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    client = mlflow.MlflowClient(uri)
    experiment = client.create_experiment("e", (tmp_path / "artifacts").as_uri())
    run = client.create_run(experiment, run_name="a run", tags={"git_commit": "abc"}).info.run_id
    for step, value in enumerate((3.0, 2.0)):
        client.log_metric(run, "fold0/val_loss", value, step=step)
    client.log_metric(run, "nADE", 0.5)
    for name in ("wanted.txt", "unwanted.txt"):
        (tmp_path / name).write_text(name, encoding="utf-8")
        client.log_artifact(run, str(tmp_path / name))
    (tmp_path / "out").mkdir()
    found = fetch_run(run, ("wanted.txt", "missing.txt"), tmp_path / "out", ("val_loss",))
    assert (found.name, found.tags["git_commit"], found.metrics["nADE"]) == ("a run", "abc", 0.5)
    assert found.history == {"fold0/val_loss": [(0, 3.0), (1, 2.0)]}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["wanted.txt"]
    with pytest.raises(UserError, match=f"run={'0' * 32}: not found in sqlite"):
        fetch_run("0" * 32, (), tmp_path / "out", ())


def test_without_a_store_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'none.db'}")
    with pytest.raises(UserError, match="there is no tracking store"):
        fetch_run("0" * 32, (), tmp_path, ())
