"""A tracking store that refuses, answers 500, hangs, is locked or dies: nothing is lost, and nobody waits for it."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
from broken_server import BrokenServer
from builders import empty_store
from tracking.test_run import start

from surrogate_modeling.tracking import run as recorder
from surrogate_modeling.tracking.journal import STATE, is_sent
from surrogate_modeling.tracking.run import Run
from surrogate_modeling.tracking.sender import Sender, send_later

# Takes the whole database, and gives it back when its input ends.
HOLDING = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
connection.execute("ROLLBACK")
"""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(recorder, "SECONDS_TO_FINISH", 1.0)
    monkeypatch.setattr(recorder, "SECONDS_OF_ONE_CALL", 5.0)


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
    alive = empty_store(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", alive)
    assert send_later([folder]) == 0
    check_all_arrived(alive, folder.name)


@pytest.mark.usefixtures("impatient")
def test_a_store_that_dies_after_the_last_line_fails_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def gone(self: Sender) -> str:
        raise ConnectionError("refused")

    monkeypatch.setenv("MLFLOW_TRACKING_URI", empty_store(tmp_path))
    monkeypatch.setattr(recorder, "SECONDS_TO_FINISH", 120.0)
    monkeypatch.setattr(Sender, "artifact_place", gone)
    run = start(tmp_path / "run-gone", a="1")
    assert run.finish("FINISHED") is None
    assert (tmp_path / "run-gone" / "csv" / "a.csv").exists()
    assert "refused; all was sent" in caplog.text


@pytest.mark.slow
def test_a_database_locked_by_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = empty_store(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    mlflow.MlflowClient(uri).search_experiments()
    monkeypatch.setattr(recorder, "SECONDS_TO_FINISH", 1.0)
    monkeypatch.setattr(recorder, "SECONDS_OF_ONE_CALL", 1.0)
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(tmp_path / "mlflow.db")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert other.stdout
    assert other.stdout.readline() == "held\n"
    folder = tmp_path / "run-locked"
    run = start(folder, a="1")
    run.log_metrics({"loss": 0.5}, 0)
    run.log_metrics({"loss": 0.25}, 1)
    assert run.finish("FINISHED") is None
    other.communicate("")
    assert other.returncode == 0
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


class FaultProxy:
    """Stands before a server and passes bytes on, or refuses connections, answers 500, or takes bytes and is silent."""

    def __init__(self, target: int) -> None:
        self.target, self.fault = target, ""
        self.open: set[socket.socket] = set()
        self.listener = self.listen(0)
        self.port = self.listener.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.accept, daemon=True).start()

    def listen(self, port: int) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(50)
        return listener

    def switch(self, fault: str) -> None:
        """From here on ``refuse``, ``500`` or ``hang``; empty: pass on. Connections that are open are cut."""
        was, self.fault = self.fault, fault
        if fault == "refuse":
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
        elif was == "refuse":
            self.listener = self.listen(self.port)
            threading.Thread(target=self.accept, daemon=True).start()
        for connection in list(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def accept(self) -> None:
        listener = self.listener
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.open.add(client)
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client: socket.socket) -> None:
        with client:
            if self.fault == "500":
                client.recv(65536)
                client.sendall(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                client.shutdown(socket.SHUT_WR)
                while client.recv(65536):
                    pass
            elif self.fault == "hang":
                while client.recv(65536):
                    pass
            else:
                with socket.create_connection(("127.0.0.1", self.target)) as server:
                    self.open.add(server)
                    threading.Thread(target=self.pump, args=(server, client), daemon=True).start()
                    self.pump(client, server)

    @staticmethod
    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                sink.sendall(chunk)
            sink.shutdown(socket.SHUT_WR)


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
def test_a_real_server_behind_a_broken_line(
    server: RealServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each fault at the start, in the middle and at the end of a run."""
    server.start()
    proxy = FaultProxy(server.port)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", proxy.uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
    for fault in ("refuse", "500", "hang"):
        folder = tmp_path / f"run-{fault}"
        proxy.switch(fault)
        run = start(folder, a="1")
        time.sleep(1)
        assert not (folder / STATE).exists()
        proxy.switch("")
        wait_until_sent(run)
        proxy.switch(fault)
        run.log_metrics({"loss": 0.5}, 0)
        time.sleep(1)
        assert not is_sent(folder)
        proxy.switch("")
        wait_until_sent(run)
        proxy.switch(fault)
        run.log_metrics({"loss": 0.25}, 1)
        assert run.finish("FINISHED") is None
        run._thread.join(60)
        proxy.switch("")
        assert send_later([folder]) == 0
        check_all_arrived(proxy.uri, folder.name)
