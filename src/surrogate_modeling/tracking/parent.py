"""The runs of a search in the tracking store: the one above its trials, and those that died."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path

from surrogate_modeling.common.atomic_file import write_whole
from surrogate_modeling.tracking.journal import JOURNAL, is_sent
from surrogate_modeling.tracking.sender import Sender, clear_folder, send_later

log = logging.getLogger(__name__)
# The first connection may have to make the database.
SECONDS_FOR_ID = 60.0


def run_id(folder: Path) -> str | None:
    """Wait for the store's name of the run, which the trials refer to; None when the store does not answer.

    Args:
        folder: of the run that was just begun.
    """
    deadline = time.monotonic() + SECONDS_FOR_ID
    sender = Sender(folder)
    while time.monotonic() < deadline:
        found = sender.state["run_id"]
        if found:
            return str(found)
        time.sleep(0.05)
    log.warning("the tracking store does not answer: the trials' runs will not hang below the search's run")
    return None


def clear_sent(folder: Path) -> None:
    """Delete the folder of a run that is whole in the store: no trial is resumed, so its checkpoints are of no use.

    Args:
        folder: of the run of a trial, or of the search.
    """
    if (folder / JOURNAL).exists() and is_sent(folder):
        clear_folder(Sender(folder))


def end_interrupted(folder: Path, reason: str) -> None:
    """Send the record of a trial whose process died, and end it as KILLED.

    Args:
        folder: of the trial's run.
        reason: for the record.
    """
    journal = folder / JOURNAL
    # The last line may have been cut by the death.
    whole, end, _ = journal.read_bytes().rpartition(b"\n") if journal.exists() else (b"", b"", b"")
    if not whole:
        return
    now = int(time.time() * 1000)
    entries = [
        {"op": "tags", "time": now, "values": {"error": reason}},
        {"op": "artifacts", "time": now},
        {"op": "finish", "time": now, "status": "KILLED"},
    ]
    write_whole(journal, whole + end + b"".join(json.dumps(entry).encode() + b"\n" for entry in entries))
    send_later([folder])
    clear_sent(folder)
