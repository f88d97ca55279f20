"""Which control matters: gradients, gains and time constants of a lag whose law is known, and what is written."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from exported import IN_LEN, STEP, make

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.writer import write_case
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.explain_keys import ExplainConfig
from surrogate_modeling.deployment.export_check import random_cases
from surrogate_modeling.deployment.influence.run import explain, gain_lines, look
from surrogate_modeling.deployment.influence.sensitivity import _read, gradients, sobol, step_responses
from surrogate_modeling.networks import WindowNetwork
from surrogate_modeling.surrogate.model import Surrogate

ROWS = 30


class Lag(WindowNetwork):
    """The first output moves by a fifth of the way to the first control less half the second, standardised."""

    def forward(self, past: torch.Tensor, control: torch.Tensor) -> torch.Tensor:
        wanted = control[..., :1] - 0.5 * control[..., 1:]
        move = 0.2 * (wanted - past[:, -1:, 2:3])
        return past[:, -1:, 2:] + torch.nn.functional.pad(move, (0, 2))


class Sum(WindowNetwork):
    """The first output adds up the first control: it has no steady state."""

    def forward(self, past: torch.Tensor, control: torch.Tensor) -> torch.Tensor:
        return past[:, -1:, 2:] + torch.nn.functional.pad(0.1 * control[..., :1], (0, 2))


class Explosive(WindowNetwork):
    """The first output doubles in each row and takes the first control on: 300 rows are beyond single precision."""

    def forward(self, past: torch.Tensor, control: torch.Tensor) -> torch.Tensor:
        move = past[:, -1:, 2:3] + control[..., :1]
        return past[:, -1:, 2:] + torch.nn.functional.pad(move, (0, 2))


def made(kind: type[WindowNetwork]) -> tuple[Surrogate, Case]:
    surrogate = make("don")
    surrogate.network = kind(surrogate.description.sizes)
    return surrogate, case_of(surrogate, ROWS, "c")


def case_of(surrogate: Surrogate, predicted: int, name: str) -> Case:
    initial, controls = (part[0] for part in random_cases(surrogate, 1, predicted))
    rows = np.concatenate((initial, np.repeat(initial[-1:], predicted, axis=0)))
    time = STEP * np.arange(predicted + IN_LEN)
    return Case(name, time, np.column_stack((controls, rows)), surrogate.description.channels)


def test_gains_and_time_constants_of_a_lag() -> None:
    """By hand: after n rows 1 - 0.8^n of the change, so 63.2 % between the fourth and the fifth row."""
    surrogate, case = made(Lag)
    found = step_responses(surrogate, case, 0.5, settle=40.0)
    scale = surrogate.scaling.scale.numpy()
    np.testing.assert_allclose(found.gain, [[scale[2] / scale[0], -0.5 * scale[2] / scale[1]]], rtol=1e-3)
    np.testing.assert_allclose(found.change, [[1.0, -0.5]], rtol=1e-3)
    rows = 4 + (1 - math.exp(-1) - (1 - 0.8**4)) / (0.8**4 - 0.8**5)
    np.testing.assert_allclose(found.seconds, STEP * rows, rtol=1e-3)


def test_what_does_not_settle_has_no_gain_and_what_does_nothing_no_time() -> None:
    surrogate, case = made(Sum)
    found = step_responses(surrogate, case, 0.5)
    assert np.isnan(found.gain[0, 0])
    assert found.gain[0, 1] == 0.0
    assert np.isnan(found.seconds).all()


def test_an_answer_that_comes_back_to_nothing_is_a_gain_of_0() -> None:
    """20 rows, so the last two decide, in ten thousandths of a standard deviation: from 3 to 0.5 an answer rests.

    From 300 to 0.5 it moves, and only passes 0; from 3 to 1.5 it is not gone yet.
    """
    answers = np.zeros((1, 3, 20))
    answers[0, :, 5] = 5000.0
    answers[0, :, -2:] = [[3.0, 0.5], [300.0, 0.5], [3.0, 1.5]]
    found = _read(1e-4 * answers, np.ones(3), np.ones(3), np.ones(1), STEP)
    np.testing.assert_array_equal(found.gain, [[0.0, np.nan, np.nan]])
    assert np.isnan(found.seconds).all()


def test_gradients_along_the_trajectory_by_hand() -> None:
    """A control that is higher from row s on moves row t by 1 - 0.8^(t - s + 1)."""
    surrogate, case = made(Lag)
    slopes = gradients(surrogate, case)
    assert slopes.shape == (1, IN_LEN + ROWS, 2)
    np.testing.assert_allclose(slopes[0, :IN_LEN], 0.0)
    # Of the control in row s alone: 0.2 0.8^(t - s) in each row t from s on, over the number of rows, times that number.
    by_hand = [sum(0.2 * 0.8**k for k in range(ROWS - s)) for s in range(ROWS)]
    np.testing.assert_allclose(slopes[0, IN_LEN:, 0], by_hand, rtol=1e-4)
    np.testing.assert_allclose(slopes[0, IN_LEN:, 1], -0.5 * np.array(by_hand), rtol=1e-4)


def test_sobol_indices_of_a_sum() -> None:
    """Uniform levels: the variances are those of the ranges, in standard deviations, times 1 and 0.25."""
    surrogate, case = made(Lag)
    first, total = sobol(surrogate, case, 64, 0)
    low, high, scale = (
        part[:2].numpy() for part in (surrogate.scaling.low, surrogate.scaling.high, surrogate.scaling.scale)
    )
    variance = ((high - low) / scale) ** 2 * [1.0, 0.25]
    np.testing.assert_allclose(first[0], variance / variance.sum(), atol=0.1)
    np.testing.assert_allclose(total[0], variance / variance.sum(), atol=0.1)


def test_one_control_that_moves_explains_all() -> None:
    surrogate, case = made(Lag)
    surrogate.scaling.high[1] = surrogate.scaling.low[1]
    for index in sobol(surrogate, case, 8, 0):
        np.testing.assert_array_equal(index, [[1.0, 0.0]])
    surrogate.scaling.high[0] = surrogate.scaling.low[0]
    for index in sobol(surrogate, case, 8, 0):
        np.testing.assert_array_equal(index, [[0.0, 0.0]])


def test_parts_are_shares_of_long_and_of_short_cases() -> None:
    """A control of H rows in row s moves their mean by 1 - 0.8^(H - s): a part is 30 rows of the one, 1 of the other."""
    surrogate, _ = made(Lag)
    cases = [case_of(surrogate, 600, "long"), case_of(surrogate, 20, "short")]
    found = look(surrogate, cases, ExplainConfig("s", "c", "o", settle=20.0))
    long, short = ((1 - 0.8 ** (rows - np.arange(rows))) ** 2 for rows in (600, 20))
    by_hand = np.sqrt((long.reshape(20, 30).mean(axis=1) + short) / 2)
    np.testing.assert_allclose(found.over_time[0, 0], by_hand, rtol=1e-3)
    np.testing.assert_allclose(found.over_time[0, 1], 0.5 * by_hand, rtol=1e-3)


def test_cases_whose_free_run_diverges_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    surrogate, _ = made(Explosive)
    cases = [case_of(surrogate, 300, "far"), case_of(surrogate, 10, "near")]
    found = look(surrogate, cases, ExplainConfig("s", "c", "o", settle=20.0))
    assert "1 of 2 cases left out" in caplog.text
    assert caplog.text.rstrip().endswith("far")
    np.testing.assert_allclose(found.share, [[1.0, 0.0]])
    assert len(found.gains) == 1
    with pytest.raises(UserError, match="no gradient of 1 case is finite, as the free run diverges"):
        look(surrogate, cases[:1], ExplainConfig("s", "c", "o", settle=20.0))


def test_the_files_hold_what_was_found(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    surrogate, case = made(Lag)
    write_case(tmp_path / "c.csv", case.channels.units, case.time, case.values)
    with caplog.at_level("INFO"):
        explain(surrogate, [tmp_path / "c.csv"] * 2, tmp_path, ExplainConfig("s", "c", "o", settle=40.0, samples=2))
    with (tmp_path / "gains.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["target"], row["control"], row["settled"]) for row in rows] == [
        ("p 1", "u", "2 of 2"),
        ("p 1", "v/2", "2 of 2"),
    ]
    assert [row["share of gradients"] for row in rows] == ["0.667", "0.333"]
    assert rows[0]["unit"] == "bar per -"
    assert (tmp_path / "influence.png").stat().st_size > 10_000
    assert len((tmp_path / "influence.csv").read_text(encoding="utf-8").splitlines()) == 1 + 2 * ROWS
    assert len((tmp_path / "sobol.csv").read_text(encoding="utf-8").splitlines()) == 3
    assert "time constant" in caplog.text


def test_a_control_that_is_constant_in_training_is_marked() -> None:
    surrogate, case = made(Lag)
    scaling = surrogate.scaling
    scaling.low[1] = scaling.high[1] = scaling.mean[1]
    scaling.divisor[1] = math.inf
    found = look(surrogate, [case], ExplainConfig("s", "c", "o", settle=40.0))
    lines = gain_lines(found, case.channels.units)
    assert [line[6] for line in lines] == ["settled", "1 of 1", "constant in training"]
    assert lines[2][3:6] == ("", "", "")


def test_keys_out_of_range_are_refused() -> None:
    with pytest.raises(UserError, match="samples=3: must be a power of 2"):
        ExplainConfig("s", "c", "o", samples=3)
    with pytest.raises(UserError, match="settle=0.0: must be more than 0"):
        ExplainConfig("s", "c", "o", settle=0.0)
