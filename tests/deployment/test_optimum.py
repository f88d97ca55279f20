"""Schedules found by gradients: what is known to be best for a lag, bounds, rates, margins, and what is refused."""

import csv
import math
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from exported import IN_LEN, STEP, make

from surrogate_modeling.cases.case import Case
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.commands import BandScope
from surrogate_modeling.config.optimise_keys import OptimiseConfig
from surrogate_modeling.deployment.export_check import random_cases
from surrogate_modeling.deployment.optimum.levels import Levels
from surrogate_modeling.deployment.optimum.outcome import Outcome
from surrogate_modeling.deployment.optimum.problem import Problem, Term, problem_of
from surrogate_modeling.deployment.optimum.run import check_start, optimise
from surrogate_modeling.deployment.optimum.search import Found, Method, Search
from surrogate_modeling.networks import WindowNetwork
from surrogate_modeling.surrogate.band import Band
from surrogate_modeling.surrogate.model import Surrogate

ROWS = 30
METHOD = Method(starts=1, steps=60, beyond=True)


class Lag(WindowNetwork):
    """The first output moves by a fifth of the way to the first control, in standardised units."""

    def forward(self, past: torch.Tensor, control: torch.Tensor) -> torch.Tensor:
        move = 0.2 * (control[..., :1] - past[:, -1:, 2:3])
        return past[:, -1:, 2:] + torch.nn.functional.pad(move, (0, 2))


@pytest.fixture(scope="module")
def lag() -> tuple[Surrogate, Case]:
    """A surrogate of the lag, and a case of 30 predicted rows."""
    surrogate = make("don")
    surrogate.network = Lag(surrogate.description.sizes)
    channels = surrogate.description.channels
    initial, controls = random_cases(surrogate, 8, ROWS)
    rows = [np.concatenate((some, np.repeat(some[-1:], ROWS, axis=0))) for some in initial]
    time = STEP * np.arange(ROWS + IN_LEN)
    cases = [
        Case(f"c{i}", time, np.column_stack(pair), channels) for i, pair in enumerate(zip(controls, rows, strict=True))
    ]
    surrogate.training_range.fit(cases, surrogate.scaling, IN_LEN)
    return surrogate, cases[0]


def configured(objective: Any, **keys: Any) -> OptimiseConfig:
    return OptimiseConfig("s", "c", "o", objective=objective, **keys)


def search(lag: tuple[Surrogate, Case], config: OptimiseConfig, method: Method = METHOD) -> tuple[Found, Problem]:
    problem = problem_of(config, lag[0])
    return Search(*lag, problem, method).run(), problem


def test_the_lowest_control_is_best_for_a_lag(lag: tuple[Surrogate, Case]) -> None:
    found, problem = search(lag, configured({"p 1": "minimise last"}), replace(METHOD, starts=2))
    assert found.kept
    assert max(found.objectives) < float(found.before.objective)
    assert float(found.best.objective) < float(found.before.objective)
    # The last level is what the last value follows: it goes to the lower end of the training range.
    controls = found.best.controls[0]
    assert float(controls[-1, 0]) < float(problem.low[0] + 0.05 * (problem.high[0] - problem.low[0]))
    assert (controls[IN_LEN:] >= problem.low).all()
    assert (controls[IN_LEN:] <= problem.high).all()
    torch.testing.assert_close(controls[:IN_LEN].numpy(), lag[1].controls[:IN_LEN])
    # What is promised is what the surrogate predicts for the schedule.
    initial = torch.as_tensor(lag[1].outputs[:IN_LEN])
    torch.testing.assert_close(found.best.rows[0, :, 2:], lag[0].free_run(initial, controls))


