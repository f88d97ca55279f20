"""The members of a portfolio as a table and a picture."""

import csv
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from builders import plain_channels

from surrogate_modeling.evaluation.portfolio_report import PortfolioTable, draw_weights, write_portfolio


def test_every_member_and_column_has_a_line_and_the_picture_its_colours(tmp_path: Path) -> None:
    weight = np.array([[0.25, 0.0], [0.75, 1.0]])
    table = PortfolioTable(["linear", "nss"], np.array([[0.5, 0.25], [0.125, 2.0]]), weight)
    assert table.mean_weights([0]) == {"linear": 0.25, "nss": 0.75}
    assert table.mean_weights([0, 1]) == {"linear": 0.125, "nss": 0.875}
    write_portfolio(tmp_path, table, plain_channels(1, 2))
    _, *rows = csv.reader((tmp_path / "portfolio.csv").open())
    assert rows == [
        ["linear", "y0", "0.5", "0.25"], ["linear", "y1", "0.25", "0"],
        ["nss", "y0", "0.125", "0.75"], ["nss", "y1", "2", "1"],
    ]  # fmt: skip
    pixels = matplotlib.image.imread(tmp_path / "portfolio.png")[..., :3]
    # Matplotlib's first and second colour, as shares of the bars: an eighth and seven eighths.
    blue, orange = (
        np.isclose(pixels, np.array(c) / 255, atol=0.02).all(axis=2).sum() for c in ((31, 119, 180), (255, 127, 14))
    )
    assert blue / (blue + orange) == pytest.approx(1 / 8, abs=0.05)


def test_names_of_any_script_are_drawn() -> None:
    assert draw_weights(["圧力 $x$", "a_b"], ["m"], np.ones((2, 1))).startswith(b"\x89PNG")
