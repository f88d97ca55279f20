"""Zip archives of files to import: the names of their members, and their content."""

from __future__ import annotations

import hashlib
import logging
import re
import shutil
import threading
import zipfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from surrogate_modeling.importing.raw_table import BadFile

log = logging.getLogger(__name__)
# The flag of a member whose name is UTF-8; without it the name is in the encoding of the machine that packed it.
UTF8_NAME = 0x800
# What zipfile takes for the encoding of a name without the flag.
UNSAID = "cp437"
# By chance, umlauts and the letters behind them give single characters of Shift-JIS, not several in a row.
JAPANESE = re.compile(r"[ぁ-ヿ一-鿿々]{2}")
# Open at once, each with its list of members.
MOST_OPEN = 8


class Archive:
    """An open archive, whose members threads may read side by side.

    Attributes:
        members: name -> entry of each file in it.
        encoding: of the names that do not say theirs; empty where all do.

    Raises:
        BadFile: it is none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise BadFile(str(path), f"no zip archive ({error})") from None
        entries = [entry for entry in self._zip.infolist() if not entry.is_dir()]
        self.encoding = _encoding([entry for entry in entries if not entry.flag_bits & UTF8_NAME])
        self.members = {_name(entry, self.encoding): entry for entry in entries}
        self._lock, self._digest = threading.Lock(), ""

    def say_encoding(self) -> None:
        """Warn of names that may be read wrongly."""
        odd = [name for name in self.members if not name.isascii()]
        if odd and self.encoding in ("cp932", UNSAID):
            log.warning(
                "%s: does not say how the names in it are written; they are read as %s, such as %r; if that is wrong, "
                "unpack it, or pack it again with names in UTF-8",
                self._path, self.encoding, odd[0],
            )  # fmt: skip

    def digest(self) -> str:
        """Digest of the whole archive, computed once."""
        with self._lock:
            if not self._digest:
                with self._path.open("rb") as content:
                    self._digest = hashlib.file_digest(content, "sha256").hexdigest()
        return self._digest

    def unpack(self, member: str, target: Path) -> None:
        """Write the content of a member to a file.

        Raises:
            BadFile: it is gone.
        """
        if member not in self.members:
            raise BadFile(str(self._path), f"holds no {member!r} any more; import it again when it is complete")
        # Only opening and closing count the readers of the archive; they read at places of their own.
        with self._lock:
            content = self._zip.open(self.members[member])
        try:
            with target.open("wb") as out:
                shutil.copyfileobj(content, out, 1 << 20)
        finally:
            with self._lock:
                content.close()


def archive_at(path: Path) -> Archive:
    """The archive at a path; its list of members is read once, until it changes on the disk.

    Raises:
        BadFile: it cannot be read, or is none.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise BadFile(str(path), f"cannot be read: {error.strerror}") from None
    with _LOCK:
        return _opened(path, found.st_size, found.st_mtime_ns)


_LOCK = threading.Lock()


@lru_cache(maxsize=MOST_OPEN)
def _opened(path: Path, _size: int, _changed: int) -> Archive:
    return Archive(path)


def close_archives() -> None:
    """Close those that are open."""
    _opened.cache_clear()


def _encoding(entries: Sequence[zipfile.ZipInfo]) -> str:
    """Encoding of the names that do not say it."""
    try:
        written = [entry.orig_filename.encode(UNSAID) for entry in entries]
    except UnicodeError:  # they said it in another way
        return ""
    for encoding in ("ascii", "utf-8", "cp932"):
        try:
            names = [name.decode(encoding) for name in written]
        except UnicodeError:
            continue
        if encoding != "cp932" or any(map(JAPANESE.search, names)):
            return encoding
    return UNSAID


def _name(entry: zipfile.ZipInfo, encoding: str) -> str:
    if entry.flag_bits & UTF8_NAME or encoding in ("", UNSAID):
        return entry.filename
    # Not `filename`, in which Windows has made slashes of the half characters that look like a backslash.
    return entry.orig_filename.encode(UNSAID).decode(encoding)