def test_a_bound_is_kept_with_the_band_as_margin_once_it_counts(lag: tuple[Surrogate, Case]) -> None:
    """As warm as may be at the end, from a warm start: the margin is q g(t) = 2 x 0.3 bar by hand."""
    surrogate, case = lag
    mean, scale = float(surrogate.scaling.mean[2]), float(surrogate.scaling.scale[2])
    case = replace(case, values=case.values.copy())
    case.values[:, 2] = mean + 3 * scale
    width = np.full((1, 3), 0.3)
    band = Band(np.zeros(1), width, np.full(3, 9.0), width, np.full(3, 2.0), np.full(3, 9.0), 20)
    config = configured({"p 1": "maximise last"}, bounds={"p 1": [None, mean + 0.5 * scale]}, after=7.5)
    surrogate.band = band
    try:
        found, problem = search((surrogate, case), config, replace(METHOD, band=BandScope.trajectory, steps=80))
    finally:
        surrogate.band = None
    assert problem.after == 15
    assert found.kept
    predicted = found.best.rows[0, :, 2]
    torch.testing.assert_close(found.best.upper[0, :, 0] - predicted, torch.full((ROWS,), 0.6))
    largest = float(predicted[15:].max())
    assert mean + 0.5 * scale - 0.6 - 0.15 * scale < largest <= mean + 0.5 * scale - 0.6
    assert float(predicted[:5].max()) > mean + scale
    outcome = Outcome(case, problem, found, None, surrogate.scaling.scale.numpy())
    edge = f"{largest + 0.6:.5g}"
    assert outcome.table()[2][3:5] == (f"{largest:.5g}", edge)


def test_fixed_controls_limits_and_rates_hold(lag: tuple[Surrogate, Case]) -> None:
    surrogate, case = lag
    low, high = (float(edge[0]) for edge in (surrogate.scaling.low, surrogate.scaling.high))
    limits = [low + 0.4 * (high - low), low + 0.6 * (high - low)]
    config = configured(
        {"p 1": "minimise last"}, limits={"u": limits}, fixed=["v/2"], rates={"u": 0.02 * (high - low)}, hold=2.5
    )
    found, problem = search(lag, config)
    controls = found.best.controls[0]
    assert problem.held == 5
    torch.testing.assert_close(controls[:, 1].numpy(), case.controls[:, 1])
    # From the last given row on, in each step of 0.5 s.
    assert float(controls[IN_LEN - 1 :, 0].diff().abs().max()) <= 0.01 * (high - low) * (1 + 1e-4)
    # It is driven into its limits as fast as it may be.
    assert limits[0] - 1e-4 <= float(controls[-1, 0]) <= limits[1] + 1e-4


def test_what_lies_far_from_the_training_cases_is_left_out_unless_it_is_allowed(lag: tuple[Surrogate, Case]) -> None:
    """Both controls at their lowest for long are 0.76 of a unit away; the unit is halved here."""
    config = configured({"p 1": "minimise mean", "v/2": "minimise mean"})
    units = lag[0].training_range.units
    units[0] /= 2
    try:
        near, _ = search(lag, config, replace(METHOD, beyond=False))
        far, _ = search(lag, config)
    finally:
        units[0] *= 2
    assert float(far.best.distance.max()) > 1.0
    assert near.kept
    # What is shown as 1.00 lies inside.
    assert float(near.best.distance.max()) <= 1.005
    assert float(near.best.objective) > float(far.best.objective)


@pytest.mark.parametrize(("given", "kept"), [(1.003, True), (1.02, False)])
def test_the_first_rows_are_measured_alike_by_the_search_and_the_check(
    lag: tuple[Surrogate, Case], given: float, kept: bool
) -> None:
    """No schedule changes them: what the check lets pass, which is shown as 1.00, must not break every schedule."""
    surrogate, case = deepcopy(lag[0]), replace(lag[1], values=lag[1].values.copy())
    case.values[:IN_LEN, 1] += 2 * float(surrogate.scaling.scale[1])
    known, config = surrogate.training_range, configured({"p 1": "minimise last"})
    known.units[0] *= float(surrogate.position(case).rows[:IN_LEN].max()) / given
    found, _ = search((surrogate, case), config, replace(METHOD, beyond=False, steps=20))
    assert float(found.best.distance[0, :IN_LEN].max()) == pytest.approx(given, abs=1e-4)
    assert found.kept == kept
    if kept:
        check_start(surrogate, case, config)
    else:
        with pytest.raises(UserError, match="its first rows, .*, are 1.02 times as far from the training cases"):
            check_start(surrogate, case, config)


def plain(rate: list[float], constant: list[bool]) -> Problem:
    """Three controls between 0 and 10, held for 3 rows."""
    ends = torch.zeros(3), torch.full((3,), 10.0)
    return Problem((), (), *ends, torch.tensor(rate), torch.tensor([True, True, True]), torch.tensor(constant), 3)


