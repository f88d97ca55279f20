"""The report of a run: its numbers by hand, and as a browser shows them."""

import html
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import page_of
from finished_run import EVIL, GIVEN, RIGHT_TO_LEFT, run_facts, write_overrides

from surrogate_modeling.evaluation.portfolio_report import PortfolioTable, write_portfolio
from surrogate_modeling.pages.embedding import unpack16
from surrogate_modeling.reporting.content import KEPT_FILE, Content, read_kept, write_page
from surrogate_modeling.reporting.content import page_of as html_of
from surrogate_modeling.reporting.run_report import run_content
from surrogate_modeling.tracking.journal import append


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> Content:
    folder = tmp_path_factory.mktemp("run")
    write_overrides(folder, "dataset=csv", "dataset.path=cases", "dataset.controls=1", "model=ssm", "settings=quick")
    facts = run_facts()
    errors, weights = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]), np.array([[0.25, 0.75, 1.0], [0.75, 0.25, 0.0]])
    write_portfolio(folder, PortfolioTable(["quadratic", "ssm"], errors, weights), facts.scored.scores.channels)
    append(folder, {"op": "start", "time": 0, "experiment": "e", "name": "n", "tags": {"run_key": "k"}})
    for step, loss in enumerate((1.0, 0.5, 0.25)):
        append(folder, {"op": "metrics", "time": 1, "values": {"val_loss": loss, "train_loss": loss}, "step": step})
    return run_content(folder, facts)


