"""``pdm run ui`` and ``pdm run send``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from surrogate_modeling.tracking.sender import send_later, tracking_uri


def open_ui(arguments: list[str]) -> int:
    """Serve MLflow's pages on the project's store, to this machine only; further arguments go to ``mlflow ui``."""
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", tracking_uri(), "--host", "127.0.0.1"]
    return subprocess.call([*command, *arguments])


match sys.argv[1:]:
    case ["ui", *rest]:
        sys.exit(open_ui(rest))
    case ["send", first, *rest]:
        sys.exit(send_later([Path(argument) for argument in (first, *rest)]))
    case _:
        sys.exit("usage: python -m surrogate_modeling.tracking ui [--port N] | send <run folder> ...")
