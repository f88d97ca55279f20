"""What is said of columns that are constant over the training cases."""

import numpy as np
from builders import case_set_of, plain_case, plain_channels
from surrogate.test_model import SMALL

from surrogate_modeling.cases.split import CaseSplit
from surrogate_modeling.surrogate.description import Description
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.setup import fit_scaling


def case(name: str, fixed: float, output: float):  # type: ignore[no-untyped-def]
    rows = np.arange(8.0)
    values = np.column_stack((rows, np.full(8, 2.5), np.full(8, fixed), rows**2, np.full(8, output)))
    return plain_case(name, rows, values.astype(np.float32), 3)


def test_columns_that_move_in_other_cases_are_named_with_what_becomes_of_them() -> None:
    cases = [case("a", 3.0, 7.0), case("b", 3.0, 7.0), case("c", 3.0, 8.0), case("d", 5.0, 7.0)]
    split = CaseSplit(cases[:2], cases[2:3], cases[3:], case_set_of(cases).table)
    surrogate = Surrogate(Description(SMALL, plain_channels(3, 2), 3, 1, 1.0)).eval()
    moves, output, still = fit_scaling(surrogate, split)
    assert moves == (
        "column 'u2' is 3 throughout the training cases and 5 in 'd': the network never saw it move, so it has no "
        "effect on what is predicted; train on cases in which it moves, or leave the column out"
    )
    assert output.startswith("column 'y1' is 7 throughout the training cases and 8 in 'c': ")
    assert "so it is predicted as that" in output
    assert still == "constant over all cases, not seen by the network: 'u1'"
    # And so it is: the control that moved makes no difference.
    moved = surrogate.free_run(cases[3].outputs[:3], cases[3].controls)
    np.testing.assert_array_equal(moved, surrogate.free_run(cases[0].outputs[:3], cases[0].controls))
