"""The error figure is drawn for few and many cases and columns, and its map shows what it should."""

import io

import numpy as np
import pytest
from matplotlib.image import imread

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.evaluation.error_analysis import ErrorAnalysis, analyse
from surrogate_modeling.evaluation.error_figure import draw_errors
from surrogate_modeling.evaluation.scores import score
from surrogate_modeling.surrogate.training_range import Position

ALL, LONGEST = slice(None), slice(2, 3)
# The same in other sizes; a picture takes half a second.
SLOW = pytest.mark.slow


def analysis(
    cases: int, columns: int, targets: int, spoil: float | None = None, spoilt: slice = slice(None)
) -> ErrorAnalysis:
    rng = np.random.default_rng(0)
    names = tuple(f"column ${j}" if j else "_圧力" for j in range(columns))
    channels = Channels(("u",), names, names[:targets], dict.fromkeys(("u", *names), "-"))
    plant = [
        Case(
            f"case {i}",
            np.arange(30.0 + i % 3),
            rng.uniform(0, 1, (30 + i % 3, 1 + columns)).astype(np.float32),
            channels,
        )
        for i in range(cases)
    ]
    predicted = [case.values[5:, 1:] * 0.9 for case in plant]
    if spoil is not None:
        for rows in predicted[spoilt]:
            rows[3:] = spoil
    scale = np.full(columns, 0.3)
    positions = [Position(np.abs(case.values[:, 0].astype(float) - 0.45) / 0.45, 0.5) for case in plant]
    return analyse(plant, predicted, score(plant, predicted, channels, scale), positions)


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize(
    ("cases", "columns", "targets"),
    [(1, 1, 1), (3, 2, 2), (100, 45, 20), *(pytest.param(*sizes, marks=SLOW) for sizes in ((3, 45, 7), (130, 3, 1)))],
)
def test_any_number_of_cases_and_columns(cases: int, columns: int, targets: int) -> None:
    picture = imread(io.BytesIO(draw_errors(analysis(cases, columns, targets))), format="png")
    assert min(picture.shape[:2]) > 500
    assert max(picture.shape[:2]) < 2600
    assert picture[..., :3].std() > 0.05


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize(
    ("spoil", "spoilt"),
    [
        (np.nan, ALL), (np.inf, LONGEST), (3e38, ALL), (0.0, LONGEST),
        *(pytest.param(*spoiled, marks=SLOW) for spoiled in ((np.nan, LONGEST), (np.inf, ALL), (3e38, LONGEST), (0.0, ALL))),
    ],
)  # fmt: skip
def test_cases_that_diverged_are_drawn_too(spoil: float, spoilt: slice) -> None:
    picture = imread(io.BytesIO(draw_errors(analysis(4, 3, 2, spoil, spoilt))), format="png")
    black = (picture[..., :3].max(axis=2) < 0.01).mean()
    # Cells of the map are black where, and only where, a case diverged.
    assert (black > 0.02) == (not np.isfinite(spoil))
