"""Coverage of the uncertainty bands on cases with the truth, compared with what they promise.

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
from surrogate_modeling.surrogate.band import Band, BandScope

# Half-width over mean error above which a band is uninformative; for normal errors a 90 % band has about 2.
MAX_WIDTH_PER_ERROR = 8.0


@dataclass(frozen=True)
class Coverage:
    """What of the cases lies inside the bands.

    Attributes:
        cases: their names.
        channels: their columns.
        level: that the bands promise.
        rows: (B, P) share of the rows inside the band of rows.
        whole: (B, P) whether the whole trajectory lies inside the band of trajectories.
        together: (B,) whether those of all targets lie inside the band of all.
        half_width: (P,) mean half-width of the band of each scope, in the columns' units.
    """

    cases: list[str]
    channels: Channels
    level: float
    rows: np.ndarray
    whole: np.ndarray
    together: np.ndarray
    half_width: dict[BandScope, np.ndarray]

    @classmethod
    def of(
        cls, cases: Sequence[Case], runs: Sequence[tuple[np.ndarray, np.ndarray]], band: Band, channels: Channels
    ) -> Coverage:
        """Coverage of cases with the truth; ``runs`` are the mean and the spread (H, P) of each free run."""
        found = {scope: list[np.ndarray]() for scope in BandScope}
        widths = {scope: np.zeros(len(channels.predicted)) for scope in BandScope}
        # Case by case: the edges of thousands of them are not held at once.
        for case, (mean, spread) in zip(cases, runs, strict=True):
            truth = case.truth(len(mean))
            for scope in BandScope:
                banded = band.bounds(mean, spread, scope)
                found[scope].append(coverage(banded.lower, banded.upper, truth))
                widths[scope] += ((banded.upper - banded.lower) / 2).mean(axis=0) / len(cases)
        inside = {scope: np.array(shares) for scope, shares in found.items()}
        targets = channels.target_indices
        whole, every = inside[BandScope.trajectory] == 1, (inside[BandScope.all][:, targets] == 1).all(axis=1)
        return cls([case.name for case in cases], channels, band.level, inside[BandScope.row], whole, every, widths)

    def wide_targets(self, scores: Scores) -> dict[str, float]:
        """Targets with an uninformatively wide band, and its half-width over the mean ADE of the same cases."""
        wide, width = {}, self.half_width[BandScope.row]
        for j, name in self._targets():
            error = float(scores.ade[:, j].mean())
            if error > 0 and width[j] > MAX_WIDTH_PER_ERROR * error:
                wide[name] = float(width[j]) / error
        return wide

    def reached(self, scope: BandScope) -> float:
        """Share of the rows, of the trajectories (means over cases and targets), or of the cases that lie inside."""
        targets = self.channels.target_indices
        if scope is BandScope.all:
            return float(self.together.mean())
        return float((self.rows if scope is BandScope.row else self.whole)[:, targets].mean())

    def metrics(self) -> dict[str, float]:
        """Metrics for the tracking server: ``<scope>coverage_90``, and ``<target>/<scope>coverage_90``."""
        found = {"all_coverage_90": self.reached(BandScope.all)}
        for prefix, inside, scope in (
            ("", self.rows, BandScope.row),
            ("trajectory_", self.whole, BandScope.trajectory),
        ):
            found[f"{prefix}coverage_90"] = self.reached(scope)
            found |= {f"{name}/{prefix}coverage_90": float(inside[:, j].mean()) for j, name in self._targets()}
        return found

    def _targets(self) -> list[tuple[int, str]]:
        return list(zip(self.channels.target_indices, self.channels.targets, strict=True))


def coverage_table(table: Coverage) -> str:
    """Text table of the coverage per target and of all targets."""
    channels, promised = table.channels, f"{table.level:.0%}"
    head = ["target", "unit", "promised", "rows", "worst case", "half-width", "trajectories", "half-width"]
    lines = [[*head, "all targets", "half-width"]]
    for j, name in zip(channels.target_indices, channels.targets, strict=True):
        rows, whole = table.rows[:, j], table.whole[:, j]
        row, trajectory, every = (f"{table.half_width[scope][j]:.4g}" for scope in BandScope)
        reached = f"{rows.mean():.1%}", f"{rows.min():.1%}", row, f"{whole.mean():.1%}", trajectory
        lines.append([name, channels.units[name], promised, *reached, "", every])
    row, trajectory, every = (f"{table.reached(scope):.1%}" for scope in BandScope)
    return aligned([*lines, ["all targets", "", promised, row, "", "", trajectory, "", every, ""]], left=1)


def write_coverage(path: Path, table: Coverage) -> None:
    """Write a CSV with a line per predicted column.

    After its name and unit: what is promised; mean and least share of the rows inside; share of the cases whose whole
    trajectory lies inside; of a target, share of those in which all targets do; and the mean half-width of each band.
    """
    channels = table.channels
    lines = [
        (
            "column", "unit", "kind", "coverage", "least coverage", "least covered case", "half-width", "promised",
            "trajectory coverage", "trajectory half-width", "all targets coverage", "all targets half-width",
        )
    ]  # fmt: skip
    for j, name in enumerate(channels.predicted):
        inside, worst, is_target = table.rows[:, j], int(table.rows[:, j].argmin()), name in channels.targets
        row, trajectory, every = (f"{table.half_width[scope][j]:.6g}" for scope in BandScope)
        lines.append(
            (
                name, channels.units[name], "target" if is_target else "byproduct", f"{inside.mean():.4f}",
                f"{inside[worst]:.4f}", table.cases[worst], row, f"{table.level:.4f}",
                f"{table.whole[:, j].mean():.4f}", trajectory,
                *((f"{table.together.mean():.4f}", every) if is_target else ("", "")),
            )
        )  # fmt: skip
    write_atomic(path, csv_text(lines).encode(), durable=False)


def coverage(lower: np.ndarray, upper: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Share of the rows (P,) of one case that lie in the band, all (H, P); a row that is not finite lies outside."""
    return np.asarray(((truth >= lower) & (truth <= upper)).mean(axis=0))
