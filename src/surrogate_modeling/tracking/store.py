"""Find, check and connect to the tracking store in which a run is recorded."""

from __future__ import annotations

import logging
import os
import threading
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit
from urllib.request import url2pathname

from surrogate_modeling.common.errors import UserError, first_line
from surrogate_modeling.common.passwords import without_passwords
from surrogate_modeling.common.paths import PROJECT_ROOT
from surrogate_modeling.tracking.database import SQLITE, artifact_root, create_database, database_file
from surrogate_modeling.tracking.relocation import follow_moved_store

URI, USERNAME, PASSWORD = "MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"
SERVERS = ("http", "https")
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
OTHERS = ("databricks", "databricks-uc", "uc")
MAX_REASON_LETTERS = 300
_IMPORTING = threading.Lock()


def tracking_uri() -> str:
    """URI of the store: ``MLFLOW_TRACKING_URI`` if set, else a database under the project root.

    A login in the address of a server moves to ``MLFLOW_TRACKING_USERNAME`` and ``MLFLOW_TRACKING_PASSWORD``, so that
    no library can print it.
    """
    given = os.environ.get(URI)
    if not given:
        return f"{SQLITE}{PROJECT_ROOT / 'mlflow.db'}"
    address = _split(given)
    if address.scheme not in SERVERS or address.password is None:
        return given
    os.environ[USERNAME], os.environ[PASSWORD] = unquote(address.username or ""), unquote(address.password)
    os.environ[URI] = urlunsplit(address._replace(netloc=address.netloc.rpartition("@")[2]))
    return os.environ[URI]


def shown_uri() -> str:
    """Address of the store for logs and messages, without a password."""
    return without_passwords(tracking_uri())


def reason_of(error: BaseException) -> str:
    """Error message of the store, in one line without passwords, cut where it is a whole page."""
    return without_passwords(first_line(error))[:MAX_REASON_LETTERS]


def check_store(writes: bool = True) -> None:
    """Refuse a store that can never take a record, or whose place cannot be written.

    Args:
        writes: False where the store is only read.

    Raises:
        UserError: with what to set instead.
    """
    uri = tracking_uri()
    kind = _split(uri).scheme.partition("+")[0]
    if kind in ("", "file") and os.environ.get("MLFLOW_ALLOW_FILE_STORE", "").lower() not in ("true", "1"):
        folder = Path(url2pathname(_split(uri).path) if kind else uri).expanduser().absolute()
        instead = f"{SQLITE}{folder.parent / 'mlflow.db'}"
        raise UserError(
            f"{URI}={uri}: MLflow keeps no runs in folders of files any more: set {URI}={instead}\n"
            f"What is in the folder moves there with: mlflow migrate-filestore --source {folder} --target {instead}"
        )
    if kind not in ("", "file", *SERVERS, *DATABASES, *OTHERS) and not _is_plugin(kind):
        raise UserError(
            f"{URI}={shown_uri()}: no kind of store that MLflow knows; give {SQLITE}<file>, http://<host>:<port>, "
            "or the address of a database, postgresql://<user>@<host>/<name>"
        )
    file = database_file(uri)
    if file is not None:
        if writes:
            _check_writable(file)
        follow_moved_store(file)


def _split(uri: str) -> SplitResult:
    try:
        address = urlsplit(uri)
        if address.scheme in SERVERS:
            # Read from the text only now, and refused where it is no number.
            _ = address.port
            if not address.hostname:
                raise ValueError("no host")
    except ValueError:
        # Not with the address: where the password ends is what cannot be told.
        raise UserError(
            f"{URI}: not an address like http://<host>:<port>; a password with / or # in it belongs into {PASSWORD}, "
            f"the user into {USERNAME}"
        ) from None
    return address


def _is_plugin(kind: str) -> bool:
    from importlib.metadata import entry_points

    return any(point.name == kind for point in entry_points(group="mlflow.tracking_store"))


def _check_writable(file: Path) -> None:
    folder = file.parent
    while not folder.exists():
        folder = folder.parent
    wrong = next((place for place in (file, folder) if place.exists() and not os.access(place, os.W_OK)), None)
    if wrong is not None:
        raise UserError(
            f"{wrong}: cannot be written, and the tracking store {file} is there; set {URI}={SQLITE}<file of your own>"
        )


def _limit_patience() -> None:
    """Limit retries to seconds for a store that is unavailable, unless the environment sets its own limit."""
    # The journal waits instead: MLflow's own patience is minutes per call.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    # It prints the address of every run that ends.
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")


def import_mlflow() -> Any:
    """Import MLflow, in one thread at a time.

    Its modules import each other in a circle: of two threads that come from different sides one gets an error.
    """
    _limit_patience()
    with _IMPORTING:
        return import_module("mlflow")


def connect() -> Any:
    """Connect MLflow's client to the store; a missing database and folders are made.

    Raises:
        UserError: no such store can be.
        Exception: whatever MLflow raises where the store does not answer.
    """
    mlflow = import_mlflow()
    # MLflow logs a traceback for each failed call; the failure is logged here once, in a line.
    logging.getLogger("mlflow.store").setLevel(logging.CRITICAL)
    uri = tracking_uri()
    create_database(uri, artifact_root(uri))
    client = mlflow.MlflowClient(uri)
    client.search_experiments(max_results=1)
    return client
