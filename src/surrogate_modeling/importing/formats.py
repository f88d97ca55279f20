"""The readers of file formats by suffix; each imports its library when it is called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from surrogate_modeling.importing.raw_table import RawTable, ReadOptions
from surrogate_modeling.importing.readers.arrow import read_feather, read_parquet
from surrogate_modeling.importing.readers.excel import read_excel, refuse_old
from surrogate_modeling.importing.readers.hdf5 import read_hdf5
from surrogate_modeling.importing.readers.matlab import read_mat
from surrogate_modeling.importing.readers.mdf import read_mdf

Reader = Callable[[Path, ReadOptions], list[RawTable]]
# Suffix in lower case, with its point -> reader.
READERS: dict[str, Reader] = {
    **dict.fromkeys((".xlsx", ".xlsm"), read_excel),
    **dict.fromkeys((".xls", ".xlsb", ".ods"), refuse_old),
    **dict.fromkeys((".parquet", ".pq"), read_parquet),
    **dict.fromkeys((".feather", ".ftr", ".arrow"), read_feather),
    **dict.fromkeys((".h5", ".hdf5", ".hdf", ".he5"), read_hdf5),
    ".mat": read_mat,
    **dict.fromkeys((".mf4", ".mdf"), read_mdf),
}
