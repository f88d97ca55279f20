"""Tables of an adaptation: what was tried, and the error before and after on new and on old cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from surrogate_modeling.adaptation.candidates import Candidate
from surrogate_modeling.cases.case import Case
from surrogate_modeling.common.atomic_file import write_atomic
from surrogate_modeling.common.tables import aligned, csv_text
from surrogate_modeling.evaluation.scores import Scores
from surrogate_modeling.reporting.adaptation_report import relative_change

NEW, OLD = "new cases kept out", "old test cases"


@dataclass(frozen=True)
class BeforeAfter:
    """Scores of the same cases by the surrogate before and after.

    Attributes:
        what: ``NEW`` or ``OLD``, in words.
        cases: that were scored.
        before: scores.
        after: scores, on the same scale: the standard deviations of the training.
        rows: the free runs before and after, (H, P) of each case.
    """

    what: str
    cases: Sequence[Case]
    before: Scores
    after: Scores
    rows: tuple[list[np.ndarray], list[np.ndarray]]

    @property
    def change(self) -> float:
        """Relative change of nADE."""
        return relative_change(self.before.nade, self.after.nade)


def before_after_table(parts: Sequence[BeforeAfter]) -> str:
    """Text table: ADE of every target and nADE, before and after."""
    lines = [["cases", "number", "target", "unit", "before", "after", "change"]]
    for part in parts:
        channels, count = part.before.channels, str(len(part.before.cases))
        for name in channels.targets:
            before, after = (float(scores.column(name)[0].mean()) for scores in (part.before, part.after))
            lines.append(
                [part.what, count, name, channels.units[name], f"{before:.4g}", f"{after:.4g}",
                 f"{relative_change(before, after):+.0%}"]
            )  # fmt: skip
        total = f"{part.before.nade:.4f}", f"{part.after.nade:.4f}", f"{part.change:+.0%}"
        lines.append([part.what, count, "nADE", "-", *total])
    return aligned(lines, left=4)


def write_before_after(path: Path, parts: Sequence[BeforeAfter]) -> None:
    """Write a CSV with a line per case and predicted column: its ADE before and after."""
    lines: list[tuple[str, ...]] = [("cases", "case", "column", "unit", "ADE before", "ADE after")]
    for part in parts:
        channels = part.before.channels
        lines += [
            (
                part.what,
                case,
                name,
                channels.units[name],
                f"{part.before.ade[i, j]:.6g}",
                f"{part.after.ade[i, j]:.6g}",
            )
            for i, case in enumerate(part.before.cases)
            for j, name in enumerate(channels.predicted)
        ]
    write_atomic(path, csv_text(lines).encode(), durable=False)


def tried_table(candidates: Sequence[Candidate], chosen: Candidate) -> str:
    """Text table of what was tried: nADE over the given cases, each left out, and the seconds."""
    lines = [
        [each.how, f"{each.nade:.4f}", f"{each.seconds:.0f}", "kept" if each is chosen else ""] for each in candidates
    ]
    return aligned([["how", "nADE left out", "seconds", ""], *lines], left=1)


def metrics(parts: Sequence[BeforeAfter], candidates: Sequence[Candidate]) -> dict[str, float]:
    """Numbers for the tracking server."""
    names = {NEW: "new", OLD: "old"}
    values = {
        f"{names[part.what]}/{what}_{when}": value
        for part in parts
        for when, scores in (("before", part.before), ("after", part.after))
        for what, value in (("nADE", scores.nade), ("nFDE", scores.nfde))
    }
    left_out = {f"left_out/nADE_{each.how.replace(' ', '_')}": each.nade for each in candidates}
    seconds = {f"seconds/{each.how.replace(' ', '_')}": each.seconds for each in candidates}
    return {**values, **left_out, **seconds}
