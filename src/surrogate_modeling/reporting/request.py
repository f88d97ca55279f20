"""What ``pdm run report`` is asked for: where the runs are, and where the page goes."""

from __future__ import annotations

import re
from pathlib import Path

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import expanded
from surrogate_modeling.config.commands import ReportConfig

RUN_ID = re.compile(r"[0-9a-f]{32}")
PAGE_NAME = "report.html"
SHOWN_DIGITS = 8


def check_references(config: ReportConfig) -> None:
    """Refuse references that cannot be runs, and an output that is there.

    Raises:
        UserError: with what to give instead.
    """
    for key, reference in references(config):
        local_folder(key, reference)
    output = output_file(config)
    if config.output is not None and output.exists() and not config.overwrite:
        raise UserError(f"output={config.output}: is there; give another file or overwrite=true")
    if config.output is not None and not output.parent.is_dir():
        raise UserError(f"output={config.output}: there is no folder {output.parent}")


def references(config: ReportConfig) -> list[tuple[str, str]]:
    """Key and reference of each run."""
    return [("run", config.run)] if config.run is not None else [("runs", reference) for reference in config.runs or []]


def local_folder(key: str, reference: str) -> Path | None:
    """The local folder of a run, or None when the tracking store is meant.

    Raises:
        UserError: neither.
    """
    folder = expanded(reference, key)
    if folder.is_dir():
        return folder
    if RUN_ID.fullmatch(reference):
        return None
    raise UserError(
        f"{key}={reference}: no such folder; give the folder of a run, or an MLflow run id (32 letters a-f and digits)"
    )


def output_file(config: ReportConfig) -> Path:
    """The file of the page."""
    if config.output is not None:
        return expanded(config.output, "output")
    found = references(config)
    if len(found) == 1:
        key, reference = found[0]
        folder = local_folder(key, reference)
        return folder / PAGE_NAME if folder else Path(f"report-{reference[:SHOWN_DIGITS]}.html")
    names = [expanded(reference, key).name[:SHOWN_DIGITS] for key, reference in found]
    return Path(f"report-{'-'.join(names)}.html")
