"""Members of a portfolio: their errors on cases left out and their weights, as a CSV and a picture.

Shape letters: M members, P predicted columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.common.atomic_file import write_atomic
from surrogate_modeling.common.tables import csv_text
from surrogate_modeling.evaluation.figures import new_figure, picture_or_warning, png_of

# Columns drawn, targets first: more would be too thin to read.
MAX_DRAWN_COLUMNS = 40


@dataclass(frozen=True)
class PortfolioTable:
    """Members of a portfolio.

    Attributes:
        names: of the M members.
        errors: mean ADE over cases left out (M, P), in training standard deviations.
        weight: in the mixture (M, P), 1 in total.
    """

    names: Sequence[str]
    errors: np.ndarray
    weight: np.ndarray

    def mean_weights(self, columns: Sequence[int]) -> dict[str, float]:
        """Mean weight of each member in some columns."""
        return dict(zip(self.names, self.weight[:, columns].mean(axis=1).tolist(), strict=True))


def write_portfolio(folder: Path, table: PortfolioTable, channels: Channels) -> None:
    """Write ``portfolio.csv``, a line per member and column, and ``portfolio.png``, the weights column by column."""
    rows = [
        (name, column, f"{table.errors[i, j]:.6g}", f"{table.weight[i, j]:.6g}")
        for i, name in enumerate(table.names)
        for j, column in enumerate(channels.predicted)
    ]
    head = ("member", "column", "ADE on cases left out [training standard deviations]", "weight")
    write_atomic(folder / "portfolio.csv", csv_text([head, *rows]).encode())
    targets = channels.target_indices
    columns = [*targets, *(j for j in range(len(channels.predicted)) if j not in set(targets))][:MAX_DRAWN_COLUMNS]
    labels = [channels.predicted[j] for j in columns]
    picture = picture_or_warning("portfolio.png", lambda: draw_weights(labels, table.names, table.weight[:, columns].T))
    if picture is not None:
        write_atomic(folder / "portfolio.png", picture, durable=False)


def draw_weights(labels: Sequence[str], names: Sequence[str], weight: np.ndarray) -> bytes:
    """PNG of stacked bars: for each label the weights (labels, M) of the members, 1 in total."""
    longest = max(map(len, labels))
    size = 7.5 + 0.08 * longest, 1.2 + 0.3 * len(labels)
    figure = new_figure([*labels, *names], figsize=size, dpi=110)
    axes, left = figure.add_subplot(), np.zeros(len(labels))
    places = np.arange(len(labels))
    for i, name in enumerate(names):
        axes.barh(places, weight[:, i], left=left, height=0.75, color=f"C{i}", label=name)
        left = left + weight[:, i]
    axes.set_yticks(places, labels, parse_math=False, fontsize=9)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.set_xlabel("weight")
    figure.legend(loc="outside upper center", ncols=min(len(names), 8), fontsize=9, frameon=False)
    return png_of(figure)
