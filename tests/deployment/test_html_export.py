"""The page that runs a surrogate: what it computes, what a user does in it, and what is refused."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import find_chromium, page_of, wait_for
from exported import CHANNELS, MEAN, SMALL, STACKED, STEP, make, with_units

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.schedules import Schedule
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.settings import StartMode
from surrogate_modeling.deployment.export_check import random_cases
from surrogate_modeling.deployment.html import export
from surrogate_modeling.deployment.html.export import Offer, export_html
from surrogate_modeling.surrogate.band import Band, BandScope
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.surrogate.one_unit import UnitSurrogate

needs_browser = pytest.mark.skipif(find_chromium() is None, reason="needs a browser of the Chromium family")
ROWS = 80
HOSTILE = ("</script><script>window.hit=1</script>", "a,\"b'\u202ec", "圧力 & <img src=x onerror=window.hit=1>")
DONE = "variants.every(one => one.result !== null && one.result.finished && one.result.id === one.request) && frame === null"


def banded(surrogate: Surrogate) -> Surrogate:
    count = surrogate.description.sizes.predicted
    scale = surrogate.predicted_scale
    surrogate.band = Band(
        np.array([0.0, 1.5, 20.0]), np.array([[0.1], [0.2], [0.5]]) * scale, np.linspace(1.0, 2.0, count),
        np.array([[0.2], [0.2], [0.4]]) * scale, np.linspace(2.0, 3.0, count), np.linspace(3.0, 4.0, count), cases=20,
    )  # fmt: skip
    return surrogate


def start_of(surrogate: Surrogate, name: str = "case 1", rows: int = ROWS) -> Schedule:
    """A case with predicted columns that the surrogate gives itself."""
    initial, controls = random_cases(surrogate, 1, rows)
    predicted = surrogate.free_run(initial, controls)[0]
    given = initial[0] if len(initial[0]) else np.zeros_like(predicted[:1])
    values = np.hstack((controls[0], np.vstack((given, predicted)))).astype(np.float32)
    channels = surrogate.description.channels
    return Schedule(Case(name, 100.0 + np.arange(len(values)) * STEP, channels.held(values), channels), True)


@pytest.mark.slow
@needs_browser
@pytest.mark.parametrize("name", [*SMALL, *STACKED])
@pytest.mark.parametrize("increment", [False, True])
def test_every_network_is_the_free_run(tmp_path: Path, name: str, increment: bool) -> None:
    surrogate = banded(make(name, increment=increment))
    difference = export_html(surrogate, tmp_path / "a.html", [start_of(surrogate)])
    assert difference is not None
    assert difference.relative < 1e-5


@pytest.mark.slow
@needs_browser
@pytest.mark.parametrize(("name", "start"), [("don", StartMode.rest), ("ssm", StartMode.rest), ("nss", StartMode.row)])
def test_every_start(tmp_path: Path, name: str, start: StartMode) -> None:
    surrogate = make(name, start=start)
    assert export_html(surrogate, tmp_path / "a.html", [start_of(surrogate)]) is not None


@pytest.mark.slow
@needs_browser
def test_units_levels_and_several_rows_at_once(tmp_path: Path) -> None:
    unit = UnitSurrogate(with_units(make("ssm")), "new")
    assert export_html(unit, tmp_path / "unit.html") is not None
    level = make("don", level=1e12)
    assert export_html(level, tmp_path / "level.html", [start_of(level)]) is not None
    several = make("lstm", out_len=3)
    assert export_html(several, tmp_path / "several.html", [start_of(several, rows=70)]) is not None


def hostile() -> Surrogate:
    surrogate = banded(make("nss"))
    units = {"u": "-", HOSTILE[1]: "<b>", HOSTILE[0]: "bar", "T/out": "degC", HOSTILE[2]: "kPa"}
    channels = replace(
        CHANNELS,
        controls=("u", HOSTILE[1]),
        predicted=(HOSTILE[0], "T/out", HOSTILE[2]),
        targets=(HOSTILE[2], HOSTILE[0]),
        units=units,
    )
    surrogate.description = replace(surrogate.description, channels=channels)
    _, controls = random_cases(surrogate, 4, 200)
    cases = [
        Case(
            "a",
            np.arange(len(rows)) * STEP,
            np.hstack((rows, np.tile(MEAN[2:], (len(rows), 1)))).astype(np.float32),
            channels,
        )
        for rows in controls
    ]
    surrogate.training_range.fit(cases, surrogate.scaling, 4)
    return surrogate


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Surrogate, Path]]:
    """A page, and its surrogate; its network is translated once for all tests of this file that do not bring another."""
    surrogate, path = hostile(), tmp_path_factory.mktemp("page") / "plant.html"
    script = export.write_network(surrogate)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "write_network", lambda _: script)
        export_html(surrogate, path, [start_of(surrogate, "</script>case")], check=False)
        yield surrogate, path


@pytest.fixture
def page(browser: Any, exported: tuple[Surrogate, Path]) -> Iterator[Any]:
    with page_of(browser, exported[1], viewport={"width": 1400, "height": 900}) as opened:
        wait_for(opened, DONE)
        yield opened
        assert opened.evaluate("window.hit") is None


def outcome(page: Any, variant: str = "current") -> tuple[np.ndarray, np.ndarray]:
    """Controls (T, C) and predicted rows (H, P) as the page holds them."""
    wait_for(page, DONE)
    controls, predicted = page.evaluate(f"[Array.from({variant}.controls()), Array.from({variant}.result.predicted)]")
    return np.array(controls).reshape(-1, 2), np.array(predicted).reshape(-1, 3)


def drag(page: Any, control: int, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag within the chart of a control, from and to shares of its width and height."""
    box = page.locator(".control .u-over").nth(control).bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=4)
    page.mouse.up()


