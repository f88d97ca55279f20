"""Learning curves of a comparison: which errors belong to which, what is said of them, table, CSV, metrics, picture."""

import csv
import io
import math
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.image import imread

from surrogate_modeling.comparison.law import Law
from surrogate_modeling.comparison.learning import LearningCurve, largest_only, make_curves, say, shown_cases
from surrogate_modeling.comparison.learning_picture import draw_curves
from surrogate_modeling.comparison.learning_table import curve_metrics, curve_table, curves_csv, told
from surrogate_modeling.comparison.results import Numbers, Result, Status
from surrogate_modeling.pages.texts import page_texts

COUNTS = {1.0: 70, 0.5: 35, 0.2: 14, 0.1: 7}


def numbers(nade: float, **scale: float) -> Numbers:
    scale = scale or {"T": 2.0}
    return Numbers(
        nade=nade, nfde=1.0, targets=dict.fromkeys(scale, nade), fit_seconds=1.0, seconds_per_case=0.1, parameters=10,
        scale=scale,
    )  # fmt: skip


def result(fraction: float, seed: int, nade: float, model: str = "nss") -> Result:
    baselines = {"persistence": replace(numbers(1.0), parameters=0), "linear": numbers(2 * nade)}
    return Result(
        model, "quick", seed, Status.done, numbers=numbers(nade), baselines=baselines, fraction=fraction,
        cases=COUNTS[fraction], baseline_cases=COUNTS[fraction], pool=100,
    )  # fmt: skip


def falling(seeds: tuple[int, ...] = (1, 2, 3)) -> list[Result]:
    """0.01 + 1.4 / n, and a hundredth of chance: 0.03 with 70 cases."""
    return [
        result(f, seed, (0.01 + 1.4 / n) * (1 + 0.01 * ((seed + n) % 3 - 1)))
        for f, n in COUNTS.items()
        for seed in seeds
    ]


def with_law(level: list[float], share: list[float], exponent: list[float]) -> LearningCurve:
    """A curve of 0.03 with 70 cases whose laws are given."""
    curve = LearningCurve("nss", "quick", (7, 14, 35, 70), np.array([[0.2, 0.1, 0.05, 0.03]] * 2), (), 100)
    # In place of the cached property.
    curve.__dict__["law"] = Law(
        70, np.array(level), np.array(share), np.array(exponent), (level[0], share[0], exponent[0])
    )
    return curve


def test_a_curve_has_the_seeds_that_are_whole() -> None:
    results = [one for one in falling() if (one.fraction, one.seed) != (0.5, 2)]
    results.append(Result("nss", "quick", 2, Status.diverged, "inf", fraction=0.5))
    nss, linear = make_curves(results)
    assert (nss.name, linear.name) == ("nss quick", "linear")
    assert nss.cases == (7, 14, 35, 70)
    assert nss.errors.shape == (2, 4)
    assert nss.lost == (2,)
    assert nss.errors[0] == pytest.approx([(0.01 + 1.4 / n) * (1 + 0.01 * ((1 + n) % 3 - 1)) for n in nss.cases])
    assert linear.errors == pytest.approx(2 * nss.errors)
    assert curve_table([nss], None)[1][2] == "2/3"
    assert [one.fraction for one in largest_only(results)] == [1.0] * 3
    assert make_curves(largest_only(results)) == []


def test_errors_are_in_the_scale_of_the_most_cases() -> None:
    """A column that varies less among few cases makes the same error look larger."""
    few, all_ = result(0.1, 1, 0.5), result(1.0, 1, 0.1)
    few = replace(few, numbers=numbers(0.5, T=1.0, p=4.0), baselines={})
    all_ = replace(all_, numbers=numbers(0.1, T=2.0, p=4.0), baselines={})
    (curve,) = make_curves([few, all_])
    # T: 0.5 of 1 K is 0.25 of 2 K; p: 0.5.
    assert curve.errors == pytest.approx(np.array([[0.375, 0.1]]))


