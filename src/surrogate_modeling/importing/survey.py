"""A look at all files before the plan is made: at the texts of their columns of text, and at the constants they hold.

What an earlier import has seen of a file that has not changed since stands in its record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from surrogate_modeling.config.import_keys import ImportConfig
from surrogate_modeling.importing.file_import import blocks, read_options
from surrogate_modeling.importing.file_jobs import each
from surrogate_modeling.importing.import_plan import ImportPlan, columns_of
from surrogate_modeling.importing.records import FileRecord
from surrogate_modeling.importing.sources import SourceFile, unpacked
from surrogate_modeling.importing.text_columns import texts_of

# Rows of each file that a dry run looks at.
DRY_ROWS = 1000


@dataclass(frozen=True)
class Look:
    """What was seen of a file: its state and its digest then, texts of columns, and constants of each of its tables."""

    state: tuple[int, int]
    digest: str
    texts: dict[str, list[str]]
    constants: list[dict[str, float]]


@dataclass(frozen=True)
class Survey:
    """Looks at files, in their order; those that cannot be read are not among them."""

    looks: dict[SourceFile, Look] = field(default_factory=dict)

    def texts(self, names: Sequence[str]) -> dict[str, list[str]]:
        """Texts of some columns over all files."""
        looks = self.looks.values()
        return {name: list(dict.fromkeys(text for look in looks for text in look.texts[name])) for name in names}

    def constants(self) -> list[Mapping[str, float]]:
        """Constants of each table of each file."""
        return [table for look in self.looks.values() for table in look.constants]

    def of(self, file: SourceFile, state: tuple[int, int]) -> Look | None:
        """The look at a file; None where it was not looked at in this state."""
        look = self.looks.get(file)
        return look if look is not None and look.state == state else None


def survey(
    files: Sequence[SourceFile], names: Sequence[str], config: ImportConfig, known: Mapping[str, FileRecord]
) -> Survey:
    """Look at all files.

    Args:
        files: to import.
        names: of the columns whose texts are wanted.
        config: keys.
        known: what earlier imports have seen, by the name of the file, where it was read in the same way.
    """

    def look(file: SourceFile) -> tuple[SourceFile, Look]:
        """Look at one file."""
        # A dry run takes nothing over.
        state, digest = file.state(), "" if config.dry_run else file.digest()
        before = known.get(file.absolute)
        same = before is not None and before.digest == digest and before.texts.keys() >= {*names}
        if same and before is not None and before.constants is not None:
            return file, Look(state, digest, before.texts, before.constants)
        return file, Look(state, digest, *_read(file, names, config))

    found, _ = each(files, look, config, "looking at texts and parameters")
    return Survey(dict(found))


def _read(
    file: SourceFile, names: Sequence[str], config: ImportConfig
) -> tuple[dict[str, list[str]], list[dict[str, float]]]:
    texts: dict[str, dict[str, None]] = {name: {} for name in names}
    constants: dict[int, dict[str, float]] = {}
    with unpacked(file) as path:
        for tables in blocks(path, file, read_options(config, file, DRY_ROWS if config.dry_run else None)):
            for number, table in enumerate(tables):
                constants.setdefault(number, {name: float(value) for name, value in table.parameters.items()})
                for column in columns_of(table, {}):
                    if column.name in texts:
                        texts[column.name] |= dict.fromkeys(texts_of(table.frame[column.key].unique().tolist()))
    return {name: [*found] for name, found in texts.items()}, [*constants.values()]


def reading(config: ImportConfig, plan: ImportPlan) -> str:
    """Digest of the keys that decide what is read of a file; what is seen in another way may be something else."""
    # Whether the column of time was guessed or given does not count.
    time = plan.time[0] if len(plan.time) == 1 else None
    options = replace(read_options(config, SourceFile(Path())), name="", time=time)
    return hashlib.sha256(repr(options).encode()).hexdigest()[:32]