def check_free_run(surrogate: Surrogate, start: Schedule, controls: np.ndarray, predicted: np.ndarray) -> None:
    initial = start.case.outputs[: surrogate.description.given_rows]
    expected = surrogate.free_run(initial, controls.astype(np.float32))
    assert (np.abs(predicted - expected) / surrogate.predicted_scale).max() < 1e-5


def test_a_dragged_control_changes_the_curve_to_the_free_run(page: Any, exported: tuple[Surrogate, Path]) -> None:
    surrogate, start = exported[0], start_of(exported[0])
    controls, before = outcome(page)
    np.testing.assert_array_equal(controls, start.case.controls)
    drag(page, 0, (0.5, 0.5), (0.5, 0.2))
    shifted, predicted = outcome(page)
    # All rows that are not given are moved by one amount.
    np.testing.assert_array_equal(shifted[:4], controls[:4])
    assert np.ptp(shifted[4:, 0] - controls[4:, 0]) < 1e-9
    assert shifted[5, 0] - controls[5, 0] > 0.1
    check_free_run(surrogate, start, shifted, predicted)
    assert np.abs(predicted - before).max() > 1e-3
    # Steps in a variant beside it; the first stays.
    page.get_by_title("add a variant like this one").click()
    page.locator(".control select").nth(1).select_option("steps")
    points = page.evaluate("current.signals[1].points.length")
    drag(page, 1, (0.33, 0.5), (0.37, 0.1))
    assert page.evaluate("current.signals[1].points.length") in (points, points + 1)
    check_free_run(surrogate, start, *outcome(page))
    assert np.abs(outcome(page)[1] - predicted).max() > 1e-3
    np.testing.assert_array_equal(outcome(page, "variants[0]")[1], predicted)


def test_names_are_text_and_the_band_is_that_of_the_surrogate(page: Any, exported: tuple[Surrogate, Path]) -> None:
    surrogate, start = exported[0], start_of(exported[0])
    heads = page.locator(".card h3").all_inner_texts()
    assert heads[0] == "u"
    assert heads[1] == "a,\"b'\\u202ec [<b>]"
    assert heads[2:] == [f"{HOSTILE[0]} [bar]", f"{HOSTILE[2]} [kPa]"]
    assert page.locator("#start option").all_inner_texts() == ["</script>case"]
    initial, controls = start.case.outputs[:4], start.case.controls
    for scope in BandScope:
        page.locator("#scope").select_option(scope.value)
        lower, upper = page.evaluate("current.edges(1, shownScope).map(edge => Array.from(edge))")
        expected = surrogate.free_run_band(initial, controls, scope=scope)
        np.testing.assert_allclose(np.array(lower[4:]), expected.lower[:, 1], rtol=1e-5)
        np.testing.assert_allclose(np.array(upper[4:]), expected.upper[:, 1], rtol=1e-5)
    # Without a change of the schedule the truth of the case is drawn: here the prediction itself.
    drawn = page.evaluate("outcomeCards[1].chart.values()[2].slice(4)")
    np.testing.assert_allclose(drawn, surrogate.free_run(initial, controls)[:, 2], rtol=1e-5)


def test_a_file_and_a_link_carry_the_schedule(page: Any, exported: tuple[Surrogate, Path], browser: Any) -> None:
    drag(page, 0, (0.5, 0.5), (0.5, 0.3))
    controls, predicted = outcome(page)
    text = page.evaluate("caseText(current)")
    assert text.splitlines()[0].startswith('time,u,"a,""b\'\u202ec"')
    rows = np.array([[float(cell) for cell in line.split(",")] for line in text.splitlines()[2:]])
    np.testing.assert_allclose(rows[:, 0], 100 + STEP * np.arange(len(controls)))
    np.testing.assert_array_equal(rows[:, 1:3].astype(np.float32), controls.astype(np.float32))
    np.testing.assert_allclose(rows[4:, 3:], predicted, rtol=1e-7)
    # Read in again it is a start, with what was predicted as its truth.
    page.locator("#file").set_input_files({"name": "back.csv", "mimeType": "text/csv", "buffer": text.encode()})
    wait_for(page, "current.start.name === 'back'")
    again = outcome(page)
    np.testing.assert_allclose(again[1], predicted, rtol=1e-6, atol=1e-6)
    assert page.evaluate("current.truth !== null")
    link = page.evaluate("linkText(variants)")
    with page_of(browser, exported[1], fragment=link) as other:
        wait_for(other, f"current.start.name === 'back' && {DONE}")
        np.testing.assert_array_equal(outcome(other)[1], again[1])
    with page_of(browser, exported[1], fragment=link[:40]) as other:
        wait_for(other, "!document.getElementById('notice').hidden")
        assert other.locator("#notice").inner_text().startswith("The address holds no schedule")
    bad = text.replace("kPa", "Pa", 1)
    page.locator("#file").set_input_files({"name": "bad.csv", "mimeType": "text/csv", "buffer": bad.encode()})
    wait_for(page, "!document.getElementById('notice').hidden")
    assert "has the unit Pa, the surrogate was trained on kPa" in page.locator("#notice").inner_text()


