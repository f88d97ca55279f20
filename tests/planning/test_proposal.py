"""A proposal: schedules that read back, a table with the scores, and a page that names cannot break."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import page_of, wait_for
from finished_run import EVIL, RIGHT_TO_LEFT
from lag import CHANNELS, lag_case, make, settings

from surrogate_modeling.cases.case_file import parse_case
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.plan_keys import By, PlanConfig
from surrogate_modeling.planning.candidates import Candidate
from surrogate_modeling.planning.proposal import Proposal
from surrogate_modeling.planning.run import propose, rules_of, supply_of
from surrogate_modeling.planning.scoring import choose, look_at
from surrogate_modeling.surrogate.model import Surrogate


@pytest.fixture(scope="module")
def surrogate() -> Surrogate:
    """A surrogate whose columns have names that a page must not take for its own text."""
    made, _, _ = make(settings())
    channels = replace(CHANNELS, controls=(EVIL,), units={EVIL: "<kPa>", "x": "-", "y": "-"})
    made.description = replace(made.description, channels=channels)
    return made


@pytest.fixture(scope="module")
def proposal(surrogate: Surrogate) -> Proposal:
    cases = [lag_case(60, 20 + i) for i in range(6)]
    candidates = [
        Candidate(f"plan{i}", i, f"{RIGHT_TO_LEFT}, case {i}", case.time, 2.0 * case.controls, 2.0 * case.controls)
        for i, case in enumerate(cases)
    ]
    unknown = look_at(surrogate, candidates)
    unknown = replace(unknown, spread=np.linspace(0.1, 0.6, 6))
    return Proposal(surrogate, candidates, unknown, choose(unknown, By.spread, 3, 0), By.spread)


@pytest.fixture(scope="module")
def folder(proposal: Proposal, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("proposal")
    proposal.write(folder, "en", EVIL)
    return folder


def test_schedules_read_back_and_the_table_says_why(proposal: Proposal, folder: Path) -> None:
    rows = list(csv.DictReader((folder / "plan.csv").open(encoding="utf-8")))
    assert [row["rank"] for row in rows] == ["1", "2", "3"]
    assert {row["schedule"] for row in rows} == {path.name for path in (folder / "schedules").iterdir()}
    for row, candidate, item in zip(rows, proposal.batch, proposal.chosen, strict=True):
        raw = parse_case(file := folder / "schedules" / row["schedule"], file.read_bytes())
        assert (raw.names, raw.units) == ((EVIL,), ("<kPa>",))
        np.testing.assert_array_equal(raw.values.astype(np.float32), candidate.controls)
        np.testing.assert_allclose(raw.time, candidate.time)
        assert row["farthest control"] == EVIL
        assert float(row["value"]) == pytest.approx(float(row["spread"]) * item.distance, rel=1e-3)
        assert row["band"] == ""


def test_the_page_shows_each_schedule_and_names_as_text(folder: Path, browser: Any) -> None:
    with page_of(browser, folder / "plan.html") as page:
        assert page.locator("#chosen tbody tr").count() == 3
        wait_for(page, "document.querySelectorAll('#schedules .figure').length === 2")
        assert EVIL in page.locator("#schedules .figure b").nth(1).inner_text()
        page.locator("#schedules").scroll_into_view_if_needed()
        wait_for(page, "document.querySelectorAll('#schedules canvas').length === 2")
        page.locator("#chosen tbody tr").nth(2).click()
        wait_for(page, "document.querySelector('#schedules select').value === '2'")
        assert "\\u202e" in page.locator("#schedules p.name").inner_text()


def test_schedules_of_an_earlier_proposal_go(proposal: Proposal, tmp_path: Path) -> None:
    proposal.write(tmp_path, "en", "s")
    (tmp_path / "schedules" / "own.csv").write_text("of the user")
    replace(proposal, chosen=proposal.chosen[:1]).write(tmp_path, "ja", "s")
    assert {path.name for path in (tmp_path / "schedules").iterdir()} == {"own.csv", f"{proposal.batch[0].name}.csv"}
    assert "学習ケース" in (tmp_path / "plan.html").read_text(encoding="utf-8")


def test_a_small_variation_on_a_large_level_and_long_times_are_written(proposal: Proposal, tmp_path: Path) -> None:
    time = 1e6 + 0.25 * np.arange(4)
    controls = np.array([[1e7], [9999999.83], [10000000.17], [10000001.0]])
    candidates = [replace(item, time=time, controls=controls) for item in proposal.candidates]
    replace(proposal, candidates=candidates, chosen=proposal.chosen[:1]).write(tmp_path, "en", "s")
    lines = next((tmp_path / "schedules").iterdir()).read_text().splitlines()[2:]
    written = ["1000000,10000000", "1000000.25,9999999.83", "1000000.5,10000000.17", "1000000.75,10000001"]
    assert lines == written


def test_a_parameter_has_one_value_in_a_schedule(surrogate: Surrogate) -> None:
    description = surrogate.description
    channels = replace(description.channels, parameters=(EVIL,))
    try:
        surrogate.description = replace(description, channels=channels)
        config = PlanConfig("s", 1, "o", inputs={EVIL: [-1, 1]}, duration=9.0, candidates=3)
        source = supply_of(surrogate, config).source
        assert all(np.ptp(source.make(number).controls) == 0 for number in range(1, 4))
        wrong = replace(config, inputs={EVIL: {"range": [-1, 1], "family": "prbs"}})
        with pytest.raises(UserError, match="constant in a schedule: leave family out"):
            supply_of(surrogate, wrong)
    finally:
        surrogate.description = description


def test_ranges_for_all_controls_need_no_training_cases(surrogate: Surrogate) -> None:
    config = PlanConfig("s", 3, "o", inputs={EVIL: [-1, 1]}, duration=30.0, candidates=5, constraints=["1 < 2"])
    found = propose(surrogate, config, supply_of(surrogate, config))
    assert len(found.candidates) == 5
    assert all(candidate.controls.shape == (31, 1) for candidate in found.candidates)
    assert next(item.place for item in found.chosen) == int(found.unknown.distance.argmax())


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, "give ranges of .* too, or the folder of the training cases"),
        ({"inputs": {EVIL: [-1, 1]}}, "duration: give the seconds of a schedule"),
        ({"inputs": {"u": [-1, 1]}}, "'u' is not among the controls of the surrogate"),
        ({"inputs": {EVIL: [2, 1]}, "duration": 9.0}, "give two numbers, the lower first"),
        ({"inputs": {EVIL: {"file": "x.csv"}}, "duration": 9.0}, "recorded schedules are the user's own"),
    ],
)
def test_candidates_from_nowhere_are_refused(surrogate: Surrogate, keys: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        supply_of(surrogate, PlanConfig("s", output="o", **keys))


def test_rates_must_be_those_of_controls(surrogate: Surrogate) -> None:
    for rates, said in (({EVIL: 0}, "must be more than 0 and finite"), ({"v": 1}, "'v' is not among the controls")):
        with pytest.raises(UserError, match=said):
            rules_of(surrogate, PlanConfig("s", output="o", rates=rates))
