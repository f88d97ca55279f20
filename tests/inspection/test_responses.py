"""Time constants of the linear baseline, of lags whose time constants are known."""

import numpy as np
import pytest
from builders import case_set_of, lag, plain_case

from surrogate_modeling.cases.case import CaseSet
from surrogate_modeling.inspection.responses import fit, responses, with_roles


def plant(count: int = 8, rows: int = 400) -> CaseSet:
    """Columns: y, the control, a lag of 15 rows, an answer in the same row, and noise."""
    cases = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        control = np.repeat(rng.uniform(0, 1, rows // 20), 20)
        table = np.column_stack((control, 3 - 2 * lag(control, 15, control[0]), 5 * control, rng.normal(size=rows)))
        cases.append(plain_case(f"c{seed}", np.arange(float(rows)), table.astype(np.float32), 1))
    return case_set_of(cases)


def test_answers_to_a_step() -> None:
    case_set = plant()
    fitted = fit(case_set.cases)
    assert fitted is not None
    slow, direct, noise = responses(*fitted, 0.5)
    # 63 % after one time constant, 95 % after three; rows are half a second.
    assert slow.seconds == pytest.approx(7.5, rel=0.1)
    assert slow.settled == pytest.approx(22.5, rel=0.15)
    assert slow.told > 0.99
    assert slow.unpredicted < 0.1
    assert (direct.seconds, direct.settled) == (0.0, 0.0)
    assert noise.told < 0.1
    assert noise.unpredicted > 0.9


def test_roles_may_be_changed_and_columns_left_out() -> None:
    case_set = plant(2, 60)
    (first, _) = with_roles(case_set, ["y1"], ["u0", "y0"])
    assert (first.channels.controls, first.channels.predicted) == (("y1",), ("u0", "y0"))
    np.testing.assert_array_equal(first.outputs, case_set.cases[0].values[:, [0, 1]])


def test_too_few_rows_are_not_fitted() -> None:
    assert fit(plant(1, 60).cases) is None
    assert fit(plant(1, 400).cases) is not None
