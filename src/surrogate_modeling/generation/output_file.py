"""Read the output of a program: a file in the case format, or any other that the importer reads.

Shape letters: T rows, F columns after time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from surrogate_modeling.cases.case_file import CaseFileError, parse_case
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.import_keys import ImportConfig
from surrogate_modeling.config.refusals import configuration_message
from surrogate_modeling.generation.simulator import CaseFailed, PlanError
from surrogate_modeling.importing.file_import import FileImport, sample
from surrogate_modeling.importing.import_plan import ImportPlan, make_import_plan
from surrogate_modeling.importing.parameters import Parameters
from surrogate_modeling.importing.raw_table import BadFile
from surrogate_modeling.importing.segmentation import Cutting
from surrogate_modeling.importing.sources import SourceFile
from surrogate_modeling.importing.text_columns import SWITCHES

# Keys of ``import`` that say how one file is read.
IMPORT_KEYS = (
    "separator", "decimal", "encoding", "header_row", "unit_row", "parts", "step", "time", "time_unit", "date_format",
    "duplicates", "missing", "max_missing", "ignore", "units", "to_units", "text",
)  # fmt: skip


@dataclass(frozen=True)
class Output:
    """Content of an output file: unit of each column after time, time (T,) [s], values (T, F), what was guessed."""

    units: dict[str, str]
    time: np.ndarray
    values: np.ndarray
    remarks: tuple[str, ...] = ()


def check_keys(keys: Mapping[str, Any]) -> ImportConfig:
    """The configuration of the importer for the output of a program.

    Args:
        keys: of ``import``, as configured.

    Raises:
        PlanError: a key or value is not allowed.
    """
    unknown = [str(key) for key in keys if key not in IMPORT_KEYS]
    if unknown:
        raise PlanError(f"import_keys: {', '.join(unknown)} unknown; known: {', '.join(IMPORT_KEYS)}")
    try:
        merged = OmegaConf.merge(OmegaConf.structured(ImportConfig), dict(keys), {"file_parameters": "none"})
        config = OmegaConf.to_object(merged)
    except OmegaConfBaseException as error:
        raise PlanError(f"import_keys: {configuration_message(error)}") from None
    except UserError as error:
        raise PlanError(f"import_keys.{error}") from None
    assert isinstance(config, ImportConfig)
    return config


def read_output(path: Path, config: ImportConfig | None) -> Output:
    """Read one file.

    Args:
        path: of the file.
        config: keys of the importer; None: a file in the case format is tried first, then every guess.

    Raises:
        CaseFailed: it cannot be read.
    """
    try:
        if config is None and path.suffix.lower() == ".csv":
            raw = parse_case(path, path.read_bytes())
            return Output(dict(zip(raw.names, raw.units, strict=True)), raw.time, raw.values)
    except OSError as error:
        raise CaseFailed(f"{path.name}: {error.strerror}; the program should write it") from None
    except CaseFileError:
        pass  # not in the case format: the importer reads more
    if not path.is_file():
        raise CaseFailed(f"{path.name}: there is no such file; the program should write it")
    try:
        return _imported(path, config or check_keys({}))
    except BadFile as error:
        raise CaseFailed(f"{path.name}: {error.reason}") from None
    except UserError as error:
        raise CaseFailed(f"{path.name}: {error}") from None


def _imported(path: Path, config: ImportConfig) -> Output:
    file = SourceFile(path)
    tables = sample(file, config)
    if len(tables) > 1:
        raise BadFile(str(path), f"{len(tables)} tables; name one in dataset.import_keys.parts")
    plan = make_import_plan(tables[0], config)
    _require_known_texts(plan, config, str(path))
    found: list[tuple[np.ndarray, np.ndarray]] = []
    importer = FileImport(config, plan, Cutting(), Parameters(), lambda _, time, values: found.append((time, values)))
    _, remarks = importer.run(file, path.stem)
    ((time, values),) = found
    units = {name: unit or "-" for name, unit in plan.written.items()}
    return Output(units, time, values, (*plan.remarks, *remarks))


def _require_known_texts(plan: ImportPlan, config: ImportConfig, source: str) -> None:
    """Refuse text whose numbers would be guessed from one case: another case may hold other texts.

    Raises:
        BadFile: a column holds such text.
    """
    for column in plan.columns:
        if column.text is not None and column.name not in config.text and tuple(column.text.codes) not in SWITCHES:
            raise BadFile(
                source,
                f"column {column.name!r} holds text; give dataset.import_keys={{text:{{{column.name}:[...]}}}} with "
                "all that may occur, or a number for each",
            )
