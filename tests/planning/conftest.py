"""A surrogate to begin rounds with, and a simulator and files that can be the last thing a process does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lag import make, settings
from plan_rounds import Killed, write

from surrogate_modeling.cases.fingerprint import file_fingerprint
from surrogate_modeling.generation.simulator import Outcome, case_name
from surrogate_modeling.planning import loop as loop_module
from surrogate_modeling.planning import training
from surrogate_modeling.surrogate.lineage import LineageStep
from surrogate_modeling.surrogate.model import Surrogate


@pytest.fixture
def first(tmp_path: Path) -> Surrogate:
    """A surrogate of cases 1 to 4 of the lag, of which the last one is the test."""
    surrogate, _, _ = make(settings())
    for number in range(1, 5):
        write(tmp_path / "old", number)
    files = sorted((tmp_path / "old").iterdir())
    parts = {"training": {"case0001": None, "case0002": None}, "validation": {"case0003": None},
             "test": {"case0004": None}}  # fmt: skip
    step = LineageStep("trained", str(tmp_path / "old"), "*.csv", 4, file_fingerprint(files), parts)
    surrogate.lineage, surrogate.config = (step,), {"some": "thing"}
    return surrogate


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Callable[[int | None], list[str]]:
    """Replaces simulator and training by quick ones; every step that leaves something can be the last."""
    done: list[str] = []
    limit: list[int | None] = [None]

    def step(name: str) -> None:
        if limit[0] is not None and len(done) >= limit[0]:
            raise Killed
        done.append(name)

    def simulate(dataset: object, folder: Path, numbers: list[int]) -> list[Outcome]:
        for number in numbers:
            if not (folder / f"{case_name(number)}.csv").exists():
                step(case_name(number))
                write(folder, number)
        return []

    writers = [(loop_module, "write_atomic"), (training, "copy_cases_one"), (Surrogate, "save")]
    for place, name in writers:
        if not hasattr(place, name):
            continue
        real = getattr(place, name)

        def stepping(*given: Any, real: Any = real, name: str = name, **keys: Any) -> Any:
            step(name)
            return real(*given, **keys)

        monkeypatch.setattr(place, name, stepping)
    monkeypatch.setattr(loop_module, "make_numbered", simulate)

    def begin(most: int | None) -> list[str]:
        done.clear()
        limit[0] = most
        return done

    return begin
