"""Metrics of a run by step, read from its journal."""

from __future__ import annotations

from pathlib import Path

from surrogate_modeling.tracking.entries import read_batches
from surrogate_modeling.tracking.journal import JOURNAL
from surrogate_modeling.tracking.names import RENAMED, read_renamed

History = dict[str, list[tuple[int, float]]]


def metric_history(folder: Path) -> History:
    """Steps and values of each metric of a run in its order, under the names the run gave them.

    Args:
        folder: of the run; without a journal there is no history.
    """
    journal, history = folder / JOURNAL, History()
    if not journal.exists():
        return history
    original = {recorded: name for name, recorded in read_renamed(folder / RENAMED).items()}
    with journal.open("rb") as lines:
        for batch in read_batches(lines, 0):
            if batch.operation != "metrics":
                continue
            for entry in batch.entries:
                for key, value in entry["values"].items():
                    history.setdefault(original.get(key, key), []).append((entry["step"], float(value)))
    return history
