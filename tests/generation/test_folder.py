"""Cases on disk: identical however they are made, resumed, never mixed, reported when they fail."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from filelock import SoftFileLock

from surrogate_modeling.config.part import Part
from surrogate_modeling.generation import folder, pool
from surrogate_modeling.generation.circuit import FAMILY_NAMES, Circuit
from surrogate_modeling.generation.folder import GenerationResult, generate_cases, missing_cases
from surrogate_modeling.generation.pool import Running
from surrogate_modeling.generation.simulator import Outcome, PlanError, Simulator

PLAN = Circuit(
    duration=4.0,
    step=0.1,
    refrigerant="R134a",
    families={"random_steps": 0.3, "pi_control": 0.3, "thermostat": 0.2, "engine": 0.2},
    seed=0,
)


def generate(folder: Path, plan: Simulator = PLAN, count: int = 3, workers: int = 1) -> GenerationResult:
    return generate_cases(folder, plan, count, Running(workers))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cases") / "new"
    result = generate(folder)
    assert result.written == [1, 2, 3]
    assert result.present == []
    assert result.failed == []
    return folder


@pytest.mark.slow
def test_files_do_not_depend_on_workers_or_number_of_cases(made: Path, tmp_path: Path) -> None:
    generate(tmp_path, count=2, workers=2)
    result = generate(tmp_path, workers=2)
    assert result.written == [3]
    assert result.present == [1, 2]
    assert contents(tmp_path) == contents(made)


def test_nothing_is_made_twice_and_no_worker_started(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "COMMAND", ["false"])
    before = contents(made)
    result = generate(made, workers=2)
    assert result.present == [1, 2, 3]
    assert result.written == []
    generate(made, count=1, workers=2)
    assert contents(made) == before


def test_families_are_recorded(made: Path) -> None:
    lines = (made / "families.csv").read_text().splitlines()
    assert lines[0] == "case,family"
    assert [line.split(",")[0] for line in lines[1:]] == ["case0001", "case0002", "case0003"]
    assert {line.split(",")[1] for line in lines[1:]} <= set(FAMILY_NAMES)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"seed": 1}, "seed is 0 there and 1 here"),
        ({"duration": 5.0}, "duration is 4.0 there and 5.0 here"),
        ({"step": 0.2}, "step is 0.1 there"),
        ({"refrigerant": "R1234yf"}, "refrigerant is R134a there and R1234yf here"),
        ({"families": {"engine": 1.0}}, "families is"),
    ],
)
def test_cases_of_another_plan_are_refused(made: Path, change: dict, text: str) -> None:
    before = contents(made)
    with pytest.raises(PlanError, match=text):
        generate(made, replace(PLAN, **change))
    assert contents(made) == before


def test_another_model_version_is_refused(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("surrogate_modeling.generation.circuit.MODEL_VERSION", 999)
    with pytest.raises(PlanError, match="model_version is"):
        generate(made)


def test_cases_of_unknown_origin_are_refused(tmp_path: Path) -> None:
    (tmp_path / "case0001.csv").write_text("time\ns\n0\n")
    with pytest.raises(PlanError, match="not known"):
        generate(tmp_path)
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(PlanError, match="cannot be read"):
        generate(tmp_path)


STUB = """
import sys, time
from pathlib import Path
print('{"reason": ""}', flush=True)
sys.stdin.readline()
tried = Path(__file__).with_name("tried")
for line in sys.stdin:
    number = int(line)
    before = tried.read_text().split() if tried.exists() else []
    tried.write_text(" ".join([*before, str(number)]))
    if number == 2:
        print("out of memory", file=sys.stderr, flush=True)
        sys.exit(1)
    if number == 4:
        time.sleep(60)
    reason = "hot" if number == 3 or (number == 5 and before.count("5") == 0) else ""
    print('{"reason": "%s"}' % reason, flush=True)
