"""The readers of file formats by suffix; each imports its library when it is called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from surrogate_modeling.importing.raw_table import RawTable, ReadOptions

Reader = Callable[[Path, ReadOptions], list[RawTable]]
# Suffix in lower case, with its point -> reader.
READERS: dict[str, Reader] = {}
