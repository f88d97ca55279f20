"""What tells the next row of a column."""

import numpy as np
from builders import case_set_of, lag, plain_case

from surrogate_modeling.inspection.next_row import past_rows, told_by_others
from surrogate_modeling.inspection.series import Series


def series(count: int = 6, rows: int = 400) -> Series:
    """A stepped control, its slow answer measured with noise, noise alone, and a column that never moves."""
    cases = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        control = np.repeat(rng.uniform(0, 1, rows), rng.integers(3, 30, rows))[:rows]
        answer = lag(control, 20) + 0.01 * rng.normal(size=rows)
        table = np.column_stack((control, answer, rng.normal(size=rows), np.ones(rows)))
        cases.append(plain_case(f"c{seed}", np.arange(float(rows)), table.astype(np.float32), 1))
    return Series.of(case_set_of(cases))


def test_an_answer_is_told_by_its_control_and_not_the_other_way() -> None:
    told = told_by_others(series())
    control, answer, noise, constant = told.finest
    assert control > 0.95
    assert answer < 0.7
    assert noise > 0.95
    assert np.isnan(constant)
    assert (told.least[:3] <= told.finest[:3]).all()


def test_one_record_is_cut_into_pieces() -> None:
    control, answer, *_ = told_by_others(series(1, 3000)).finest
    assert control > 0.95
    assert answer < 0.7


def test_past_rows_are_as_many_as_the_order_asks_for() -> None:
    """The next row is a number times the one six rows ago: three and five rows tell nothing of it, ten do."""
    cases = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        x = list(rng.normal(size=6))
        for _ in range(600):
            x.append(0.95 * x[-6] + 0.3 * rng.normal())
        table = np.column_stack((rng.normal(size=606), x)).astype(np.float32)
        cases.append(plain_case(f"c{seed}", np.arange(606.0), table, 1))
    assert past_rows(Series.of(case_set_of(cases)), [1]) == 10
    assert past_rows(series(), [2]) == 3
    assert past_rows(series(), [3]) == 3
