"""A proposal: which schedules to simulate next, written as CSVs with a table and a page that say why.

Shape letters: T rows of a schedule, C controls, N candidates.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from surrogate_modeling.cases.writer import write_case
from surrogate_modeling.common.atomic_file import write_atomic
from surrogate_modeling.common.tables import aligned, csv_text
from surrogate_modeling.config.plan_keys import By
from surrogate_modeling.pages.embedding import pack16
from surrogate_modeling.planning.candidates import Candidate
from surrogate_modeling.planning.scoring import Chosen, Unknown
from surrogate_modeling.reporting.content import Content, Sentence, write_only_page
from surrogate_modeling.surrogate.model import Surrogate

TABLE_FILE, PAGE_FILE, SCHEDULES = "plan.csv", "plan.html", "schedules"
HEAD = ("rank", "schedule", "made of", "distance", "distance when chosen", "rows beyond [%]", "farthest control",
        "spread", "band", "value")  # fmt: skip
# Points of a curve on the page.
POINTS = 200


@dataclass(frozen=True)
class Proposal:
    """A batch chosen among candidates.

    Attributes:
        surrogate: that did not know them.
        candidates: all.
        unknown: what was not known of them.
        chosen: the batch, in its order.
        by: what they were chosen by.
    """

    surrogate: Surrogate
    candidates: Sequence[Candidate]
    unknown: Unknown
    chosen: Sequence[Chosen]
    by: By

    @property
    def batch(self) -> list[Candidate]:
        """The candidates that were chosen."""
        return [self.candidates[item.place] for item in self.chosen]

    def table(self) -> list[tuple[str, ...]]:
        """A line for each schedule of the batch, with its scores."""
        unknown = self.unknown
        lines: list[tuple[str, ...]] = [HEAD]
        for rank, (item, candidate) in enumerate(zip(self.chosen, self.batch, strict=True), start=1):
            place = item.place
            numbers = (unknown.distance[place], item.distance, 100 * unknown.outside[place])
            scores = (unknown.spread[place], unknown.band[place], item.value)
            lines.append(
                (str(rank), f"{candidate.name}.csv", candidate.origin, *map(_number, numbers), unknown.farthest[place],
                 *map(_number, scores))
            )  # fmt: skip
        return lines

    def write(self, folder: Path, language: str, name: str) -> None:
        """Write the schedules, the table and the page.

        Args:
            folder: exists.
            language: of the page.
            name: of the surrogate, for the page.
        """
        _remove_earlier(folder)
        channels = self.surrogate.description.channels
        units = {control: channels.units[control] for control in channels.controls}
        for candidate in self.batch:
            # All digits: of a small variation on a large level, rounding would leave steps or nothing.
            write_case(folder / SCHEDULES / f"{candidate.name}.csv", units, candidate.time, candidate.controls)
        write_only_page(folder / PAGE_FILE, self.content(name), language)
        # Last: where it is, the others are.
        write_atomic(folder / TABLE_FILE, csv_text(self.table()).encode())

    def text(self) -> str:
        """The table for people, without what a candidate was made of."""
        return aligned([[*line[:2], *line[3:]] for line in self.table()], left=2)

    def content(self, name: str) -> Content:
        """Content of the page."""
        unknown, channels = self.unknown, self.surrogate.description.channels
        chosen = {item.place: rank for rank, item in enumerate(self.chosen, start=1)}
        scaling, controls = self.surrogate.scaling, len(channels.controls)
        low, high = (edge.cpu().numpy()[:controls] for edge in (scaling.low, scaling.high))
        return {
            "kind": "plan",
            "title": name,
            "written": time.strftime("%Y-%m-%d %H:%M"),
            "by": str(self.by),
            "sentences": self._sentences(),
            "has_spread": bool(np.nan_to_num(unknown.spread, posinf=1.0).any()),
            "has_band": bool(np.isfinite(unknown.band).any()),
            "controls": [{"name": control, "unit": channels.units[control]} for control in channels.controls],
            "low": low.tolist(),
            "high": high.tolist(),
            "candidates": [
                {
                    "name": candidate.name,
                    "distance": float(unknown.distance[i]),
                    "spread": float(unknown.spread[i]),
                    "band": float(unknown.band[i]),
                    "rank": chosen.get(i),
                }
                for i, candidate in enumerate(self.candidates)
            ],
            "chosen": [
                {
                    "rank": rank,
                    "name": candidate.name,
                    "origin": candidate.origin,
                    "distance": float(unknown.distance[item.place]),
                    "when_chosen": item.distance,
                    "outside": float(unknown.outside[item.place]),
                    "farthest": unknown.farthest[item.place],
                    "spread": float(unknown.spread[item.place]),
                    "band": float(unknown.band[item.place]),
                    "value": item.value,
                    "near": unknown.near[item.place].round(4).tolist(),
                    "end": float(candidate.time[-1]),
                    "low": candidate.controls.min(axis=0).tolist(),
                    "high": candidate.controls.max(axis=0).tolist(),
                }
                for rank, (item, candidate) in enumerate(zip(self.chosen, self.batch, strict=True), start=1)
            ],
            "blocks": list(map(_curves, self.batch)),
        }

    def _sentences(self) -> list[Sentence]:
        chosen = [item.place for item in self.chosen]
        distance = self.unknown.distance
        ratio = float(distance[chosen].mean() / max(distance.mean(), 1e-12))
        return [
            ("plan_headline", {"n": len(chosen), "of": len(self.candidates)}),
            (f"plan_by_{self.by}", {}),
            ("plan_ratio", {"ratio": f"{ratio:.2f}"}),
        ]


def _remove_earlier(folder: Path) -> None:
    """Remove the schedules of an earlier proposal, which its table names, or they would pass for the new ones."""
    table = folder / TABLE_FILE
    if not table.exists():
        return
    for line in csv.DictReader(table.read_text(encoding="utf-8").splitlines()):
        (folder / SCHEDULES / Path(line.get("schedule") or "-").name).unlink(missing_ok=True)
    table.unlink()


def _curves(candidate: Candidate) -> str:
    """Controls at evenly spread rows, packed."""
    rows = np.linspace(0, len(candidate.time) - 1, POINTS).round().astype(int)
    curves = candidate.controls[rows].T
    return pack16(curves, candidate.controls.min(axis=0), candidate.controls.max(axis=0))


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.4g}"
