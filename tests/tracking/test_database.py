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
from surrogate_modeling.tracking.database import create_database

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


def test_what_is_there_or_is_no_plain_file_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mlflow.db"
    path.write_bytes(b"mine")
    monkeypatch.setattr(database, "_make_tables", lambda *_: pytest.fail("made"))
    for uri in (
        f"sqlite:///{path}",
        "http://127.0.0.1:1",
        "sqlite:///:memory:",
        f"sqlite:///{tmp_path}/b.db?timeout=1",
    ):
        create_database(uri, None)
    assert path.read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [path]


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
