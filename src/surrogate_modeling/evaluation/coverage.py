"""Coverage of the uncertainty band on cases with the truth, compared with its nominal level.

Shape letters: B cases, H predicted rows, P predicted columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.common.atomic_file import write_atomic
from surrogate_modeling.common.tables import aligned, csv_text
from surrogate_modeling.evaluation.scores import Scores
from surrogate_modeling.surrogate.band import LEVEL, Banded

# Half-width over mean error above which a band is uninformative; for normal errors a 90 % band has about 2.
MAX_WIDTH_PER_ERROR = 8.0


@dataclass(frozen=True)
class Coverage:
    """Share of the rows inside the band (B, P), its mean half-width (P,) in the columns' units, its nominal level."""

    cases: list[str]
    channels: Channels
    inside: np.ndarray
    half_width: np.ndarray
    level: float = LEVEL

    @classmethod
    def of(cls, cases: Sequence[Case], bands: Sequence[Banded], channels: Channels, level: float = LEVEL) -> Coverage:
        """Coverage of the bands of cases with the truth."""
        pairs = list(zip(cases, bands, strict=True))
        inside = [coverage(b.lower, b.upper, case.truth(len(b.mean))) for case, b in pairs]
        width = np.mean([((b.upper - b.lower) / 2).mean(axis=0) for _, b in pairs], axis=0)
        return cls([case.name for case in cases], channels, np.array(inside), width, level)

    def wide_targets(self, scores: Scores) -> dict[str, float]:
        """Targets with an uninformatively wide band, and its half-width over the mean ADE of the same cases."""
        wide = {}
        for j, name in zip(self.channels.target_indices, self.channels.targets, strict=True):
            error = float(scores.ade[:, j].mean())
            if error > 0 and self.half_width[j] > MAX_WIDTH_PER_ERROR * error:
                wide[name] = float(self.half_width[j]) / error
        return wide

    @property
    def overall(self) -> float:
        """Mean coverage over cases and targets."""
        return float(self.inside[:, self.channels.target_indices].mean())

    def metrics(self) -> dict[str, float]:
        """Metrics for the tracking server: ``coverage_90``, and ``<target>/coverage_90``."""
        by_column = self.inside.mean(axis=0)
        targets = zip(self.channels.target_indices, self.channels.targets, strict=True)
        return {"coverage_90": self.overall, **{f"{name}/coverage_90": float(by_column[j]) for j, name in targets}}


def coverage_table(table: Coverage) -> str:
    """Text table of the coverage per target and of all targets."""
    channels = table.channels
    lines = [["target", "unit", "promised", "reached", "worst case", "half-width"]]
    for name in channels.targets:
        j = channels.predicted.index(name)
        inside, width = table.inside[:, j], f"{table.half_width[j]:.4g}"
        reached = f"{inside.mean():.1%}", f"{inside.min():.1%}"
        lines.append([name, channels.units[name], f"{table.level:.0%}", *reached, width])
    return aligned([*lines, ["all targets", "", f"{table.level:.0%}", f"{table.overall:.1%}", "", ""]], left=1)


def write_coverage(path: Path, table: Coverage) -> None:
    """Write a CSV with a line per predicted column: unit, mean and least coverage over the cases, mean half-width."""
    channels = table.channels
    lines = [("column", "unit", "kind", "coverage", "least coverage", "least covered case", "half-width")]
    for j, name in enumerate(channels.predicted):
        inside, worst = table.inside[:, j], int(table.inside[:, j].argmin())
        lines.append(
            (
                name, channels.units[name], "target" if name in channels.targets else "byproduct",
                f"{inside.mean():.4f}", f"{inside[worst]:.4f}", table.cases[worst], f"{table.half_width[j]:.6g}",
            )
        )  # fmt: skip
    write_atomic(path, csv_text(lines).encode(), durable=False)


def coverage(lower: np.ndarray, upper: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Share of the rows (P,) of one case that lie in the band, all (H, P); a row that is not finite lies outside."""
    return np.asarray(((truth >= lower) & (truth <= upper)).mean(axis=0))
