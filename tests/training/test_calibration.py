"""What a band is calibrated on, by hand."""

import numpy as np

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.cases.stretches import blocks
from surrogate_modeling.training.calibration import joined, residuals

CHANNELS = Channels(("u",), ("y",), ("y",), {"u": "-", "y": "-"})


def record(name: str, rows: int) -> Case:
    """y counts the rows."""
    values = np.stack([np.zeros(rows), np.arange(rows)], axis=1).astype(np.float32)
    return Case(name, np.arange(rows) * 0.5, values, CHANNELS)


def test_blocks_of_a_record_are_one_case_at_their_true_distances() -> None:
    """Records of 20 and 23 rows in two blocks with a gap of 2: rows 0 to 8 and 11 to 19, and 0 to 9 and 12 to 22.

    The first two rows of a block are given, so that what is predicted of the first are rows 2 to 8 and 13 to 19, and
    row 2 is the first that a free run of the record predicts.
    """
    records = [record("a", 20), record("b", 23)]
    cut = [blocks(each, 2, 2, 4) for each in records]
    # The last blocks first, as folds leave them out.
    parts = [cut[0][1], cut[1][1], cut[0][0], cut[1][0]]
    runs = [part.truth(len(part.time) - 2) + i for i, part in enumerate(parts)]
    together = joined(residuals(parts, runs, [np.full_like(run, 7.0) for run in runs]), parts, records)
    assert [distance.tolist() for distance in together.distances] == [
        [*range(7), *range(11, 18)],
        [*range(8), *range(12, 21)],
    ]
    assert [error[:, 0].tolist() for error in together.errors] == [[2.0] * 7 + [0.0] * 7, [3.0] * 8 + [1.0] * 9]
    assert [spread.shape for spread in together.spreads] == [(14, 1), (17, 1)]