def test_a_file_with_a_gap_in_time_is_refused_as_by_predict(page: Any) -> None:
    """Up to five usual steps are interpolated over: of the rows 10 to 13, and not of 14 too."""
    lines = page.evaluate("caseText(current)").splitlines()
    read = """lines => {
        try { return readCase("gap", lines.join("\\n")).controls.length; } catch (error) { return error.message; }
    }"""
    assert page.evaluate(read, lines[:12] + lines[16:]) == page.evaluate(read, lines)
    assert page.evaluate(read, lines[:12] + lines[17:]) == (
        "Line 13: 3 s after the row before, the usual step is 0.5 s; interpolating would invent data. "
        "Split the case there."
    )
    # Of an even number of steps the median is the mean of the middle two, as predict takes it.
    assert page.evaluate("median([1, 9, 2, 4])") == 3
    assert page.evaluate("median([5, 1, 4])") == 4


def test_rows_beyond_the_training_range_are_those_of_the_surrogate(page: Any, exported: tuple[Surrogate, Path]) -> None:
    surrogate, start = exported[0], start_of(exported[0])
    high = float(surrogate.scaling.high[0])
    values = start.case.values.copy()
    values[30:40, 0] = 2 * high
    page.evaluate("values => { current.setColumn(0, values); changed(0); }", values[:, 0].tolist())
    outcome(page)
    found = np.array(page.evaluate("Array.from(current.result.positions)"))
    np.testing.assert_allclose(
        found, surrogate.position(Case("a", start.case.time, values, start.case.channels)).rows, rtol=1e-4, atol=2e-4
    )
    assert (found[30:40] >= 1.9).all()
    outside = (found >= 1.005).sum()
    assert (
        page.locator("#status").inner_text()
        == f"{outside} rows are farther from the training cases than these are from each other. Beyond the training range: u."
    )


@pytest.mark.slow
def test_parameters_are_numbers_and_the_page_is_japanese(browser: Any, tmp_path: Path) -> None:
    surrogate = make("nss", start=StartMode.rest)
    surrogate.description = replace(surrogate.description, channels=replace(CHANNELS, parameters=("v/2",)))
    export_html(surrogate, tmp_path / "a.html", offer=Offer(language="ja"), check=False)
    with page_of(browser, tmp_path / "a.html", viewport={"width": 400, "height": 800}, color_scheme="dark") as page:
        wait_for(page, DONE)
        assert page.evaluate("document.documentElement.lang") == "ja"
        assert "サロゲートはこのページの中で動き" in page.locator("#about").inner_text()
        page.locator(".parameter input").fill("310.5")
        controls, predicted = outcome(page)
        assert (controls[:, 1] == 310.5).all()
        expected = surrogate.free_run(np.zeros((0, 3), np.float32), controls.astype(np.float32))
        assert (np.abs(predicted - expected) / surrogate.predicted_scale).max() < 1e-5
        assert page.evaluate("document.documentElement.scrollWidth") <= 400


@needs_browser
def test_only_a_page_that_agrees_is_written(
    tmp_path: Path, exported: tuple[Surrogate, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    surrogate, data = exported[0], export.page_data
    difference = export_html(surrogate, tmp_path / "a.html", [start_of(surrogate)])
    assert difference is not None
    assert difference.standardised < 1e-5
    text = (tmp_path / "a.html").read_text()
    # The cases that it was checked with are not in it but as a start.
    assert 'id="check"' not in text
    assert text.count('"initial":') == 1
    other = make("nss")
    other.description, other.band, other.training_range = (
        surrogate.description,
        surrogate.band,
        surrogate.training_range,
    )
    other.scaling.mean[3] += 1e-3 * other.scaling.scale[3]
    monkeypatch.setattr(export, "page_data", lambda _, *rest: data(other, *rest))
    with pytest.raises(UserError, match=r"the page differs from the surrogate by 0\.001.*it was not written"):
        export_html(surrogate, tmp_path / "b.html")
    other = hostile()
    assert other.band is not None
    other.band = replace(other.band, trajectory_factor=1.001 * other.band.trajectory_factor)
    with pytest.raises(UserError, match=r"the page, with the band of scope trajectory, differs from the surrogate"):
        export_html(surrogate, tmp_path / "b.html")
    assert [path.name for path in tmp_path.iterdir()] == ["a.html"]
