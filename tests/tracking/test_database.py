"""A tracking database is whole or not there, whenever its making ends."""

import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import pytest

from surrogate_modeling.tracking import database
from surrogate_modeling.tracking.database import artifact_root, create_database, database_file

MAKE = (
    "import sys; from surrogate_modeling.tracking.database import create_database; create_database(sys.argv[1], None)"
)


def test_what_ends_on_the_way_leaves_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mlflow.db"

    def cut(uri: str, artifacts: str | None) -> None:
        """Makes one table of many."""
        sqlite3.connect(uri.removeprefix("sqlite:///")).execute("create table webhooks (id int)").connection.close()
        raise KeyboardInterrupt

    monkeypatch.setattr(database, "_make_tables", cut)
    for _ in range(2):  # What the first left is no hindrance for the second.
        with pytest.raises(KeyboardInterrupt):
            create_database(f"sqlite:///{path}", None)
        assert not path.exists()
    # Whether a lock leaves its file depends on the version of filelock.
    assert {entry.name for entry in tmp_path.iterdir()} - {"mlflow.db.lock"} == {"mlflow.db.part"}


def test_what_is_there_or_is_no_plain_file_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mlflow.db"
    path.write_bytes(b"mine")
    monkeypatch.setattr(database, "_make_tables", lambda *_: pytest.fail("made"))
    for uri in (
        f"sqlite:///{path}",
        "http://127.0.0.1:1",
        "sqlite:///:memory:",
        "sqlite://",
        f"sqlite:///file:{tmp_path}/b.db?uri=true",
        f"postgresql://{tmp_path}/c.db",
    ):
        create_database(uri, None)
    assert path.read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_is_found_in_any_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for uri in (
        f"sqlite:///{tmp_path}/b.db",
        f"sqlite:///{tmp_path}/b.db?timeout=1",
        f"sqlite+pysqlite:///{tmp_path}/b.db",
        "sqlite:///b.db",
    ):
        assert database_file(uri) == tmp_path / "b.db"
    assert artifact_root("sqlite:///b.db") == f"file://{tmp_path}/mlruns"


@pytest.mark.slow
def test_of_processes_at_once_one_makes_the_database(tmp_path: Path) -> None:
    """The lock lies beside the store, so that it holds for whatever clone a process runs in."""
    path = tmp_path / "new" / "mlflow.db"
    processes = [
        subprocess.Popen([sys.executable, "-c", MAKE, f"sqlite:///{path}"], stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = [process.communicate(timeout=240)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], said
    assert sum("Creating initial MLflow database tables" in text for text in said) == 1
    # Some versions of filelock leave their file.
    assert {entry.name for entry in path.parent.iterdir()} - {"mlflow.db.lock"} == {"mlflow.db"}


@pytest.mark.slow
def test_a_process_killed_while_it_makes_the_database(tmp_path: Path) -> None:
    """Killed when some tables are there, at three sizes of the file; then made by another process, and usable."""
    path, part = tmp_path / "mlflow.db", tmp_path / "mlflow.db.part"
    for size in (1, 100_000, 250_000):
        process = subprocess.Popen([sys.executable, "-c", MAKE, f"sqlite:///{path}"], stderr=subprocess.DEVNULL)
        part.unlink(missing_ok=True)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and not (part.exists() and part.stat().st_size >= size):
            assert process.poll() is None, "made before the kill"
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert part.exists()
        assert not path.exists()
    create_database(f"sqlite:///{path}", None)
    client = mlflow.MlflowClient(f"sqlite:///{path}")
    run = client.create_run(client.create_experiment("e"))
    assert client.get_run(run.info.run_id).info.status == "RUNNING"
