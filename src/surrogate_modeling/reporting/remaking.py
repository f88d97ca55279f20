"""Make the page of a run again, or of two runs side by side, from what is kept of them."""

from __future__ import annotations

import logging
import re
import tempfile
from pathlib import Path

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.commands import ReportConfig
from surrogate_modeling.reporting.content import KEPT_FILE, Content, read_kept, write_only_page
from surrogate_modeling.reporting.older import NEEDED, older_content
from surrogate_modeling.reporting.pair import pair_content
from surrogate_modeling.reporting.request import local_folder, output_file, references
from surrogate_modeling.reporting.training import LOSSES
from surrogate_modeling.tracking.history import metric_history
from surrogate_modeling.tracking.journal import recorded_tags
from surrogate_modeling.tracking.stored_run import StoredRun, fetch_run

log = logging.getLogger(__name__)
# The language of a page, in its first letters.
LANGUAGE, HEAD_LETTERS = re.compile(r'<html lang="(\w+)"'), 1000


def remake(config: ReportConfig) -> None:
    """Write the page that is asked for, and log where it is.

    Raises:
        UserError: a run is not there, or kept too little for any report.
    """
    contents = [_content(key, reference) for key, reference in references(config)]
    content = contents[0] if len(contents) == 1 else pair_content(contents[0], contents[1])
    if content["kind"] == "pair" and not content["data"]["common_test"]:
        log.warning("no test case is common to the two runs: their errors are not comparable, and are not ranked")
    path = output_file(config)
    _say_replaced(path, str(config.language))
    write_only_page(path, content, str(config.language))
    if missing := content.get("missing"):
        log.warning(
            "this run did not keep all that a report shows; the page says what is missing (%d things)", len(missing)
        )
    log.info("%s", path.absolute())


def _say_replaced(path: Path, language: str) -> None:
    """Say what page is replaced, where there is one; of another language with how to have both."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as page:
        head = page.read(HEAD_LETTERS)
    before = match[1] if (match := LANGUAGE.search(head)) else language
    if before == language:
        log.info("%s was there and is replaced", path)
    else:
        log.warning(
            "%s was there with language=%s and is replaced by that of language=%s; output=<another file> keeps both",
            path, before, language,
        )  # fmt: skip


def _content(key: str, reference: str) -> Content:
    folder = local_folder(key, reference)
    if folder is not None:
        kept = folder / KEPT_FILE
        if kept.exists():
            return read_kept(kept)
        history = metric_history(folder)
        metrics = {name: values[-1][1] for name, values in history.items()}
        tags = recorded_tags(folder) or {}
        return older_content(folder, StoredRun(folder.resolve().name, tags, metrics, history), reference)
    with tempfile.TemporaryDirectory() as place:
        fetched = Path(place)
        record = fetch_run(reference, (KEPT_FILE, *NEEDED), fetched, LOSSES)
        kept = fetched / KEPT_FILE
        try:
            return read_kept(kept) if kept.exists() else older_content(fetched, record, reference)
        except UserError as error:
            raise UserError(f"{key}={reference}: {str(error).removeprefix(f'{fetched}: ')}") from None