def test_what_is_said_in_words() -> None:
    curve = make_curves(falling())[0]
    text = told(curve, 0.02)
    assert text.startswith("0.03 now, with 70 training cases. 0.02 needs about 140 (90 % between ")
    assert "70 more than now" in text
    assert "Below 0.0099 (90 % between 0.00" in text
    needed = curve_metrics([curve], 0.02)
    assert needed["cases_for_goal/nss quick"] == pytest.approx(140, rel=0.05)
    assert needed["floor/nss quick"] == pytest.approx(0.01, rel=0.1)
    assert needed["exponent/nss quick"] == pytest.approx(1.0, rel=0.05)
    # A fifth less than now.
    assert "0.024 needs about 100 " in told(curve, None)


@pytest.mark.parametrize(
    ("laws", "goal", "key", "values"),
    [
        (([0.03], [0.5], [1.0]), 0.0225, "learning_needs", dict(goal="0.0225", cases="140", low="140", high="140", more="70")),
        (([0.03], [0.5], [1.0]), 0.045, "learning_reached", dict(goal="0.045", cases="35", low="35", high="35")),
        (([0.03], [0.5], [1.0]), 0.9, "learning_early", dict(goal="0.9", cases=7)),
        (([0.03], [0.5], [1.0]), 0.01, "learning_never", dict(goal="0.01")),
        (([0.03], [0.0], [0.1]), 0.01, "learning_far", dict(goal="0.01", times="10")),
        # Half of the laws take 140 cases, half never come there.
        (([0.03] * 2, [0.5, 0.9], [1.0] * 2), 0.0225, "learning_unsure", dict(goal="0.0225", low="140")),
    ],
)  # fmt: skip
def test_what_is_said_of_a_goal(
    laws: tuple[list[float], list[float], list[float]], goal: float, key: str, values: dict[str, object]
) -> None:
    assert say(with_law(*laws), goal)[1] == (key, values)


def test_a_floor_is_named_where_it_is_known() -> None:
    assert say(with_law([0.03], [0.5], [1.0]), None)[-1] == (
        "learning_floor", {"floor": "0.015", "low": "0.015", "high": "0.015"},
    )  # fmt: skip
    assert say(with_law([0.03] * 3, [0.0, 0.3, 0.6], [1.0] * 3), None)[-1] == ("learning_no_floor", {"high": "0.018"})


def test_one_seed_says_nothing_of_others() -> None:
    curve = make_curves(falling((1,)))[0]
    assert curve.law is None
    assert say(curve, None) == [("learning_none", {"name": "nss quick", "seeds": 1})]
    assert curve_table([curve], None)[1][3:] == ["0.2121", "0.1089", "0.0495", "0.0303", *"------"]


def test_every_sentence_is_there_in_both_languages() -> None:
    keys = [
        {key for key in page_texts("comparison", language) if key.startswith("learning")} for language in ("en", "ja")
    ]
    assert keys[0] == keys[1]
    assert len(keys[0]) == 12


def test_numbers_of_cases_for_people() -> None:
    assert [shown_cases(count) for count in (6.1, 99.0, 141.2, 1849.0, math.inf)] == ["7", "99", "140", "1800", "-"]


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_csv_and_picture() -> None:
    curves = make_curves(falling())
    rows = list(csv.DictReader(io.StringIO(curves_csv(curves))))
    assert [row["cases"] for row in rows[:8]] == ["7", "14", "35", "70", "105", "140", "210", "350"]
    assert float(rows[5]["law"]) == pytest.approx(0.02, rel=0.05)
    assert float(rows[5]["law_low"]) < 0.02 < float(rows[5]["law_high"])
    assert rows[5]["nADE"] == ""
    for some in (curves, make_curves(falling((1,))), []):
        picture = imread(io.BytesIO(draw_curves(some, 0.02)), format="png")
        assert picture.shape[1] > 900
