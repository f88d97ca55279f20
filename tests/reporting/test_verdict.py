"""The verdict on a run: its light, what it says and what it proposes, against cases worked out by hand."""

import numpy as np
import pytest
from builders import make_channels

from surrogate_modeling.evaluation.scores import Scores
from surrogate_modeling.reporting.content import Content
from surrogate_modeling.reporting.verdict import BaselineError, RunChoices, verdict, worse_targets

NEAR = np.array([0.5, 0.5])
CHOICES = RunChoices(["dataset.path=cases", "model=ssm", "settings=stable"], "ssm", False, False, "id")


def scores(*by_target: float) -> Scores:
    """Two cases; the ADE of each target T and p, equal in both."""
    ade = np.tile(np.array(by_target), (2, 1))
    return Scores(["a", "b"], make_channels(), ade, ade, np.array([1.0, 1.0]))


def judged(own: Scores, baselines: dict[str, tuple[float, float]], choices: RunChoices = CHOICES) -> Content:
    errors = {name: BaselineError(sum(ade) / 2, np.array(ade)) for name, ade in baselines.items()}
    return verdict(own, NEAR, errors, 100.0, choices)


def keys(content: Content) -> list[str]:
    return [key for key, _ in content["sentences"]]


def test_better_in_every_target_is_good() -> None:
    found = judged(scores(0.1, 0.3), {"persistence": (2.0, 2.0), "linear": (0.4, 0.4)})
    assert found["light"] == "good"
    assert keys(found) == ["verdict_better", "verdict_none_worse"]
    # Mean errors 0.2 and 0.4.
    assert found["sentences"][0][1] == {"baseline": "linear", "times": "2"}
    numbers = {item["key"]: (item["value"], item["unit"]) for item in found["numbers"]}
    assert numbers == {
        "number_worst": (pytest.approx(0.3), "bar"), "number_median": (pytest.approx(0.1), "degC"),
        "number_times": (pytest.approx(2.0), "×"), "number_real_time": (100.0, "×"),
    }  # fmt: skip


def test_worse_in_one_target_is_named_though_better_on_average() -> None:
    found = judged(scores(0.1, 0.3), {"linear": (0.9, 0.2)})
    assert found["light"] == "fair"
    assert found["sentences"][1] == ("verdict_worse_in", {"n": 1, "all": 2, "baseline": "linear", "names": ["p"]})
    assert found["worse"] == {"linear": ["p"]}
    assert found["command"] == "pdm run train model=auto dataset.path=cases"


def test_worse_on_average_is_bad() -> None:
    found = judged(scores(0.6, 0.3), {"linear": (0.1, 0.2), "quadratic": (0.9, 0.9)})
    assert found["light"] == "bad"
    assert found["sentences"][0] == ("verdict_worse", {"baseline": "linear", "times": "3"})


@pytest.mark.parametrize(("share", "said"), [(0.0, True), (0.1, False)])
def test_a_network_without_any_share_is_said(share: float, said: bool) -> None:
    errors = {"quadratic": BaselineError(0.3, np.array([0.3, 0.3]))}
    found = verdict(scores(0.3, 0.3), NEAR, errors, 100.0, CHOICES, {"T": 0.0, "p": share})
    assert ("verdict_unused" in keys(found)) == said


def test_equal_to_a_baseline_is_neither_better_nor_worse() -> None:
    found = judged(scores(0.3, 0.3), {"quadratic": (0.3, 0.3)})
    assert found["light"] == "good"
    assert keys(found) == ["verdict_equal", "verdict_none_worse"]


def test_a_diverged_case_is_bad_whatever_the_rest() -> None:
    own = scores(0.1, 0.1)
    own.ade[1] = np.inf
    found = judged(own, {"linear": (0.4, 0.4)})
    assert found["light"] == "bad"
    assert found["sentences"][0] == ("verdict_diverged", {"n": 1, "all": 2, "names": ["b"]})


def test_without_baselines_nothing_is_claimed() -> None:
    found = verdict(scores(0.1, 0.1), NEAR, {}, None, CHOICES)
    assert (found["light"], keys(found)) == ("unknown", ["verdict_unknown"])
    overall = verdict(scores(0.1, 0.1), NEAR, {"linear": BaselineError(0.4, None)}, None, CHOICES)
    assert (overall["light"], keys(overall)) == ("unknown", ["verdict_better", "verdict_unknown"])


def test_worse_targets_come_by_their_ratio() -> None:
    assert worse_targets(scores(0.4, 0.3), BaselineError(0.2, np.array([0.3, 0.1]))) == ["p", "T"]


@pytest.mark.parametrize(
    ("arguments", "model", "debug", "saved", "own", "command"),
    [
        (["model=ssm", "settings.is_debug=True"], "ssm", True, False, 0.1, "pdm run train model=ssm"),
        (["model=ssm", "settings=quick"], "ssm", False, False, 0.1, "pdm run train model=ssm settings=stable"),
        (["model=ssm"], "ssm", False, False, 0.1, "pdm run train model=ssm settings.is_save_model=True"),
        (["model=ssm"], "ssm", False, True, 0.1, "pdm run predict surrogate=id 'cases=<folder>' output=out"),
        (
            ["model=dot", "model.width=8", "settings.lr=0.1", "settings.decimate_range=5", "dataset.controls=2"],
            "dot", False, False, 0.9, "pdm run train model=auto settings.decimate_range=5 dataset.controls=2",
        ),
        (["model=auto", "settings=auto"], "auto", False, False, 0.9, "pdm run train model=auto settings=auto settings.max_minutes=60"),
    ],
)  # fmt: skip
def test_the_next_command(arguments: list[str], model: str, debug: bool, saved: bool, own: float, command: str) -> None:
    choices = RunChoices(arguments, model, debug, saved, "id")
    assert judged(scores(own, own), {"linear": (0.4, 0.4)}, choices)["command"] == command


@pytest.mark.parametrize(("minutes", "more"), [(None, 60), (10.0, 60), (30.0, 90), (240.0, 720), (0.5, 60)])
def test_a_portfolio_gets_more_time_than_it_had(minutes: float | None, more: int) -> None:
    arguments = ["model=auto", f"settings.max_minutes={minutes}"] if minutes else ["model=auto"]
    choices = RunChoices(arguments, "auto", False, False, "id", minutes)
    found = judged(scores(0.9, 0.9), {"linear": (0.4, 0.4)}, choices)
    assert found["command"] == f"pdm run train model=auto settings.max_minutes={more}"


def test_far_cases_are_the_reason_where_they_are() -> None:
    found = verdict(
        scores(0.1, 0.1), np.array([1.5, 0.5]), {"linear": BaselineError(0.4, np.array([0.4, 0.4]))}, 1.0, CHOICES
    )
    assert found["reason"] == ("next_far", {"names": ["a"]})
