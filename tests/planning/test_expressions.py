"""Comparisons between controls: what they mean, and that nothing else is evaluated."""

import numpy as np
import pytest

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.planning.expressions import Constraint

CONTROLS = ("valve", "pump", "fan duty", "T.in", "圧力")
COLUMNS = {
    "valve": np.array([0.0, 0.5, 1.0]),
    "pump": np.array([2.0, 1.0, 0.0]),
    "fan duty": np.array([10.0, 20.0, 30.0]),
    "T.in": np.array([-4.0, 9.0, np.nan]),
    "圧力": np.array([1.0, 2.0, 3.0]),
}


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("valve + 0.5 * pump <= 1", [True, True, True]),
        ("valve + 0.5 * pump < 1", [False, False, False]),
        ("0 < valve < 1", [False, True, False]),
        ("`fan duty` / 10 == 圧力", [True, True, True]),
        ("valve >= 1 or pump >= 2", [True, False, True]),
        ("not valve >= 1 and -pump ** 2 < -0.5", [True, True, False]),
        ("max(valve, pump) > min(1, 2)", [True, False, False]),
        ("abs(`T.in`) > 5", [False, True, False]),
        ("sqrt(`T.in`) == 3", [False, True, False]),
        ("1 / valve < 3", [False, True, True]),
    ],
)
def test_a_comparison_holds_row_by_row(text: str, rows: list[bool]) -> None:
    """A root of what is negative and a missing value compare as false."""
    assert Constraint.of(text, CONTROLS).holds(COLUMNS).tolist() == rows


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("valve + pump", "compares nothing"),
        ("flow < 1", "no control 'flow'; there are valve, pump"),
        ("`flow` < 1", "no control `flow`"),
        ("T.x < 1", "'T.x' is not understood"),
        ("gear=D1<1", "names with other signs than letters, digits and _ stand in backquotes: '`gear=D1` < 1'"),
        ("valve.__class__ == 1", "is not understood"),
        ("__import__('os').system('true') == 0", "is not understood"),
        ("(lambda: 1)() < valve", "is not understood"),
        ("valve[0] < 1", "is not understood"),
        ("max(valve) < 1", "max takes 2, not 1"),
        ("open(valve) < 1", "is not understood"),
        ("valve < True", "is not understood"),
        ("valve < 'a'", "is not understood"),
        ("valve in pump", "is not understood"),
        ("valve < 1e999", "is not understood"),
        ("valve < 0x" + 280 * "f", "is not understood"),
        ("valve <", "give a comparison"),
        ("valve < 1; pump", "give a comparison"),
        ("valve\0 < 1", "give a comparison"),
        ("-" * 250 + "valve < 1", None),
        ("(" * 250 + "valve < 1", "give a comparison"),
        ("valve < " + "1" * 300, "longer than 300 letters"),
    ],
)
def test_anything_else_is_refused(text: str, said: str | None) -> None:
    if said is None:
        assert Constraint.of(text, CONTROLS).holds(COLUMNS).tolist() == [True, True, False]
        return
    with pytest.raises(UserError, match="constraints: ") as caught:
        Constraint.of(text, CONTROLS)
    assert said in str(caught.value)
