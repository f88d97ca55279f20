"""Serve MLflow's pages in a browser: the server and all processes it starts end together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.tracking.database import artifact_root, create_database
from surrogate_modeling.tracking.store import SERVERS, URI, check_store, shown_uri, tracking_uri

# Linux and macOS have all of them.
SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)]
SECONDS_BETWEEN_LOOKS, SECONDS_TO_END = 0.3, 10.0


def open_ui(arguments: list[str]) -> int:
    """Serve MLflow's pages on the store, to this machine only, until Ctrl-C, SIGTERM or SIGHUP.

    Args:
        arguments: further ones for ``mlflow ui``.

    Returns:
        The exit code.

    Raises:
        UserError: there is nothing to serve.
    """
    check_store(writes=False)
    uri = tracking_uri()
    if uri.startswith(SERVERS):
        raise UserError(f"{URI} is a server, which has these pages already: open {shown_uri()} in a browser")
    create_database(uri, artifact_root(uri))
    # In the environment, not in the command: every user of the machine sees those, and a database's has a password.
    environment = {**os.environ, "MLFLOW_BACKEND_STORE_URI": uri}
    environment.pop(URI, None)
    command = [sys.executable, "-m", "mlflow", "ui", "--host", "127.0.0.1", *arguments]
    with _noted_signals() as received:
        server = subprocess.Popen(command, env=environment, start_new_session=True)
        try:
            while server.poll() is None and not received:
                time.sleep(SECONDS_BETWEEN_LOOKS)
        finally:
            _end_group(server)
    if received:
        return 0 if received[0] == signal.SIGINT else 128 + received[0]
    return server.returncode


@contextmanager
def _noted_signals() -> Iterator[list[int]]:
    """Record the signals that would end this process instead of ending; yields those received so far."""
    received: list[int] = []
    before = [(signum, signal.signal(signum, lambda signum, _: received.append(signum))) for signum in SIGNALS]
    try:
        yield received
    finally:
        for signum, handler in before:
            signal.signal(signum, handler)


def _end_group(server: subprocess.Popen[bytes]) -> None:
    """End the server and all its processes: politely first, then by force."""
    if not hasattr(os, "killpg"):
        subprocess.run(["taskkill", "/T", "/F", "/PID", str(server.pid)], check=False, capture_output=True)
        server.wait()
        return
    for signum in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, signum)
        except ProcessLookupError:
            break
        try:
            server.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            continue
