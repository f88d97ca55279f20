"""A tracking store that refuses, answers 500, hangs, is locked or dies: nothing is lost, and nobody waits for it."""

import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import mlflow
import pytest
from test_tracking import start

from surrogate_modeling import tracking
from surrogate_modeling.journal import STATE, is_sent
from surrogate_modeling.sender import Sender, send_later
from surrogate_modeling.tracking import Run


class BrokenServer:
    """Answers 500 to everything; while it hangs, it takes the connection and does not answer."""

    def __init__(self, hangs: bool) -> None:
        self.answers, self.asked = threading.Event(), threading.Event()
        if not hangs:
            self.answers.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def handle_anything(self) -> None:
                outer.asked.set()
                outer.answers.wait(60)
                self.send_error(500)

            do_GET = do_POST = do_PATCH = do_PUT = handle_anything

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(tracking, "SECONDS_TO_FINISH", 1.0)
    monkeypatch.setattr(tracking, "SECONDS_OF_ONE_CALL", 5.0)


def check_all_arrived(uri: str, key: str) -> None:
    client = mlflow.MlflowClient(uri)
    experiment = client.get_experiment_by_name("試験")
    (run,) = client.search_runs([experiment.experiment_id], f"tags.run_key LIKE '{key} %'")
    assert run.info.status == "FINISHED"
    assert run.data.params["a"] == "1"
    assert [m.value for m in client.get_metric_history(run.info.run_id, "loss")] == [0.5, 0.25]
    assert {f.path for f in client.list_artifacts(run.info.run_id)} == {".hydra", "csv", "train.log"}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("hangs", [False, True], ids=["answers 500", "hangs"])
def test_a_broken_server_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hangs: bool) -> None:
    broken = BrokenServer(hangs)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", broken.uri)
    folder = tmp_path / "run-broken"
    run = start(folder, a="1")
    run.log_metrics({"loss": 0.5}, 0)
    run.log_metrics({"loss": 0.25}, 1)
    assert broken.asked.wait(60)
    assert run.finish("FINISHED") is None
    broken.answers.set()
    run._thread.join(30)
    assert not run._thread.is_alive()
    broken.server.shutdown()
    alive = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", alive)
    assert send_later([folder]) == 0
    check_all_arrived(alive, folder.name)


@pytest.mark.usefixtures("impatient")
def test_a_store_that_dies_after_the_last_line_fails_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def gone(self: Sender) -> str:
        raise ConnectionError("refused")

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setattr(tracking, "SECONDS_TO_FINISH", 120.0)
    monkeypatch.setattr(Sender, "artifact_place", gone)
    run = start(tmp_path / "run-gone", a="1")
    assert run.finish("FINISHED") is None
    assert (tmp_path / "run-gone" / "csv" / "a.csv").exists()
    assert "refused; all was sent" in caplog.text


@pytest.mark.slow
def test_a_database_locked_by_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    mlflow.MlflowClient(uri).search_experiments()
    monkeypatch.setattr(tracking, "SECONDS_TO_FINISH", 1.0)
    monkeypatch.setattr(tracking, "SECONDS_OF_ONE_CALL", 1.0)
    other = sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    folder = tmp_path / "run-locked"
    run = start(folder, a="1")
    run.log_metrics({"loss": 0.5}, 0)
    run.log_metrics({"loss": 0.25}, 1)
    assert run.finish("FINISHED") is None
    other.execute("ROLLBACK")
    other.close()
    run._thread.join(120)
    assert send_later([folder]) == 0
    check_all_arrived(uri, folder.name)


class RealServer:
    """``mlflow server`` on a port of its own, which can be killed and started again on the same data."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder, self.uri, self.process = folder, f"http://127.0.0.1:{self.port}", None

    process: subprocess.Popen[bytes] | None

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{self.folder}/s.db"]
        command += ["--artifacts-destination", str(self.folder / "files"), "--port", str(self.port), "--workers", "1"]
        environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
        self.process = subprocess.Popen(
            command, cwd=self.folder, env=environment, stderr=subprocess.DEVNULL, start_new_session=True
        )
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{self.uri}/health", timeout=5).close()
            except OSError:
                time.sleep(0.2)
            else:
                return
        raise TimeoutError("the server did not start")

    def kill(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, 9)
            self.process.wait()
            self.process = None


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RealServer]:
    server = RealServer(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    yield server
    server.kill()


def wait_until_sent(run: Run) -> None:
    for _ in range(600):
        if (run.folder / STATE).exists() and is_sent(run.folder):
            return
        time.sleep(0.1)
    raise TimeoutError("not sent")


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
def test_a_real_server_away_at_the_start_in_the_middle_and_at_the_end(
    server: RealServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The tool's own patience: the first answer of a fresh server takes seconds on a busy machine.
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    folder = tmp_path / "run-real"
    run = start(folder, a="1")
    time.sleep(1)
    server.start()
    wait_until_sent(run)
    server.kill()
    run.log_metrics({"loss": 0.5}, 0)
    time.sleep(1)
    server.start()
    wait_until_sent(run)
    server.kill()
    run.log_metrics({"loss": 0.25}, 1)
    assert run.finish("FINISHED") is None
    server.start()
    assert send_later([folder]) == 0
    check_all_arrived(server.uri, folder.name)