@pytest.fixture(scope="module")
def written(content: Content, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(tmp_path_factory.mktemp("page"), content, "en")


def test_what_is_kept_makes_the_same_page_again(written: Path) -> None:
    kept = read_kept(written.parent / KEPT_FILE)
    assert html_of(kept, "en") == written.read_text(encoding="utf-8")
    assert html_of(kept, "ja") != written.read_text(encoding="utf-8")


def test_errors_are_those_of_the_scores(content: Content) -> None:
    np.testing.assert_allclose(content["scores"]["ade"], [[0.25] * 3, [0.5] * 3], rtol=1e-5)
    assert content["scores"]["nade"] == pytest.approx(0.375, rel=1e-5)
    np.testing.assert_allclose(content["scores"]["baselines"]["linear"]["ade"], [0.4] * 3, rtol=1e-5)


def test_curves_are_those_of_the_case(content: Content) -> None:
    meta, block = content["curves"][1], content["blocks"][1]
    curves = unpack16(block, np.array(meta["low"]), np.array(meta["high"]))
    case = run_facts().scored.cases[1]
    assert (meta["rows"], meta["given"], meta["whole"]) == (61, GIVEN, True)
    np.testing.assert_allclose(curves[0], case.controls[:, 0], atol=1e-4)
    np.testing.assert_allclose(curves[1:4], case.outputs.T, atol=1e-3)
    assert np.isnan(curves[4:, :GIVEN]).all()
    np.testing.assert_allclose(curves[4:7, GIVEN:], case.outputs.T[:, GIVEN:] + 0.5, atol=1e-3)
    # Half-widths of rows and of trajectories; that of all targets is twice the latter.
    np.testing.assert_allclose(curves[7:10, GIVEN:], 0.5, atol=1e-4)
    np.testing.assert_allclose(curves[10:13, GIVEN:], 1.0, atol=1e-4)
    assert content["all_targets_ratio"] == [2.0, 2.0, 2.0]
    assert meta["outside"] == [[20, 60]]


def until(page: Any, expression: str) -> None:
    """Wait for a condition; the page's own policy forbids Playwright's way, which evaluates a text in it."""
    deadline = time.monotonic() + 120
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, expression
        page.wait_for_timeout(30)


@pytest.fixture(scope="module")
def opened(browser: Any, written: Path) -> Iterator[Any]:
    with page_of(browser, written, viewport={"width": 1400, "height": 900}) as page:
        page.wait_for_selector("#case-charts .chart canvas")
        yield page


def test_the_page_shows_the_numbers_of_the_run(opened: Any) -> None:
    numbers = opened.eval_on_selector_all("[data-number]", "found => found.map(e => [e.dataset.number, e.textContent])")
    # Of 0.25 and 0.5 the mean is 0.375 kPa in both targets, and 0.4 / 0.375 = 1.07.
    assert dict(numbers) == {
        "number_worst": "0.375 <kPa>", "number_median": "0.375 <kPa>", "number_times": "1.07×",
        "number_real_time": "5000×",
    }  # fmt: skip
    cells = opened.eval_on_selector_all("#targets tbody tr:first-child td", "found => found.map(e => e.textContent)")
    assert cells[:7] == ["圧力 & <b>", "<kPa>", "0.375", "0.375", "0.375", "3", "0.4"]
    assert "Better than every baseline" in opened.text_content("#verdict")


def test_hostile_names_are_text(opened: Any) -> None:
    assert opened.evaluate("window.xss") is None
    assert opened.text_content("h1") == f"run of {EVIL}"
    options = opened.eval_on_selector_all("#case option", "found => found.map(e => e.textContent)")
    assert options == ["a\\u202ereversed · nADE 0.5", f"{EVIL} · nADE 0.25"]
    assert RIGHT_TO_LEFT not in opened.inner_text("body")
    assert f"a warning of {EVIL}" in opened.text_content("#data")


def test_any_column_is_found_and_a_case_is_one_click_away(opened: Any) -> None:
    figures = "#case-charts .figure"
    assert opened.locator(figures).count() == 2
    opened.fill("#column-search", "</SCRIPT")
    until(opened, f"document.querySelectorAll('{figures}').length === 1")
    assert opened.text_content(f"{figures} header b") == f"{EVIL} [<kPa>]"
    assert opened.text_content(f"{figures} .live") == "ADE 0.5, FDE 0.5"
    opened.select_option("#case", label=f"{EVIL} · nADE 0.25")
    until(opened, f"document.querySelector('{figures} .live').textContent === 'ADE 0.25, FDE 0.25'")
    opened.fill("#column-search", "")
    until(opened, f"document.querySelectorAll('{figures}').length === 2")


def test_members_and_learning_curves_are_those_of_the_run(opened: Any, content: Content) -> None:
    assert content["training"]["curves"]["val_loss"] == [[0, 1, 2], [1.0, 0.5, 0.25]]
    lines = opened.eval_on_selector_all(
        "#training tbody tr", "found => found.map(e => e.innerText.split(/\\s+/).filter(Boolean))"
    )
    # Means over the two targets.
    assert ["quadratic", "0.15", "0.5"] in lines
    assert ["ssm", "0.45", "0.5"] in lines


def test_zooming_one_chart_zooms_all(opened: Any) -> None:
    until(opened, "CASES.zoom.charts.size === 2")
    shown = "[...CASES.zoom.charts].map(chart => [chart.scales.x.min, chart.scales.x.max])"
    assert [low for low, _ in opened.evaluate(shown)] == [0, 0]
    opened.evaluate("[...CASES.zoom.charts][0].setScale('x', {min: 10, max: 30})")
    until(opened, "[...CASES.zoom.charts].every(chart => chart.scales.x.min !== 0)")
    assert opened.evaluate(shown) == [[10, 30], [10, 30]]


def test_the_curves_on_the_page_are_those_of_the_run(opened: Any, content: Content) -> None:
    shown = opened.evaluate("curvesOf(1).then(data => [Array.from(data.time), Array.from(data.curves[4])])")
    meta = content["curves"][1]
    curves = unpack16(content["blocks"][1], np.array(meta["low"]), np.array(meta["high"]))
    np.testing.assert_allclose(np.array(shown[0]), np.arange(61.0), atol=1e-9)
    np.testing.assert_allclose(np.array(shown[1], dtype=float), curves[4], atol=1e-9)


def test_every_section_is_drawn_on_a_narrow_dark_screen_in_japanese(
    browser: Any, content: Content, tmp_path: Path
) -> None:
    written = write_page(tmp_path, content, "ja")
    with page_of(browser, written, viewport={"width": 400, "height": 800}, color_scheme="dark") as page:
        for top in range(0, page.evaluate("document.documentElement.scrollHeight"), 600):
            page.evaluate(f"scrollTo({{top: {top}, behavior: 'instant'}})")
            page.wait_for_timeout(20)
        # Two targets; map, error over time and over distance, truth and prediction.
        until(page, "document.querySelectorAll('#case-charts canvas').length === 2")
        until(page, "document.querySelectorAll('#errors canvas').length === 4")
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        assert "次に:" in page.inner_text("#verdict")


@pytest.mark.slow
def test_it_works_in_a_sandboxed_frame_as_in_mlflow(browser: Any, written: Path, tmp_path: Path) -> None:
    source = html.escape(written.read_text(encoding="utf-8"), quote=True)
    outer = tmp_path / "outer.html"
    frame = f'<iframe sandbox="allow-scripts" style="width:1200px;height:900px" srcdoc="{source}"></iframe>'
    outer.write_text(f"<!doctype html><meta charset=utf-8>{frame}", encoding="utf-8")
    with page_of(browser, outer, viewport={"width": 1300, "height": 1000}) as page:
        inner = page.frames[1]
        inner.click("nav a[href='#cases']")
        inner.wait_for_selector("#case-charts .chart canvas")
        before = inner.evaluate("document.documentElement.dataset.theme")
        inner.click(".theme")
        assert inner.evaluate("document.documentElement.dataset.theme") != before


@pytest.mark.slow
def test_a_page_of_many_cases_and_columns_opens(browser: Any, tmp_path: Path) -> None:
    facts = run_facts(tuple(f"case{i}" for i in range(200)), rows=1200, predicted=60)
    written = write_page(tmp_path, run_content(tmp_path, facts), "en")
    with page_of(browser, written) as page:
        page.wait_for_selector("#case-charts .chart canvas", timeout=60_000)
        assert page.locator("#case-charts .chart canvas").count() > 0


def test_a_page_of_usual_size_is_small(tmp_path: Path) -> None:
    facts = run_facts(tuple(f"case{i}" for i in range(15)), rows=600, predicted=45)
    assert write_page(tmp_path, run_content(tmp_path, facts), "en").stat().st_size < 5_000_000
