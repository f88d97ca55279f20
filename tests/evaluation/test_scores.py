"""Scores of several cases by hand."""

import numpy as np
import pytest
from builders import make_case, make_channels

from surrogate_modeling.evaluation.scores import score

SCALE = np.array([2.0, 0.5])


def predicted(offset: float, rows: int, seed: int) -> np.ndarray:
    """The last ``rows`` rows of the truth, off by ``offset`` in T and twice that in p."""
    case = make_case(seed=seed)
    return case.values[-rows:, 2:] + np.array([offset, 2 * offset])


def test_each_row_is_compared_with_the_truth_of_the_same_row() -> None:
    cases = [make_case("a", seed=0), make_case("b", seed=1)]
    found = score(cases, [predicted(0.5, 30, 0), predicted(-1.0, 25, 1)], make_channels(), SCALE)
    np.testing.assert_allclose(found.ade, [[0.5, 1.0], [1.0, 2.0]])
    np.testing.assert_allclose(found.fde, [[0.5, 1.0], [1.0, 2.0]])
    np.testing.assert_allclose(found.case_nade, [(0.25 + 2) / 2, (0.5 + 4) / 2])
    assert found.nade == pytest.approx((0.25 + 2 + 0.5 + 4) / 4)
    assert found.nfde == pytest.approx(found.nade)
    assert found.diverged == []


def test_targets_only_count() -> None:
    cases = [make_case("a", seed=0), make_case("b", seed=1)]
    found = score(cases, [predicted(0.5, 30, 0), predicted(-1.0, 30, 1)], make_channels(["p"]), SCALE)
    assert found.nade == pytest.approx((2 + 4) / 2)
    values = found.aggregates()
    assert {name for name in values if "T" in name.split("/")} == set()
    expected = {"mean": 1.5, "median": 1.5, "max": 2.0, "min": 1.0, "std": 0.5}
    for how, value in expected.items():
        assert values[f"p/ADE_{how}"] == pytest.approx(value)
        assert values[f"p/FDE_{how}"] == pytest.approx(value)
    assert values["diverged_cases"] == 0.0


@pytest.mark.filterwarnings("error")
def test_a_diverged_case_is_named_and_never_nan_or_dropped() -> None:
    cases = [make_case(name, seed=i) for i, name in enumerate("abc")]
    rows = [predicted(0.5, 30, i) for i in range(3)]
    rows[1][12:, 0] = np.nan
    rows[2][3:, 0] = np.inf
    found = score(cases, rows, make_channels(), SCALE)
    assert found.diverged == ["b", "c"]
    values = found.aggregates()
    assert not any(np.isnan(value) for value in values.values())
    assert values["diverged_cases"] == 2.0
    assert values["nADE"] == values["nFDE"] == np.inf
    assert [values[f"T/ADE_{how}"] for how in ("mean", "median", "max", "min", "std")] == [
        np.inf, np.inf, np.inf, pytest.approx(0.5), np.inf,
    ]  # fmt: skip
    assert values["p/ADE_max"] == pytest.approx(1.0)


def test_groups() -> None:
    cases = [make_case(name, seed=i) for i, name in enumerate("abc")]
    found = score(cases, [predicted(x, 30, i) for i, x in enumerate((0.5, 1.0, 2.0))], make_channels(["p"]), SCALE)
    groups = found.groups({"a": "x", "b": "x", "c": "y", "not a test case": "z"})
    assert groups == {
        "x": (pytest.approx(3.0), pytest.approx(3.0), 2),
        "y": (pytest.approx(8.0), pytest.approx(8.0), 1),
    }