"""


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A worker that makes nothing stands in for those of the pool; it notes what it tried beside itself."""
    path = tmp_path / "stub.py"
    path.write_text(STUB)
    monkeypatch.setattr(pool, "COMMAND", [sys.executable, str(path)])
    return path


@pytest.mark.usefixtures("stub")
def test_a_case_that_fails_dies_or_hangs_costs_that_case_only(tmp_path: Path) -> None:
    result = generate_cases(tmp_path / "cases", PLAN, 6, Running(1, timeout=1.0, attempts=2))
    assert result.written == [1, 5, 6]
    assert [(f.number, f.reason) for f in result.failed] == [
        (2, "the process died over this case (exit code 1): out of memory"),
        (3, "hot"),
        (4, "not done after 1 s"),
    ]
    # Twice but for the one that ran out of time; the fifth succeeds the second time.
    assert (tmp_path / "tried").read_text().split() == ["1", "2", "2", "3", "3", "4", "5", "5", "6"]
    assert (tmp_path / "cases" / "failed.csv").read_text().splitlines() == [
        "case,reason", "case0002,the process died over this case (exit code 1): out of memory", "case0003,hot",
        "case0004,not done after 1 s",
    ]  # fmt: skip
    for number in (1, 5, 6):
        (tmp_path / "cases" / f"case{number:04d}.csv").touch()
    assert missing_cases(tmp_path / "cases", range(1, 8), again=False) == [7]
    assert missing_cases(tmp_path / "cases", range(1, 8)) == [2, 3, 4, 7]
    left_out = generate_cases(tmp_path / "cases", PLAN, 6, Running(1), again=False)
    assert (left_out.present, left_out.written) == ([1, 5, 6], [])
    assert [failure.number for failure in left_out.failed] == [2, 3, 4]


@pytest.mark.usefixtures("stub")
def test_parts_fill_one_folder_and_keep_the_failures_of_each_other(tmp_path: Path) -> None:
    parts = [generate_cases(tmp_path / "cases", PLAN, 6, Running(1, 1.0), part=Part(k, 2)) for k in (2, 1)]
    assert [part.written for part in parts] == [[6], [1]]
    assert [[failure.number for failure in part.failed] for part in parts] == [[2, 4], [3, 5]]
    failed = (tmp_path / "cases" / "failed.csv").read_text().splitlines()[1:]
    assert [line[:8] for line in failed] == ["case0002", "case0003", "case0004", "case0005"]
    assert not (tmp_path / "cases" / "failed.csv.lock").exists()
    assert len((tmp_path / "cases" / "families.csv").read_text().splitlines()) == 7


@pytest.mark.usefixtures("stub")
def test_failures_are_listed_as_they_happen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a kill right after each outcome would leave."""
    left, path = [], tmp_path / "cases" / "failed.csv"

    def watched(outcomes: Iterator[Outcome], *_: object, **__: object) -> Iterator[Outcome]:
        for outcome in outcomes:
            yield outcome
            lines = path.read_text().splitlines()[1:] if path.exists() else []
            left.append([line[:8] for line in lines])

    monkeypatch.setattr(folder, "track", watched)
    generate_cases(tmp_path / "cases", PLAN, 3, Running(1))
    assert left == [[], ["case0002"], ["case0002", "case0003"]]


@pytest.mark.usefixtures("stub")
def test_a_list_of_failures_that_another_machine_holds_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(folder, "SECONDS_TO_WAIT", 0.1)
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "failed.csv.lock").write_text("1\nanother-machine\n")
    assert [failure.number for failure in generate_cases(tmp_path / "cases", PLAN, 2, Running(1, 1.0)).failed] == [2]
    assert "failed.csv.lock is held by another process; where there is none any more, remove it" in caplog.text
    assert not (tmp_path / "cases" / "failed.csv").exists()


@pytest.mark.usefixtures("stub")
def test_failures_that_another_process_writes_meanwhile_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another part holds the list until this one waits for it."""
    (tmp_path / "cases").mkdir()
    other = SoftFileLock(tmp_path / "cases" / "failed.csv.lock")
    other.acquire()

    def wait_and_let_go(text: str, *_: object) -> None:
        if "waiting" in text.lower() or "not acquired" in text.lower():
            (tmp_path / "cases" / "failed.csv").write_text("case,reason\ncase0009,cold\n")
            other.release()

    monkeypatch.setattr(logging.getLogger("filelock"), "debug", wait_and_let_go)
    generate_cases(tmp_path / "cases", PLAN, 2, Running(1, 1.0))
    lines = (tmp_path / "cases" / "failed.csv").read_text().splitlines()[1:]
    assert [line[:8] for line in lines] == ["case0002", "case0009"]


