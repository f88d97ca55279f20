"""An import in the folder of a test: files written to ``in``, cases read from ``out``."""

from pathlib import Path
from typing import Any

import numpy as np

from surrogate_modeling.cases.parsing import parse_file
from surrogate_modeling.config.import_keys import ImportConfig
from surrogate_modeling.importing.run import import_files


def run(tmp_path: Path, **keys: Any) -> Path:
    """Import ``tmp_path/in`` to ``tmp_path/out``."""
    keys = {"source": str(tmp_path / "in"), "output": str(tmp_path / "out"), "workers": 2, **keys}
    import_files(ImportConfig(**keys))
    return tmp_path / "out"


def write(tmp_path: Path, name: str, text: str | bytes) -> Path:
    path = tmp_path / "in" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def case(path: Path) -> tuple[dict[str, str], np.ndarray]:
    """Name -> unit of the columns, and all numbers (T, 1 + F), of a case as training reads it."""
    raw = parse_file(path, path.read_bytes())
    units = dict(zip((raw.time_name, *raw.names), ("s", *raw.units), strict=True))
    return units, np.column_stack([raw.time, raw.values])
