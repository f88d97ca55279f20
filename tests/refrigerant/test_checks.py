"""The report of checks: short in the default run, in full as a slow test."""

import pytest

from surrogate_modeling.refrigerant import checks


@pytest.mark.slow
def test_short_report_passes() -> None:
    rows = [*checks.check_cases("R1234yf", 3, 120.0, 0), *checks.check_integrators("R134a", 30.0)]
    assert [row for row in rows if not row.passed] == []
    assert len(rows) == 6


def test_steady_state_passes() -> None:
    assert [row for row in checks.check_steady_state("R134a") if not row.passed] == []


@pytest.mark.slow
def test_full_report_passes() -> None:
    report = checks.run_checks(cases=60)
    assert report.passed, str(report)


def test_a_failed_check_shows_in_the_table() -> None:
    report = checks.CheckReport((checks.Check("a", "1", "2", True), checks.Check("long name", "3", "4", False)))
    assert not report.passed
    assert str(report).splitlines() == [
        "check      figure  limit",
        "a          1       2      ok",
        "long name  3       4      FAILED",
    ]
