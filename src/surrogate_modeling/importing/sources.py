"""Files to import: from files, folders, patterns and archives; and the names of their cases."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from surrogate_modeling.cases.companions import without_tables
from surrogate_modeling.cases.folder import natural_order
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import expanded
from surrogate_modeling.importing.archives import archive_at
from surrogate_modeling.importing.formats import reader_of
from surrogate_modeling.importing.raw_table import BadFile

# Between an archive and its member, in messages.
MEMBER = "!"
# Text is packed to about a fifth.
GZIP_TIMES = 5


@dataclass(frozen=True)
class SourceFile:
    """One file to import.

    Attributes:
        path: on the disk; of an archive that of the archive.
        member: name within an archive; empty otherwise.
    """

    path: Path
    member: str = ""

    def __str__(self) -> str:
        return f"{self.path}{MEMBER}{self.member}" if self.member else str(self.path)

    @property
    def absolute(self) -> str:
        """The file as the record of an import names it."""
        return str(Path(str(self)).absolute())

    @property
    def inner(self) -> str:
        """Name of the file without the archive around it, whose suffix is that of its format."""
        if self.member:
            return self.member.rsplit("/", 1)[-1]
        return self.path.name[:-3] if self.path.suffix.lower() == ".gz" else self.path.name

    @property
    def stem(self) -> str:
        """Name of the file without archive and suffix."""
        return Path(self.inner).stem

    @property
    def folders(self) -> tuple[str, ...]:
        """Names of the folders that hold the file; an archive is one."""
        around = self.path.resolve().parent.parts[1:]
        return (*around, self.path.stem, *self.member.split("/")[:-1]) if self.member else around

    def state(self) -> tuple[int, int]:
        """Size and time of the last change, on the disk.

        Raises:
            BadFile: it cannot be read.
        """
        with self._reading():
            found = self.path.stat()
        return found.st_size, found.st_mtime_ns

    def digest(self) -> str:
        """Digest of the content on the disk, and the name within an archive.

        Raises:
            BadFile: it cannot be read.
        """
        with self._reading():
            if self.member:
                return f"{archive_at(self.path).digest()[:32]}{self.member}"
            with self.path.open("rb") as content:
                return hashlib.file_digest(content, "sha256").hexdigest()[:32]

    def unpacked_bytes(self) -> int:
        """Size without the archive around it; of a .gz, which does not say it, an estimate.

        Raises:
            BadFile: it cannot be read.
        """
        if self.member:
            found = archive_at(self.path).members.get(self.member)
            return found.file_size if found else 0
        size = self.state()[0]
        return size * GZIP_TIMES if self.path.suffix.lower() == ".gz" else size

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise BadFile(str(self), f"cannot be read: {error.strerror}") from None


def list_sources(source: str | Sequence[str]) -> list[SourceFile]:
    """List the files of the key ``source``, in natural name order per entry.

    Raises:
        UserError: nothing is there.
    """
    given = [source] if isinstance(source, str) else [str(entry) for entry in source]
    found: dict[SourceFile, None] = {}
    for entry in given:
        paths = _paths(entry)
        found |= dict.fromkeys(file for path in paths for file in _members(path))
    if not found:
        raise UserError(f"source={', '.join(given)}: no file of a known format there")
    return list(found)


def _paths(entry: str) -> list[Path]:
    path = expanded(entry, "source")
    try:
        if path.is_file():
            return [path]
        if path.is_dir():
            files = [item for item in path.iterdir() if item.is_file() and not item.name.startswith(".")]
            files = without_tables(path, [item for item in files if reader_of(item, item.name)])
            what = f"no file of a known format in this folder; '{entry}/**/*.csv' looks in its subfolders too"
        else:
            files = [item for item in _matching(path) if item.is_file()]
            what = "no file matches" if any(mark in entry for mark in "*?[") else "no such file or folder"
    except (OSError, ValueError) as error:
        raise UserError(f"source={entry}: {getattr(error, 'strerror', None) or error}") from None
    if not files:
        raise UserError(f"source={entry}: {what}")
    return sorted(files, key=lambda item: [natural_order(part) for part in item.parts])


def _matching(pattern: Path) -> Iterator[Path]:
    """Files that match a path of which some parts hold ``*``, ``?`` or ``[``."""
    parts = pattern.parts
    first = next((i for i, part in enumerate(parts) if any(mark in part for mark in "*?[")), len(parts))
    if first < len(parts):
        yield from Path(*parts[:first]).glob("/".join(parts[first:]))


def _members(path: Path) -> list[SourceFile]:
    if path.suffix.lower() != ".zip":
        return [SourceFile(path)]
    try:
        found = [SourceFile(path, name) for name in _names_within(path)]
    except BadFile:
        # It is refused when it is read, so that others can go on without it.
        return [SourceFile(path)]
    archive_at(path).say_encoding()
    return found


def _names_within(path: Path) -> list[str]:
    """Names of the files of known formats in an archive.

    Raises:
        BadFile: there are none, or it is no archive.
    """
    names = archive_at(path).members
    kept = [name for name in names if not name.startswith("__MACOSX/") and reader_of(None, name.rsplit("/", 1)[-1])]
    if not kept:
        raise BadFile(str(path), "holds no file of a known format")
    return sorted(kept, key=natural_order)


@contextmanager
def unpacked(file: SourceFile) -> Iterator[Path]:
    """The path of a file, unpacked into a temporary folder where it is in an archive.

    Raises:
        BadFile: the archive is damaged, or none.
    """
    if not file.member and file.path.suffix.lower() == ".zip":
        _names_within(file.path)
    packed = bool(file.member) or file.path.suffix.lower() == ".gz"
    if not packed:
        yield file.path
        return
    with tempfile.TemporaryDirectory(prefix="import-") as folder:
        target = Path(folder) / file.inner.replace("\\", "_")
        try:
            if file.member:
                archive_at(file.path).unpack(file.member, target)
            else:
                with gzip.open(file.path) as content, target.open("wb") as out:
                    shutil.copyfileobj(content, out, 1 << 20)
        except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) as error:
            raise BadFile(str(file), f"the archive is damaged ({error}); pack it again") from None
        except RuntimeError:
            raise BadFile(str(file), "the archive has a password; unpack it first") from None
        yield target


def case_names(files: Sequence[SourceFile]) -> dict[SourceFile, str]:
    """The name of each file's case: its own, with those of its folders before it where two files have one name.

    Raises:
        UserError: two files cannot be told apart.
    """
    names = {file: file.stem for file in files}
    for level in (1, 2, 3):
        for file in _doubled(names):
            names[file] = "_".join((*file.folders[-level:], file.stem))
    for file in _doubled(names):
        # Files that only their suffix tells apart.
        names[file] = f"{names[file]}_{Path(file.inner).suffix.removeprefix('.')}"
    if doubled := _doubled(names):
        raise UserError(f"source: {doubled[0]} and {doubled[1]} give the case '{names[doubled[0]]}'; rename one")
    return names


def _doubled(names: dict[SourceFile, str]) -> list[SourceFile]:
    counts = Counter(name.casefold() for name in names.values())
    return [file for file, name in names.items() if counts[name.casefold()] > 1]
