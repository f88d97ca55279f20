"""A project folder that was moved or copied: the store's files are found again."""

import shutil
import sqlite3
from pathlib import Path

import mlflow
import pytest
from builders import empty_store

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.tracking.relocation import PLACES, follow_moved_store
from surrogate_modeling.tracking.run import Run
from surrogate_modeling.tracking.store import URI


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a store that has one run, one registered model, and a place that somebody chose."""
    project = tmp_path_factory.mktemp("template") / "my projekt 圧"
    uri = empty_store(project)
    (project / "run" / "model").mkdir(parents=True)
    (project / "run" / "model" / "lit_model.pth").write_text("weights")
    (project / "own").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(URI, uri)
        run = Run.start(project / "run", "e", "n", {}, {})
        run.register_model("plant")
        assert run.finish("FINISHED") is not None
    client = mlflow.MlflowClient(uri)
    client.create_experiment("elsewhere", (project / "own").as_uri())
    return project


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Path:
    """The project, moved there: its old place is no more."""
    moved = tmp_path / "neu er"
    shutil.copytree(template, moved)
    _replace_places(moved, template, template.parent / "gone")
    return moved


def _replace_places(project: Path, old: Path, new: Path) -> None:
    with sqlite3.connect(project / "mlflow.db") as database:
        for table, column in PLACES:
            database.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (old.as_uri(), new.as_uri()))


def places(project: Path) -> dict[str, list[str]]:
    with sqlite3.connect(project / "mlflow.db") as database:
        return {
            f"{table}.{column}": [row[0] for row in database.execute(f"SELECT {column} FROM {table} ORDER BY rowid")]
            for table, column in PLACES
        }


def test_a_moved_project_finds_its_files(project: Path, template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    follow_moved_store(project / "mlflow.db")
    found = places(project)
    root = (project / "mlruns").as_uri()
    assert found["experiments.artifact_location"][:2] == [f"{root}/0", root]
    # Somebody chose this one; it does not end like ours.
    assert found["experiments.artifact_location"][2] == (template.parent / "gone" / "own").as_uri()
    (uri,) = found["runs.artifact_uri"]
    assert uri.startswith(f"{root}/")
    assert found["model_versions.source"] == [f"{uri}/model"]
    monkeypatch.setenv(URI, f"sqlite:///{project}/mlflow.db")
    fetched = mlflow.MlflowClient(f"sqlite:///{project}/mlflow.db").download_artifacts(
        Path(uri).parent.name, "model/lit_model.pth"
    )
    assert Path(fetched).read_text() == "weights"
    before = (project / "mlflow.db").read_bytes()
    follow_moved_store(project / "mlflow.db")
    assert (project / "mlflow.db").read_bytes() == before


def test_a_new_run_writes_beside_the_moved_store(
    project: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(URI, f"sqlite:///{project}/mlflow.db")
    (project / "later").mkdir()
    (project / "later" / "train.log").write_text("x")
    place = Run.start(project / "later", "e", "n", {}, {}).finish("FINISHED")
    assert place is not None
    assert len(list((project / "mlruns").rglob("train.log"))) == 1
    assert not (template.parent / "gone").exists()


def test_a_copy_has_its_own_files(template: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(template, copy)
    follow_moved_store(copy / "mlflow.db")
    assert places(copy)["runs.artifact_uri"][0].startswith((copy / "mlruns").as_uri())
    assert places(template)["runs.artifact_uri"][0].startswith((template / "mlruns").as_uri())


def test_files_that_are_still_elsewhere_stay_there(template: Path, tmp_path: Path) -> None:
    """Only the database was copied, say to a server's folder."""
    (tmp_path / "mlruns").mkdir()
    shutil.copy(template / "mlflow.db", tmp_path / "mlflow.db")
    before = places(tmp_path)
    follow_moved_store(tmp_path / "mlflow.db")
    assert places(tmp_path) == before


def test_another_way_to_the_same_folder_is_no_move(template: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(template)
    before = places(template)
    follow_moved_store(tmp_path / "link" / "mlflow.db")
    assert places(template) == before


def test_files_that_are_nowhere_are_asked_for(project: Path) -> None:
    shutil.rmtree(project / "mlruns")
    with pytest.raises(UserError, match=r"gone/mlruns, which is not there.*mkdir .*neu er/mlruns"):
        follow_moved_store(project / "mlflow.db")
    (project / "mlruns").mkdir()
    follow_moved_store(project / "mlflow.db")
    assert places(project)["runs.artifact_uri"][0].startswith((project / "mlruns").as_uri())


@pytest.mark.parametrize("content", [None, b"", b"no database", b"SQLite format 3\x00" + b"\x00" * 100])
def test_what_is_no_store_is_left_to_mlflow(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "mlflow.db").write_bytes(content)
    follow_moved_store(tmp_path / "mlflow.db")
    assert content is None or (tmp_path / "mlflow.db").read_bytes() == content
