"""Signals of a process of its own: what was interrupted where, and that no lock stays behind."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
import sqlalchemy

from surrogate_modeling.common.interruption import interrupt, terminated_as_interrupt

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


def interrupted(action: Callable[..., object], *arguments: object) -> None:
    """An action that sends this process a signal, and the time in which the interrupt must come."""
    action(*arguments)
    threading.Event().wait(10)


@pytest.mark.parametrize("number", SIGNALS)
def test_both_signals_interrupt_and_the_handlers_are_put_back(number: signal.Signals) -> None:
    outer = signal.signal(number, signal.default_int_handler)
    before = [signal.getsignal(each) for each in SIGNALS]
    with pytest.raises(KeyboardInterrupt), terminated_as_interrupt():
        interrupted(os.kill, os.getpid(), number)
    assert [signal.getsignal(each) for each in SIGNALS] == before
    signal.signal(number, outer)


def test_what_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with terminated_as_interrupt():
            os.kill(os.getpid(), signal.SIGINT)
            threading.Event().wait(0.1)
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) is interrupt
    finally:
        signal.signal(signal.SIGINT, before)


class Interrupting(logging.Handler):
    """Sends the signal while the handler's lock is held."""

    def __init__(self) -> None:
        super().__init__()
        self.done = False

    def emit(self, record: logging.LogRecord) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000):  # places where Python would run the signal's handler
            record.getMessage()
        self.done = True


def test_a_record_being_logged_is_logged_before_the_interrupt() -> None:
    logger, handler = logging.Logger("interrupted"), Interrupting()
    logger.addHandler(handler)
    with pytest.raises(KeyboardInterrupt), terminated_as_interrupt():
        interrupted(logger.warning, "a line")
    assert handler.done
    free: list[bool] = []
    other = threading.Thread(target=lambda: free.append(bool(handler.lock and handler.lock.acquire(timeout=5))))
    other.start()
    other.join()
    assert free == [True]


def test_what_is_being_written_into_a_study_is_written_before_the_interrupt(tmp_path: Path) -> None:
    storage = optuna.storages.RDBStorage(f"sqlite:///{tmp_path}/studies.db")
    study_id, written = optuna.create_study(storage=storage)._study_id, list[bool]()

    def commit(_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        for number in range(1000):  # places where Python would run the signal's handler
            str(number)
        written.append(True)

    sqlalchemy.event.listen(storage.engine, "commit", commit, once=True)
    with pytest.raises(KeyboardInterrupt), terminated_as_interrupt():
        interrupted(storage.set_study_user_attr, study_id, "a", 1)
    assert written == [True]
    assert storage.get_study_user_attrs(study_id) == {"a": 1}


def test_a_module_being_imported_is_imported_before_the_interrupt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_imported.py").write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\nfor _ in range(1000): str(_)\ncomplete = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(KeyboardInterrupt), terminated_as_interrupt():
        interrupted(__import__, "half_imported")
    assert sys.modules.pop("half_imported").complete


def test_an_event_being_set_is_set_before_the_interrupt() -> None:
    """The handler runs between the bytes of ``Event.set`` at the latest here: its lock is free afterwards."""
    event = threading.Event()
    code = threading.Event.set.__code__

    def trace(frame, what, _argument):  # type: ignore[no-untyped-def]
        if frame.f_code is code and what == "line":
            sys.settrace(None)
            os.kill(os.getpid(), signal.SIGTERM)
        return trace

    def traced() -> None:
        sys.settrace(trace)
        event.set()

    with pytest.raises(KeyboardInterrupt), terminated_as_interrupt():
        interrupted(traced)
    assert event.is_set()
    event.clear()
