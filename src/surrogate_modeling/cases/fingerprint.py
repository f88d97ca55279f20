"""Fingerprint of the files of cases."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

LETTERS = 16


def fingerprint(cases: Iterable[tuple[str, str]]) -> str:
    """Digest of the content of all files.

    Args:
        cases: name of each case, and the SHA-256 of its file as hexadecimal digits, in natural name order.
    """
    return hashlib.sha256("".join(f"{name}:{digest};" for name, digest in cases).encode()).hexdigest()[:LETTERS]


def file_fingerprint(files: Iterable[Path]) -> str:
    """The same of files that are read for it."""
    return fingerprint((file.stem, hashlib.sha256(file.read_bytes()).hexdigest()) for file in files)
