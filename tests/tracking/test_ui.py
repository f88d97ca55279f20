"""The pages' server and all it starts end together."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.tracking import ui
from surrogate_modeling.tracking.store import URI
from surrogate_modeling.tracking.ui import _end_group, open_ui

# Starts another process as a server does; the inner one does not end when asked.
STARTING = """
import subprocess, sys, time
inner = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", inner])
time.sleep(600)
"""
pytestmark = pytest.mark.skipif(not hasattr(os, "killpg"), reason="process groups")


def members(group: int) -> list[int]:
    """Processes of a group that still run."""
    listed = subprocess.run(["ps", "-eo", "pid=,pgid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    return [int(pid) for pid, pgid, state in rows if int(pgid) == group and not state.startswith("Z")]


def test_a_group_ends_with_what_does_not_listen() -> None:
    server = subprocess.Popen([sys.executable, "-c", STARTING], start_new_session=True, stdout=subprocess.PIPE)
    assert server.stdout
    assert server.stdout.readline() == b"up\n"
    assert len(members(server.pid)) == 2
    _end_group(server)
    assert server.returncode == -signal.SIGTERM
    deadline = time.monotonic() + 30
    while members(server.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert members(server.pid) == []


def test_a_store_that_is_a_server_has_the_pages_already(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URI, "http://eve:s3cret@host:5000")
    with pytest.raises(UserError, match=f"{URI} is a server, which has these pages already: open http://host:5000 in"):
        open_ui([])


def test_the_address_of_a_database_is_not_in_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every user of the machine sees commands."""
    monkeypatch.setenv(URI, "postgresql://eve:s3cret@host/x")
    seen: list[tuple[list[str], dict[str, str]]] = []

    def popen(command: list[str], env: dict[str, str], **_: object) -> None:
        seen.append((command, env))
        raise KeyboardInterrupt

    monkeypatch.setattr(ui.subprocess, "Popen", popen)
    with pytest.raises(KeyboardInterrupt):
        open_ui(["--port", "1"])
    ((command, environment),) = seen
    assert "s3cret" not in " ".join(command)
    assert command[-2:] == ["--port", "1"]
    assert environment["MLFLOW_BACKEND_STORE_URI"] == "postgresql://eve:s3cret@host/x"


@pytest.mark.slow
def test_sigterm_ends_the_real_server(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, URI: f"sqlite:///{tmp_path}/mlflow.db"}
    command = [sys.executable, "-m", "surrogate_modeling.tracking", "ui", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        groups = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True, check=True
        ).stdout.split()
        (group,) = map(int, groups)
        assert len(members(group)) > 2
    finally:
        process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 128 + signal.SIGTERM
    assert members(group) == []
