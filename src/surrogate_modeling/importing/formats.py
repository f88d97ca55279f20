"""The readers of file formats by suffix; each imports its library when it is called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from surrogate_modeling.importing.raw_table import BadFile, RawTable, ReadOptions
from surrogate_modeling.importing.readers.arrow import read_feather, read_parquet
from surrogate_modeling.importing.readers.excel import read_excel, refuse_old
from surrogate_modeling.importing.readers.hdf5 import read_hdf5
from surrogate_modeling.importing.readers.matlab import read_mat
from surrogate_modeling.importing.readers.mdf import read_mdf

Reader = Callable[[Path, ReadOptions], list[RawTable]]


def read_text(path: Path, options: ReadOptions) -> list[RawTable]:
    """Read a text file of any dialect as one table."""
    from surrogate_modeling.importing import text_file

    return text_file.read(path, options)


# Suffix in lower case, with its point -> reader.
READERS: dict[str, Reader] = {
    **dict.fromkeys((".csv", ".txt", ".tsv", ".tab", ".asc", ".prn", ".dat", ".out", ".log", ".res"), read_text),
    **dict.fromkeys((".xlsx", ".xlsm"), read_excel),
    **dict.fromkeys((".xls", ".xlsb", ".ods"), refuse_old),
    **dict.fromkeys((".parquet", ".pq"), read_parquet),
    **dict.fromkeys((".feather", ".ftr", ".arrow"), read_feather),
    **dict.fromkeys((".h5", ".hdf5", ".hdf", ".he5"), read_hdf5),
    ".mat": read_mat,
    **dict.fromkeys((".mf4", ".mdf"), read_mdf),
}
# First bytes of a file -> suffix of its format, for files with a suffix of several formats.
SIGNATURES = {b"MDF     ": ".mdf", b"UnFinMF ": ".mdf", b"\x89HDF\r\n\x1a\n": ".h5", b"PAR1": ".parquet"}


def reader_of(path: Path | None, name: str) -> Reader | None:
    """The reader of a file; None where its format is not known.

    Args:
        path: of the file, to look at its first bytes; None: only its name is known.
        name: of the file; an archive's suffix ``.gz`` is passed over.
    """
    lowered = name.lower()
    if lowered.endswith(".zip"):
        return read_text
    suffix = Path(lowered.removesuffix(".gz")).suffix
    reader = READERS.get(suffix)
    if path is not None and reader is read_text and not lowered.endswith(".gz"):
        with path.open("rb") as file:
            begin = file.read(8)
        for signature, other in SIGNATURES.items():
            if begin.startswith(signature):
                return READERS[other]
    return reader


def read_tables(path: Path, name: str, options: ReadOptions) -> list[RawTable]:
    """Read the tables of a file that is not packed.

    Raises:
        BadFile: the format is not known, or the file cannot be read.
    """
    source = options.source(path)
    reader = reader_of(path, name)
    if reader is None:
        known = ", ".join(READERS)
        raise BadFile(source, f"the format of '{Path(name).suffix or name}' is not known; known: {known}")
    try:
        tables = reader(path, options)
    except OSError as error:
        raise BadFile(source, f"cannot be read: {error.strerror or error}") from None
    if not tables:
        raise BadFile(source, "holds no table")
    return tables
