"""Compile functions with numba, with a cache that depends on every source of this package.

numba's ``cache=True`` alone watches only the file of a function, so an edited callee in another module would go
unnoticed. Here the name of the cache folder holds a digest of all sources, and a manifest of checksums, written
once everything is compiled, detects damaged files, which are rebuilt.
"""

from __future__ import annotations

import hashlib
import json
import pickletools
import platform
import shutil
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numba
import numba.core.config
from llvmlite.binding import get_host_cpu_name

from surrogate_modeling.common.atomic_file import write_atomic
from surrogate_modeling.common.paths import cache_folder

# Typed loosely: numba fills this module from the environment.
settings: Any = numba.core.config
Function = TypeVar("Function", bound=Callable[..., Any])
MANIFEST = "manifest.json"
MAX_AGE_DAYS = 30
PACKAGE = Path(__file__).resolve().parent


@lru_cache(maxsize=1)
def source_hash() -> str:
    """Digest of this package's sources.

    numba's own cache only looks at the file a function is written in, so an edit of a function it calls in
    another module would go unnoticed; a folder per digest of all sources cannot be stale.
    """
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.glob("*.py")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@lru_cache(maxsize=1)
def code_folder() -> Path:
    """Cache folder of the code compiled from these sources, emptied if a file does not match its checksum."""
    # numba also compares modification times, so a fresh checkout of equal sources gets its own folder.
    times = [path.stat().st_mtime_ns for path in sorted(PACKAGE.glob("*.py"))]
    # Of several processors that share a home, each has code of its own.
    processor = platform.machine(), get_host_cpu_name()
    key = repr((source_hash(), times, str(PACKAGE), numba.__version__, platform.python_version(), processor))
    folder = cache_folder() / f"compiled-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    if not _intact(folder):
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def compiled(function: Function) -> Function:
    """Decorator: compile on first call, and keep the result in this package's own cache folder."""
    previous = settings.CACHE_DIR
    settings.CACHE_DIR = str(code_folder())
    try:
        return numba.njit(cache=True, error_model="numpy")(function)  # type: ignore[return-value]
    finally:
        settings.CACHE_DIR = previous


def is_sealed() -> bool:
    """Whether a manifest says that all code was compiled."""
    return (code_folder() / MANIFEST).exists()


def seal() -> None:
    """Write the manifest once all code is compiled, and remove cache folders that were not used for a month."""
    folder = code_folder()
    if is_sealed():
        return
    sums = {str(path.relative_to(folder)): _digest(path) for path in _files(folder)}
    write_atomic(folder / MANIFEST, json.dumps(sums, indent=1).encode())
    for other in cache_folder().glob("compiled-*"):
        if other != folder and time.time() - other.stat().st_mtime > MAX_AGE_DAYS * 86400:
            shutil.rmtree(other, ignore_errors=True)


def _files(folder: Path) -> list[Path]:
    """Files of compiled code, without their indices (.nbi), which numba rewrites for each new argument type."""
    return sorted(path for path in folder.rglob("*.nbc") if path.is_file())


def _readable(index: Path) -> bool:
    """Whether an index is two whole pickles; they are not loaded, as they name classes of modules under import."""
    try:
        with index.open("rb") as file:
            for _ in range(2):  # numba's version; stamp and files
                for _operation in pickletools.genops(file):
                    pass
        return True
    except Exception:  # any damage: the file is compiled again
        return False


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _intact(folder: Path) -> bool:
    if not all(_readable(index) for index in folder.rglob("*.nbi")):
        return False
    manifest = folder / MANIFEST
    if not manifest.exists():
        return True  # nothing yet, or a compilation under way; each file is written whole by numba
    try:
        sums = json.loads(manifest.read_text())
        return all(_digest(folder / name) == value for name, value in sums.items())
    except (OSError, ValueError, AttributeError):
        return False
