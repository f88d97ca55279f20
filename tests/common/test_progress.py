"""Progress: items pass through unchanged, with a bar on a terminal and plain lines elsewhere."""

import io
import logging
import sys
from itertools import count

import pytest

from surrogate_modeling.common import progress
from surrogate_modeling.common.progress import track, track_share


class Screen(io.StringIO):
    """A terminal that remembers."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("bar", [True, False])
@pytest.mark.parametrize("screen", [Screen(), io.StringIO()], ids=["terminal", "pipe"])
def test_items_pass_through_in_order(monkeypatch: pytest.MonkeyPatch, screen: io.StringIO, bar: bool) -> None:
    monkeypatch.setattr(sys, "stderr", screen)
    assert list(track(iter("abc"), 3, "reading", bar)) == ["a", "b", "c"]
    assert list(track([], 0, "reading", bar)) == []
    drawn = screen.isatty() and bar
    assert ("reading" in screen.getvalue()) is drawn
    assert ("3/3" in screen.getvalue()) is drawn
    screen.truncate(0)


def test_plain_lines_every_few_seconds(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    clock = count(step=2.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with caplog.at_level(logging.INFO):
        assert len(list(track(range(6), 6, "reading cases"))) == 6
    # Items end at 2, 4, 6 s: a line at 6 s. After the first, two took 4 s, so three more take 6 s.
    assert caplog.messages[0] == "reading cases: 3 of 6, about 6 s left"


def test_what_was_done_before_counts_but_takes_no_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    assert len(list(track(range(2), 9, "simulating", done=7))) == 2
    assert "9/9" in screen.getvalue()
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    clock = count(step=6.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with caplog.at_level(logging.INFO):
        assert len(list(track(range(2), 9, "simulating", done=7))) == 2
    assert caplog.messages == ["simulating: 9 of 9, about 0 s left"]


def test_nothing_is_taken_before_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    taken = []
    passing = track((taken.append(i) or i for i in range(3)), 3, "x")
    assert taken == []
    next(passing)
    assert taken == [0]


def test_an_error_within_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Screen())

    def broken() -> object:
        yield 1
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        list(track(broken(), 2, "x"))  # type: ignore[arg-type]


def test_the_share_of_a_long_thing_is_said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    clock = count(step=2.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with caplog.at_level(logging.INFO):
        assert list(track_share([20, 40, 60, 80, 100], lambda part: part / 100, "log.csv")) == [20, 40, 60, 80, 100]
    # Pieces end at 2, 4, 6 s: 60 % took 6 s, so 40 % take 4 s; nothing is said at the end.
    assert caplog.messages == ["log.csv: 60 %, about 4 s left"]
