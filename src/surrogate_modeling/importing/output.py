"""The folder of an import: made whole beside its place, then moved there."""

from __future__ import annotations

import glob
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from surrogate_modeling.cases.companions import CASES_FILE, IMPORT_FILE
from surrogate_modeling.common.atomic_file import STALE_AFTER
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.output_folder import held
from surrogate_modeling.importing.records import FileRecord, Record, read_record


def earlier_import(folder: Path, *, overwrite: bool) -> Record | None:
    """The import that a folder holds; None where there is none.

    Raises:
        UserError: the folder holds files that no import made, which a new one would remove.
    """
    if not folder.exists():
        return None
    if not folder.is_dir():
        raise UserError(f"output={folder}: not a folder")
    there = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    if not there:
        return None
    if IMPORT_FILE not in there:
        raise UserError(f"output={folder}: holds files that no import made; give another folder")
    try:
        record = read_record(folder / IMPORT_FILE)
    except UserError:
        if overwrite:
            return None
        raise
    made = {path for file in record.files for path in case_files(file, record)}
    if other := sorted(there - made - {IMPORT_FILE, CASES_FILE}):
        raise UserError(f"output={folder}: {other[0]} was not made by the import; move it away or give another folder")
    return record


def state(folder: Path) -> tuple[int, int] | None:
    """What tells an import from a later one to the same folder; None where there is none."""
    try:
        found = (folder / IMPORT_FILE).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def case_files(file: FileRecord, record: Record) -> list[str]:
    """Names of the case files that a file became."""
    return [f"{case.case}.{record.keys['format']}" for case in file.cases]


def kept(file: FileRecord, record: Record, old: Path, new: Path) -> bool:
    """Take over the cases of a file that has not changed; False where one of them is gone."""
    names = case_files(file, record)
    if not all((old / name).is_file() for name in names):
        return False
    for name in names:
        try:
            os.link(old / name, new / name)
        except OSError:  # another file system, or one without links
            shutil.copy2(old / name, new / name)
    return True


def remove_others(folder: Path, files: Sequence[FileRecord], record: Record) -> None:
    """Remove cases of files that turned out to be bad behind them."""
    made = {name for file in files for name in case_files(file, record)}
    for path in folder.iterdir():
        if path.name not in made:
            path.unlink()


def _remove_stale(folder: Path) -> None:
    """Remove what killed imports to the same folder left beside it."""
    for left in folder.parent.glob(f".{glob.escape(folder.name)}.{'[0-9a-f]' * 8}.part"):
        if time.time() - left.stat().st_mtime > STALE_AFTER:
            shutil.rmtree(left, ignore_errors=True)


@contextmanager
def whole(folder: Path, before: tuple[int, int] | None) -> Iterator[Path]:
    """A temporary folder that replaces ``folder`` when all went well, and is removed otherwise.

    Args:
        folder: to be replaced.
        before: its :func:`state` when it was checked.

    Raises:
        UserError: the folder cannot be made, or another import writes it, or has written it since.
    """
    folder = folder.absolute()
    mark = f".{folder.name}.{secrets.token_hex(4)}"
    part, old = folder.with_name(f"{mark}.part"), folder.with_name(f"{mark}.old")
    _remove_stale(folder)
    try:
        part.mkdir(parents=True)
    except OSError as error:
        raise UserError(f"output={folder}: {error.strerror}; give a folder that can be written") from None
    try:
        with held(folder.with_name(f".{folder.name}.lock"), folder):
            if state(folder) != before:
                raise UserError(f"output={folder}: another import has just written it; give another folder")
            yield part
            _replace(folder, part, old)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _replace(folder: Path, part: Path, old: Path) -> None:
    """Put one folder in the place of another, or leave all as it was."""
    if folder.exists():
        folder.rename(old)
    try:
        part.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
