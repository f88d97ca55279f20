"""Asking a training to end: by its file, and by the first Ctrl-C; the second interrupts."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from surrogate_modeling.common import early_end


@pytest.fixture(autouse=True)
def interrupts() -> Iterator[None]:
    """Python's own handler of Ctrl-C, whatever the tests run under."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press() -> None:
    """Press Ctrl-C, and give the handler its time."""
    os.kill(os.getpid(), signal.SIGINT)
    threading.Event().wait(0.02)


def test_the_file_is_in_the_folder_of_the_run_for_each_folder_of_checkpoints(tmp_path: Path) -> None:
    own = tmp_path / "stop"
    for folder in (tmp_path, tmp_path / "checkpoints", tmp_path / "checkpoints" / "nss" / "fold1"):
        assert early_end.stop_file(folder) == own
    # The nearest one counts, whatever lies above the run.
    assert early_end.stop_file(Path("/checkpoints/run/checkpoints/member1")) == Path("/checkpoints/run/stop")


def test_who_asked(tmp_path: Path) -> None:
    assert not early_end.is_asked(tmp_path)
    assert early_end.asked_by(tmp_path) is None
    (tmp_path / "stop").touch()
    assert early_end.is_asked(tmp_path / "checkpoints")
    assert early_end.asked_by(tmp_path) == "the file stop"
    early_end.ask(tmp_path, "a person")
    assert early_end.asked_by(tmp_path) == "a person"
    early_end.take_back(tmp_path)
    early_end.take_back(tmp_path)
    assert not early_end.is_asked(tmp_path)
    (tmp_path / "stop").mkdir()
    assert early_end.asked_by(tmp_path) == "the file stop"


def test_the_first_interrupt_asks_and_the_second_interrupts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    now = [100.0]
    monkeypatch.setattr(early_end.time, "monotonic", lambda: now[0])

    def train() -> None:
        """Three signals, two presses."""
        with early_end.ended_when_asked(tmp_path, by_interrupt=True):
            press()
            assert early_end.asked_by(tmp_path) == "Ctrl-C"
            now[0] += 0.9  # passed on by a launcher: the same press
            press()
            now[0] += 0.2
            press()
            pytest.fail("the second press did not interrupt")

    with pytest.raises(KeyboardInterrupt):
        train()
    assert "Ctrl-C again interrupts at once" in capfd.readouterr().err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    # A run that was killed was still asked to end.
    assert early_end.is_asked(tmp_path)


def test_after_training_the_file_is_gone_and_the_first_press_interrupts(tmp_path: Path) -> None:
    with early_end.ended_when_asked(tmp_path, by_interrupt=True):
        press()
    assert not early_end.is_asked(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        press()


def test_where_nothing_is_to_be_kept_the_first_press_interrupts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level("INFO"),
        pytest.raises(KeyboardInterrupt),
        early_end.ended_when_asked(tmp_path, by_interrupt=False),
    ):
        press()
    assert not early_end.is_asked(tmp_path)
    assert caplog.messages == [
        f"pdm run finish run={tmp_path}: training ends after its epoch; then the run is tested, reported and saved"
    ]


def test_a_file_that_cannot_be_written_interrupts(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), early_end.ended_when_asked(tmp_path / "nowhere", by_interrupt=True):
        press()


def test_ignored_interrupts_stay_ignored_and_threads_have_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def train() -> None:
        """As a trial in a thread."""
        with early_end.ended_when_asked(tmp_path, by_interrupt=True):
            pass

    with caplog.at_level("INFO"):
        thread = threading.Thread(target=train)
        thread.start()
        thread.join()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with early_end.ended_when_asked(tmp_path, by_interrupt=True):
            press()
    assert not early_end.is_asked(tmp_path)
    assert [message.startswith("pdm run finish") for message in caplog.messages] == [True, True]