def test_a_schedule_of_levels_ramps_and_a_parameter() -> None:
    controls = torch.full((9, 3), 2.0)
    levels = Levels(plain([math.inf, 1.0, math.inf], [False, False, True]), controls, 2)
    assert levels.knots == 3
    numbers = torch.logit(torch.tensor([[[0.1, 0.9, 0.4], [0.5, 0.9, 0.4], [0.8, 0.1, 0.4]]]))
    rows = levels.schedule(numbers)[0]
    np.testing.assert_allclose(rows[:, 0], [2, 2, 1, 1, 1, 5, 5, 5, 8], atol=1e-5)
    np.testing.assert_allclose(rows[:, 2], 4.0, atol=1e-5)
    # By hand: at most 3 in 3 rows, towards 9 from 2: 2 + 3 tanh(7 / 3), in equal steps.
    first = 2 + 3 * math.tanh(7 / 3)
    np.testing.assert_allclose(
        rows[1:6, 1], [2, 2 + (first - 2) / 3, 2 + (first - 2) / 1.5, first, rows[5, 1]], atol=1e-5
    )
    assert float(rows[1:, 1].diff().abs().max()) <= 1.0
    # The nearest schedule to a case that can be driven so is that case.
    case = torch.tensor([2.0, 2, 1, 1, 1, 5, 5, 5, 8])[:, None].repeat(1, 3)
    held = Levels(plain([math.inf] * 3, [False] * 3), case, 2)
    np.testing.assert_allclose(held.schedule(held.of_case())[0], case, atol=1e-4)


def test_terms_of_the_objective_by_hand() -> None:
    rows = torch.tensor([[[1.0, 5.0], [4.0, 5.0], [1.0, 5.0]]])
    for what, value in (("last", 1.0), ("mean", 2.0), ("least", 1.0), ("largest", 4.0)):
        assert float(Term("x", 0, 1.0, what).of(rows)) == pytest.approx(value)
    assert float(Term("x", 0, 1.0, "near", 2.0).of(rows)) == pytest.approx(math.sqrt(2.0))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (dict(objective={"p1": "minimise last"}), "objective.p1=minimise last: not among the columns of this surrogate; did you mean p 1?"),
        (dict(objective={"p 1": "minimize last"}), "objective.p 1=minimize last: must be minimise or maximise, then last, mean"),
        (dict(bounds={"u": [0, 1]}), "bounds.u: not among the predicted columns of this surrogate; there are p 1, T/out"),
        (dict(bounds={"p 1": [2, 1]}), "bounds.p 1=[2, 1]: the first must not be more than the second"),
        (dict(bounds={"p 1": 3}), "bounds.p 1=3: must be [least, largest], null for no bound on one side"),
        (dict(bounds={"p 1": ["a", 3]}), "bounds.p 1=['a', 3]: must be two numbers"),
        (dict(limits={"u": [-1e9, 0]}), "leaves the training range, "),
        (dict(fixed=["weather"]), "fixed=weather: not among the controls of this surrogate"),
        (dict(fixed=["u", "v/2"]), "fixed: every control is fixed, on or off, or a mode: nothing is left to search"),
        (dict(parameters=["u"]), "parameters=u: not among the parameters of this surrogate"),
        (dict(rates={"u": 0}), "rates.u=0: must be more than 0 and finite"),
        (dict(rates={"u": True}), "rates.u=True: must be more than 0 and finite"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_refused(lag: tuple[Surrogate, Case], keys: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as refused:
        problem_of(OptimiseConfig("s", "c", "o", **{"objective": {"p 1": "minimise last"}, **keys}), lag[0])
    assert message in str(refused.value)
    if "limits" in keys:
        problem_of(OptimiseConfig("s", "c", "o", objective={"p 1": 3}, beyond=True, **keys), lag[0])


def test_what_has_no_values_between_stays_as_in_the_case(
    lag: tuple[Surrogate, Case], caplog: pytest.LogCaptureFixture
) -> None:
    surrogate = deepcopy(lag[0])
    surrogate.training_range.switches.on_off[1] = True
    with caplog.at_level("INFO"):
        found, problem = search((surrogate, lag[1]), configured({"p 1": "minimise last"}), replace(METHOD, starts=2))
    assert problem.free.tolist() == [True, False]
    assert "as in the case, since they are on or off or modes: v/2" in caplog.text
    torch.testing.assert_close(found.best.controls[0, :, 1].numpy(), lag[1].controls[:, 1])
    for key, value in (("limits", {"v/2": [0, 1]}), ("rates", {"v/2": 1})):
        with pytest.raises(UserError, match=f"{key}: 'v/2' is on or off, or a mode, .*leave it out of {key}"):
            problem_of(configured({"p 1": "minimise last"}, beyond=True, **{key: value}), surrogate)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (dict(objective=None), "objective=None: name at least one column"),
        (dict(objective=["p 1"]), "objective=['p 1']: must be a dictionary of columns"),
        (dict(objective={"p 1": 3}, hold=0.0), "hold=0.0: must be more than 0"),
    ],
)
def test_keys_out_of_range_are_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as refused:
        OptimiseConfig("s", "c", "o", **keys)
    assert message in str(refused.value)


