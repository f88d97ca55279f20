"""The rows of a text file as a stream of UTF-8, whatever its encoding is; and where it is not of this encoding."""

from __future__ import annotations

import codecs
import io
import re
from pathlib import Path
from typing import IO

from surrogate_modeling.importing.sniffing import Dialect

# Bytes that could not be decoded, as Python keeps them in text.
ESCAPED = re.compile("[\udc80-\udcff]")


def opened_rows(path: Path, dialect: Dialect, block_bytes: int) -> IO[bytes]:
    """The rows of a file as a stream of UTF-8: the bytes themselves where they are.

    Args:
        path: of the file.
        dialect: how it is written.
        block_bytes: size of the buffer.

    Raises:
        UnicodeDecodeError: the head is not of the dialect's encoding; reading may raise it as well.
    """
    if dialect.encoding in ("utf-8", "utf-8-sig") and dialect.separator != " ":
        file = path.open("rb")
        head = [file.readline() for _ in range(dialect.first_row - 1)]
        # Lines that end with carriage returns alone, or with two and a line feed, are left to Python's reader of text.
        if head and not any(b"\r" in line.removesuffix(b"\n").removesuffix(b"\r") for line in head):
            return io.BufferedReader(_Checked(file), block_bytes)
        file.close()
    return io.BufferedReader(_Rows(path, dialect), block_bytes)


class _Checked(io.RawIOBase):
    """The rest of a file, which must be UTF-8: Arrow prints a traceback where a line that it skips is not."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.decoder = codecs.getincrementaldecoder("utf-8")()

    def fileno(self) -> int:
        """The file itself, whose position says how much of it has been read."""
        return self.file.fileno()

    def readable(self) -> bool:
        """Whether bytes can be read: yes."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer with the next bytes, and return how many these are."""
        part = self.file.read(len(buffer))
        self.decoder.decode(part, final=not part)
        buffer[: len(part)] = part
        return len(part)

    def close(self) -> None:
        """Close the file as well."""
        self.file.close()
        super().close()


class _Rows(io.RawIOBase):
    """The rows of a file as a stream of UTF-8: head skipped, runs of white space as tabs."""

    def __init__(self, path: Path, dialect: Dialect) -> None:
        self.text = path.open(encoding=dialect.encoding, newline=None)
        self.squeezed = dialect.separator == " "
        self.left = memoryview(b"")
        for _ in range(dialect.first_row - 1):
            self.text.readline()

    def fileno(self) -> int:
        """The file itself, whose position says how much of it has been read."""
        return self.text.fileno()

    def readable(self) -> bool:
        """Whether bytes can be read: yes."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer with the next bytes, and return how many these are."""
        if not self.left:
            self.left = memoryview(self._part(len(buffer)))
        count = min(len(buffer), len(self.left))
        buffer[:count] = self.left[:count]
        self.left = self.left[count:]
        return count

    def close(self) -> None:
        """Close the file as well."""
        self.text.close()
        super().close()

    def _part(self, size: int) -> bytes:
        if self.squeezed:
            return "".join("\t".join(line.split()) + "\n" for line in self.text.readlines(size)).encode()
        return self.text.read(size).encode()


def undecodable(path: Path, encoding: str) -> str:
    """The line in which a file is not of an encoding, and what to do, for a message.

    Args:
        path: of the file.
        encoding: as guessed from its first bytes, or as given.
    """
    place = ""
    try:
        with path.open(encoding=encoding, errors="surrogateescape", newline=None) as text:
            place = next((f"line {number}: " for number, line in enumerate(text, 1) if ESCAPED.search(line)), "")
    except UnicodeDecodeError:
        # The codec cannot go on behind wrong bytes; the message is true without the line.
        pass
    same = codecs.lookup(encoding)
    others = " or ".join(name for name in ("utf-8", "cp932", "latin-1") if codecs.lookup(name) != same)
    return f"{place}not {encoding}; give encoding=..., e.g. {others}"
