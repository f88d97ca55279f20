"""What a search leaves: the schedule, what it promises beside what the plant does, and a picture.

Shape letters: T all rows, H predicted rows, C control, P predicted column, F column (C, then P).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.writer import write_case
from surrogate_modeling.common.atomic_file import write_atomic
from surrogate_modeling.common.tables import aligned, csv_text
from surrogate_modeling.common.wording import as_typed, column_title, level_text
from surrogate_modeling.deployment.optimum.problem import Problem
from surrogate_modeling.deployment.optimum.search import Found
from surrogate_modeling.evaluation.figures import new_figure, picture_or_warning, png_of

HEAD = ("what", "unit", "case", "promised", "with margin", "plant")


@dataclass(frozen=True)
class Outcome:
    """A finished search.

    Attributes:
        case: from which it started.
        problem: what was searched.
        found: the result.
        plant: predicted columns (T, P) that the plant gives under the schedule; None where it was not run.
        scale: training standard deviation of each column (F,).
    """

    case: Case
    problem: Problem
    found: Found
    plant: np.ndarray | None
    scale: np.ndarray

    @property
    def controls(self) -> np.ndarray:
        """The schedule (T, C)."""
        return np.asarray(self.found.best.controls[0].numpy())

    @property
    def promised(self) -> np.ndarray:
        """What the surrogate predicts (H, P)."""
        return np.asarray(self.found.best.rows[0, :, self.controls.shape[1] :].numpy())

    @property
    def edges(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper edge (H, P) of the margin."""
        best = self.found.best
        return np.asarray(best.lower[0].numpy()), np.asarray(best.upper[0].numpy())

    def table(self) -> list[tuple[str, ...]]:
        """Each part of the objective and each bound: of the case, as promised, and of the plant."""
        units, controls = self.case.channels.units, self.controls.shape[1]
        before, best = self.found.before.rows, self.found.best.rows
        plant = None
        if self.plant is not None:
            plant = torch.cat((best[..., :controls], torch.as_tensor(self._plant_rows()[None]).to(best)), dim=-1)
        lines: list[tuple[str, ...]] = [HEAD]
        for term in self.problem.terms:
            number = partial(level_text, spread=float(self.scale[term.place]))
            parts = [number(float(term.of(rows))) if rows is not None else "" for rows in (before, best, plant)]
            lines.append((str(term), units[term.column], parts[0], parts[1], "", parts[2]))
        lower, upper = self.edges
        after = self.problem.after
        for bound in self.problem.bounds:
            of = controls + bound.place
            number = partial(level_text, spread=float(self.scale[of]))
            columns = [rows[0, after:, of].numpy() for rows in (before, best)]
            real = None if plant is None else plant[0, after:, of].numpy()
            for limit, most, edge, name in (
                (bound.low, np.min, lower, "least"),
                (bound.high, np.max, upper, "largest"),
            ):
                if np.isfinite(limit):
                    cells = [*map(number, map(most, columns)), number(most(edge[after:, bound.place]))]
                    cells.append("" if real is None else number(most(real)))
                    what = f"{bound.column}: {name}, bound {as_typed(limit)}"
                    lines.append((what, units[bound.column], *cells))
        return lines

    def inside(self) -> dict[str, float]:
        """Share of rows of the plant within the margin, of each column of the objective and the bounds."""
        if self.plant is None:
            return {}
        (lower, upper), rows = self.edges, self._plant_rows()
        within = ((lower <= rows) & (rows <= upper)).mean(axis=0)
        return {name: float(within[i]) for name, i in self._columns().items()}

    def _plant_rows(self) -> np.ndarray:
        assert self.plant is not None
        return self.plant[len(self.plant) - len(self.promised) :]

    def _columns(self) -> dict[str, int]:
        """Predicted columns of the objective and the bounds, with their places."""
        predicted = self.case.channels.predicted
        named = [*(term.column for term in self.problem.terms), *(bound.column for bound in self.problem.bounds)]
        return {name: predicted.index(name) for name in dict.fromkeys(named) if name in predicted}

    def write(self, output: Path) -> None:
        """Write every file."""
        channels, case = self.case.channels, self.case
        driven = {name: channels.units[name] for name in channels.controls}
        everything = {**driven, **{name: channels.units[name] for name in channels.predicted}}
        write_case(output / "schedule.csv", driven, case.time, self.controls)
        given = case.outputs[: len(case.time) - len(self.promised)]
        predicted = np.concatenate((given, self.promised))
        write_case(output / "predicted.csv", everything, case.time, np.column_stack((self.controls, predicted)))
        if self.plant is not None:
            write_case(output / "plant.csv", everything, case.time, np.column_stack((self.controls, self.plant)))
        write_atomic(output / "promise.csv", csv_text(self.table()).encode(), durable=False)
        if (picture := picture_or_warning("optimum.png", self._draw)) is not None:
            write_atomic(output / "optimum.png", picture, durable=False)

    def text(self) -> str:
        """The table for people."""
        return aligned(self.table(), 2)

    def _draw(self) -> bytes:
        """PNG: every control that was searched, every column of the objective and the bounds."""
        channels = self.case.channels
        searched = np.flatnonzero(self.problem.free.numpy()).tolist()
        columns = self._columns()
        count = len(searched) + len(columns)
        across = 2 if count > 3 else 1
        down = -(-count // across)
        texts = *channels.controls, *channels.predicted, *channels.units.values()
        figure = new_figure(texts, figsize=(7 * across, 2.3 * down + 0.5), dpi=110)
        axes = figure.subplots(down, across, squeeze=False, sharex=True).T.flatten().tolist()
        for i in searched:
            self._draw_control(axes.pop(0), i)
        for name, i in columns.items():
            self._draw_column(axes.pop(0), name, i)
        for empty in axes:
            empty.set_axis_off()
        figure.supxlabel("time [s]", fontsize=9)
        return png_of(figure)

    def _draw_control(self, axes: Any, i: int) -> None:
        name = self.case.channels.controls[i]
        axes.plot(self.case.time, self.case.controls[:, i], color="0.6", linewidth=1.0, label="case")
        axes.plot(self.case.time, self.controls[:, i], color="C0", linewidth=1.3, label="found")
        self._finish(axes, name)

    def _draw_column(self, axes: Any, name: str, i: int) -> None:
        time = self.case.time[len(self.case.time) - len(self.promised) :]
        before = self.found.before.rows[0, :, self.controls.shape[1] + i].numpy()
        lower, upper = self.edges
        axes.plot(time, before, color="0.6", linewidth=1.0, label="case, predicted")
        axes.fill_between(time, lower[:, i], upper[:, i], color="C3", alpha=0.18, linewidth=0, label="margin")
        axes.plot(time, self.promised[:, i], color="C3", linewidth=1.3, linestyle="--", label="promised")
        if self.plant is not None:
            axes.plot(time, self._plant_rows()[:, i], color="k", linewidth=1.0, label="plant")
        for bound in self.problem.bounds:
            if bound.place == i:
                for limit in (bound.low, bound.high):
                    if np.isfinite(limit):
                        counted = time[self.problem.after :]
                        axes.plot(counted[[0, -1]], [limit, limit], color="C2", linewidth=1.5, label="bound")
        self._finish(axes, name)

    def _finish(self, axes: Any, name: str) -> None:
        axes.set_title(column_title(name, self.case.channels.units[name]), fontsize=9, parse_math=False)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