def test_a_case_that_is_there_has_not_failed(made: Path) -> None:
    """A part that made it was killed before it could say so."""
    (made / "failed.csv").write_text("case,reason\ncase0002,hot\n")
    again = generate_cases(made, PLAN, 3, Running(1), again=False)
    assert (again.present, again.failed) == ([1, 2, 3], [])
    assert (made / "failed.csv").exists()
    generate(made)
    assert not (made / "failed.csv").exists()


def test_a_complete_folder_may_be_read_only(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(f"{path} is written")

    monkeypatch.setattr(folder, "write_atomic", refuse)
    assert generate(made).present == [1, 2, 3]


def test_nothing_but_failures_ends_the_run(tmp_path: Path, stub: Path) -> None:
    stub.write_text(STUB.replace("number == 3", "True").replace("number == 2", "False").replace("number == 4", "False"))
    with pytest.raises(PlanError, match="the first 10 cases all failed, the last of them: hot"):
        generate(tmp_path / "cases", count=1000)
    assert len((tmp_path / "cases" / "failed.csv").read_text().splitlines()) == 11


@pytest.mark.parametrize(("count", "workers", "text"), [(0, 1, "there is no case to make"), (3, 0, "workers = 0")])
def test_nothing_to_do_or_nobody_to_do_it(tmp_path: Path, count: int, workers: int, text: str) -> None:
    with pytest.raises(PlanError, match=text):
        generate(tmp_path, count=count, workers=workers)


def test_workers_that_cannot_start_are_an_error_not_a_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "COMMAND", [sys.executable, "-c", "raise SystemExit('no disk')"])
    with pytest.raises(pool.WorkerError, match="while starting: no disk"):
        generate(tmp_path, workers=2)


# Ctrl-C is ignored by what a shell starts in the background, these tests perhaps among it.
SCRIPT = """
import json, signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)
from surrogate_modeling.generation.circuit import Circuit
from surrogate_modeling.generation.folder import generate_cases
from surrogate_modeling.generation.pool import Running
generate_cases(Path(sys.argv[1]), Circuit(**json.loads(sys.argv[2])), 400, Running(2))
"""


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.slow
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_is_finished_by_running_it_again(tmp_path: Path, made: Path, kind: signal.Signals) -> None:
    arguments = [sys.executable, "-c", SCRIPT, str(tmp_path), json.dumps(asdict(PLAN))]
    process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 60.0
    while len(list(tmp_path.glob("case*.csv"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(kind)
    process.wait(timeout=20.0)
    time.sleep(0.5)  # orphaned workers end with the case they are in
    count = len(list(tmp_path.glob("case*.csv")))
    assert 3 <= count < 400
    time.sleep(0.5)
    assert len(list(tmp_path.glob("case*.csv"))) == count
    result = generate(tmp_path, count=count + 1)
    assert not result.failed
    files = contents(tmp_path)
    assert not [name for name in files if name.endswith(".tmp")]
    for name, content in contents(made).items():
        if name.startswith("case"):
            assert files[name] == content
    assert json.loads(files["plan.json"])["seed"] == 0
