"""The configuration of ``import``: where the files are, and each guess that a key can replace."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.wording import names_and_rest
from surrogate_modeling.config.mapping import mapping_of
from surrogate_modeling.config.schema import Checked, Choice, ranged

# Modes that a message lists.
MOST_LISTED = 20


class CaseFormat(Choice):
    """Formats of case files."""

    csv = "csv"
    parquet = "parquet"


class Duplicates(Choice):
    """What becomes of rows that follow each other with one time."""

    last = "last"
    first = "first"
    mean = "mean"
    error = "error"


class Missing(Choice):
    """What becomes of cells without a number."""

    error = "error"
    interpolate = "interpolate"
    drop_rows = "drop_rows"


class Group(Choice):
    """Which cases belong together."""

    none = "none"
    folder = "folder"
    file = "file"


@dataclass
class ImportConfig(Checked):
    """Configuration of ``import``; ``hydra/import.yaml`` explains each key."""

    source: Any = None
    output: str | None = None
    repeat: str | None = None
    dry_run: bool = False
    skip_bad: bool = False
    overwrite: bool = False
    format: CaseFormat = CaseFormat.csv

    separator: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    header_row: int | None = ranged(None, low=0)
    unit_row: int | None = ranged(None, low=0)
    parts: list[str] = field(default_factory=list)
    step: float | None = ranged(None, low=0)

    time: Any = None
    time_unit: str | None = None
    date_format: str | None = None
    duplicates: Duplicates = Duplicates.last
    missing: Missing = Missing.error
    no_number: list[str] = field(default_factory=list)
    max_missing: float | None = ranged(5.0, low=1.0)

    controls: Any = None
    targets: list[str] | None = None
    ignore: list[str] = field(default_factory=list)
    # Hydra adds no keys to dictionaries that are there: none by default, dictionaries below.
    units: Any = None
    to_units: Any = None
    text: Any = None

    cases_by: str | None = None
    max_gap: float = ranged(5.0, low=1.0)
    parameters: str | None = None
    file_parameters: Any = "varying"
    groups: Group = Group.none

    workers: int | None = ranged(None, low=1)
    progress_bar: bool = True

    def group(self) -> str:
        return ""

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("units", "to_units", "text"):
            value = mapping_of(getattr(self, key) or {})
            if not isinstance(value, dict):
                self.reject(key, f"must be given by column: '{key}={{<column>: ...}}'")
            setattr(self, key, {str(column): entry for column, entry in value.items()})
        for key in ("units", "to_units"):
            setattr(self, key, {column: str(unit) for column, unit in getattr(self, key).items()})
        if self.decimal not in (None, ".", ","):
            self.reject("decimal", "must be . or ,")
        if self.controls is not None and (isinstance(self.controls, bool) or not isinstance(self.controls, int | list)):
            self.reject("controls", "must be the number of leading control columns or a list of column names")
        if self.controls == [] or (isinstance(self.controls, int) and self.controls < 1):
            self.reject("controls", "must be at least 1")
        if not isinstance(self.time, str | list | None):
            self.reject("time", "must be the name of the time column, or a list of those of date and time of day")
        if not isinstance(self.source, str | list | None):
            self.reject("source", "must be a file, a folder, a pattern such as 'runs/**/*.csv', or a list of these")
        if not isinstance(self.file_parameters, list) and self.file_parameters not in ("varying", "all", "none"):
            self.reject("file_parameters", "must be varying, all, none, or a list of names")
        for column, codes in self.text.items():
            if isinstance(codes, list) and codes:
                continue
            values = codes.values() if isinstance(codes, dict) else []
            kinds = [all(isinstance(value, kind) for value in values) for kind in (int | float, str)]
            if not values or not any(kinds):
                self.reject(
                    "text",
                    f"{column} needs a number for each text, 'text={{{column}:{{cool:0,heat:1}}}}', a list of modes "
                    f"that get a column each, 'text={{{column}:[cool,heat,off]}}', or the mode of each text, "
                    f"'text={{{column}:{{cool:cool,heat:heat,warm:heat}}}}'",
                )


def with_new_texts(saved: Any, given: Any) -> Any:
    """The key ``text`` of an earlier import with what is given now: texts are added to those of a column.

    Args:
        saved: of the earlier import.
        given: in the command.

    Raises:
        UserError: a text is added to modes, and its own mode is none of them.
    """
    new = mapping_of(given)
    if not isinstance(saved, dict) or not isinstance(new, dict):
        return given
    return saved | {str(column): _extended(str(column), saved.get(str(column)), entry) for column, entry in new.items()}


def _extended(column: str, known: Any, new: Any) -> Any:
    if not isinstance(new, dict) or not isinstance(known, dict | list):
        return new
    if isinstance(known, list):
        known = {str(mode): str(mode) for mode in known}
    modes = [mode for mode in known.values() if isinstance(mode, str)]
    if not modes:
        return known | new
    if wrong := [text for text, mode in new.items() if str(mode) not in modes]:
        listed = names_and_rest(dict.fromkeys(modes), MOST_LISTED)
        raise UserError(
            f"text: {column} has the modes {listed}; {new[wrong[0]]} is none of them, so {wrong[0]} cannot be taken "
            f"for it: 'text={{{column}: {{{wrong[0]}: {modes[0]}}}}}' takes it for {modes[0]}"
        )
    return known | {str(text): str(mode) for text, mode in new.items()}
