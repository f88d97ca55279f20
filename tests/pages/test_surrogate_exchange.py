"""Schedules read by the page of a surrogate: the script alone, in an empty page of a browser."""

from collections.abc import Sequence
from typing import Any

from browser import page_of

from surrogate_modeling.pages.rendering import asset

# What the other scripts of the page bring: a surrogate of a step of 1 s that starts from two rows.
AROUND = """
const DATA = { step: 1, decimation: "mean", given: 2, scaling: { offset: "" } }, IN_LEN = 2, MAX_ROWS = 1e5;
const CONTROLS = [{ name: "u", unit: "-" }, { name: "L", unit: "mm", parameter: true }];
const PREDICTED = [{ name: "y", unit: "-", target: true }];
const t = (key, values) => `${key} ${Object.values(values).join(" ")}`, shown = name => name, num = String;
const startOf = start => start, decoded = () => [0];
"""
READ = """text => {
    try { const { controls, initial } = readCase("a", text); return [[...controls], [...initial]]; }
    catch (error) { return error.message; }
}"""


def read(browser: Any, lines: Sequence[str]) -> Any:
    """Controls, row by row, and initial rows of the lines below names and units, or the refusal."""
    with page_of(browser) as page:
        # Joined, as what is added to markup is escaped.
        page.add_script_tag(content="".join((AROUND, asset("surrogate_exchange.js"))))
        return page.evaluate(READ, "\n".join(("time,u,L,y", "s,-,mm,-", *lines)))


def test_a_parameter_is_constant_though_means_of_it_are_rounded(browser: Any) -> None:
    """0.1 summed ten times is not ten times 0.1, summed five times it is five times 0.1."""
    assert sum([0.1] * 10) / 10 != sum([0.1] * 5) / 5
    lines = [f"{row / 10},3,0.1,2" for row in range(31)]
    (controls, initial) = read(browser, lines)
    assert controls == [3, 0.1] * 4
    assert initial == [2, 2]
    # One row that differs, of 31.
    assert read(browser, [*lines[:12], "1.2,3,0.2,2", *lines[13:]]) == "csv_parameter L"


def test_a_mean_that_lacks_rows_is_not_one_to_start_from(browser: Any) -> None:
    """Rows every 0.25 s: the mean at 0 s is of those to 0.25 s, that at 1 s of those from 0.5 to 1.25 s."""

    def given_to(last: float) -> Any:
        times = [0.25 * row for row in range(17)]
        return read(browser, [f"{time},1,10,{time if time <= last else ''}" for time in times])

    controls = [1, 10] * 5
    for last in (1.25, 2.0, 4.0):
        assert given_to(last) == [controls, [0.125, 0.875]]
    assert given_to(1.0) == "csv_given_mean y 2 1.5"
    assert given_to(0.0) == "csv_given_mean y 2 1.5"
