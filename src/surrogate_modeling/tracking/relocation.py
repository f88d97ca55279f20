"""Update the absolute paths in a tracking database after its project folder was moved or copied.

MLflow stores absolute paths. In a moved project, new files would go to the old place, which would be made again, and
registered models would be looked for there.
"""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.tracking.database import ARTIFACTS, database_lock

log = logging.getLogger(__name__)
# Of MLflow's tables, the columns that hold places of files.
PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("logged_models", "artifact_location"),
)
SECONDS_FOR_DATABASE = 60.0


def follow_moved_store(file: Path) -> None:
    """Update the paths in a database that point into a folder beside it which has moved.

    A place that somebody chose, and that is there, stays.

    Args:
        file: of the database, which may not be there yet.

    Raises:
        UserError: the files are neither at the old place nor beside the database; with what to do.
    """
    if not file.exists():
        return
    try:
        with closing(_open(file, writes=False)) as database:
            moved = [root for root in _roots(database) if _has_moved(database, root, file.parent / ARTIFACTS)]
    except sqlite3.Error:
        # No database of MLflow, or one that is busy: MLflow itself reports the error.
        return
    for root in moved:
        _rewrite(file, root)


def _open(file: Path, writes: bool) -> sqlite3.Connection:
    mode = "rw" if writes else "ro"
    return sqlite3.connect(f"{file.as_uri()}?mode={mode}", uri=True, timeout=SECONDS_FOR_DATABASE)


def _roots(database: sqlite3.Connection) -> list[str]:
    """Folders beside a database, as URIs, that experiments keep their runs' files in."""
    found = database.execute("SELECT DISTINCT artifact_location FROM experiments").fetchall()
    # MLflow's own default experiment has the folder 0 in it.
    places = {place.removesuffix("/0") for (place,) in found if isinstance(place, str)}
    return sorted(place for place in places if place.startswith("file:") and place.endswith(f"/{ARTIFACTS}"))


def _has_moved(database: sqlite3.Connection, root: str, here: Path) -> bool:
    old = _path(root)
    if old == here or (old.exists() and here.exists() and old.samefile(here)):
        return False
    runs = database.execute(
        "SELECT artifact_uri FROM runs WHERE substr(artifact_uri, 1, ?) = ?", (len(root) + 1, f"{root}/")
    ).fetchall()
    if any((here / unquote(place[len(root) + 1 :])).exists() for (place,) in runs):
        return True
    if old.exists():
        return False
    if runs and not here.exists():
        raise UserError(
            f"{here.parent}: the files of the runs in its tracking database lie in {old}, which is not there. "
            f"Move that folder to {here}, or where they are lost begin with an empty one: mkdir {here}"
        )
    return True


def _path(uri: str) -> Path:
    return Path(url2pathname(urlsplit(uri).path))


def _rewrite(file: Path, root: str) -> None:
    here = (file.parent / ARTIFACTS).as_uri()
    try:
        with database_lock(file), closing(_open(file, writes=True)) as database, database:
            for table, column in PLACES:
                database.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) "
                    f"WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                    (here, len(root) + 1, root, len(root) + 1, f"{root}/"),
                )
    except (sqlite3.Error, OSError) as error:
        raise UserError(
            f"{file}: was moved from {_path(root).parent}, and the places of files in it cannot follow ({error}); "
            "make it writable once"
        ) from None
    log.info("the tracking store was moved from %s: the places of its files follow", _path(root).parent)