def test_a_search_writes_its_schedule_and_says_where_no_schedule_keeps_the_bounds(
    lag: tuple[Surrogate, Case], tmp_path: Path
) -> None:
    surrogate, case = lag
    lines = [",".join(("time", *(f'"{name}"' for name in case.channels.units)))]
    lines.append(",".join(("s", *case.channels.units.values())))
    lines += [",".join(map(repr, row)) for row in np.column_stack((case.time, case.values)).tolist()]
    (tmp_path / "c0.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    keys = dict(band=None, beyond=True, starts=1, steps=3)
    config = configured({"p 1": "minimise last"}, bounds={"p 1": [1e6, None]}, **keys)
    with pytest.raises(UserError, match="no schedule found that keeps everything: p 1 at least 1000000 bar: missed by"):
        optimise(surrogate, tmp_path / "c0.csv", tmp_path, config)
    assert (tmp_path / "optimum.png").stat().st_size > 10_000
    with (tmp_path / "promise.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["what"] for row in rows] == ["p 1: last", "p 1: least, bound 1000000"]
    schedule = np.loadtxt(tmp_path / "schedule.csv", delimiter=",", skiprows=2)
    assert schedule.shape == (ROWS + IN_LEN, 3)
    predicted = np.loadtxt(tmp_path / "predicted.csv", delimiter=",", skiprows=2)
    np.testing.assert_allclose(predicted[:, :3], schedule)
    assert float(rows[0]["promised"]) == pytest.approx(predicted[-1, 3], rel=1e-4)
    with pytest.raises(UserError, match="band=trajectory: null searches without a margin; this surrogate has no"):
        optimise(surrogate, tmp_path / "c0.csv", tmp_path, configured({"p 1": 3}))
    with pytest.raises(UserError, match="after=100: the case ends before"):
        optimise(surrogate, tmp_path / "c0.csv", tmp_path, configured({"p 1": 3}, after=100.0, band=None))


def test_what_is_promised_on_a_large_level_is_said_to_the_digit(lag: tuple[Surrogate, Case]) -> None:
    """A bound as typed; a level of 1e7 to a thousandth of the standard deviation of 3 bar."""
    surrogate, case = lag
    config = configured({"p 1": "minimise last"}, bounds={"p 1": [None, 9999999.83]})
    found, problem = search(lag, config, replace(METHOD, steps=1))
    assert str(problem.bounds[0]) == "p 1 at most 9999999.83"
    rows = found.best.rows.double()
    rows[..., 2] = 9999999.125
    best = replace(found.best, rows=rows, upper=found.best.upper.double() * 0 + 9999999.5)
    scale = surrogate.scaling.scale.numpy()
    table = Outcome(case, problem, replace(found, best=best), None, scale).table()
    assert table[1][3] == "9999999.125"
    assert (table[2][0], *table[2][3:5]) == ("p 1: largest, bound 9999999.83", "9999999.125", "9999999.5")


def test_a_start_at_the_wanted_value_has_a_gradient() -> None:
    rows = torch.full((1, 3, 2), 2.0, requires_grad=True)
    Term("x", 0, 1.0, "near", 2.0).of(rows).sum().backward()
    assert rows.grad is not None
    assert rows.grad.isfinite().all()


def test_the_named_parameter_is_searched_wherever_it_stands_among_the_controls(lag: tuple[Surrogate, Case]) -> None:
    surrogate = deepcopy(lag[0])
    channels = replace(surrogate.description.channels, parameters=("v/2",))
    surrogate.description = replace(surrogate.description, channels=channels)
    for keys, free in (({}, [True, False]), ({"parameters": ["v/2"]}, [True, True])):
        assert problem_of(configured({"p 1": 3}, **keys), surrogate).free.tolist() == free
    problem = problem_of(configured({"p 1": 3}, parameters=["v/2"], fixed=["u"]), surrogate)
    assert problem.free.tolist() == [False, True]
