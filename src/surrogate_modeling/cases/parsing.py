"""Parse a case file by its ending."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from surrogate_modeling.cases.case_file import RawCase, parse_case
from surrogate_modeling.cases.parquet_file import parse_parquet

Parser = Callable[[Path, bytes, Collection[str] | None, Callable[[str], bool] | None], RawCase]
# Endings of files that are not in the CSV of the case format.
PARSERS: dict[str, Parser] = {".parquet": parse_parquet}


def parse_file(
    path: Path,
    body: bytes,
    full_columns: Collection[str] | None = None,
    ignored: Callable[[str], bool] | None = None,
) -> RawCase:
    """Parse the bytes of one case file; see :func:`surrogate_modeling.cases.case_file.parse_case`.

    Raises:
        CaseFileError: with every problem found.
    """
    return PARSERS.get(path.suffix.lower(), parse_case)(path, body, full_columns, ignored)
