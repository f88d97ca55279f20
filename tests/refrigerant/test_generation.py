"""Cases on disk: identical however they are made, resumed, never mixed, reported when they fail."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from surrogate_modeling.refrigerant import pool as workers
from surrogate_modeling.refrigerant.generation import generate_cases
from surrogate_modeling.refrigerant.plan import FAMILY_NAMES, CasePlan, PlanError

PLAN = CasePlan(
    cases=3,
    duration=4.0,
    step=0.1,
    refrigerant="R134a",
    families={"random_steps": 0.3, "pi_control": 0.3, "thermostat": 0.2, "engine": 0.2},
    seed=0,
)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cases") / "new"
    result = generate_cases(folder, PLAN, workers=1)
    assert result.written == [1, 2, 3]
    assert result.present == []
    assert result.failed == []
    return folder


@pytest.mark.slow
def test_files_do_not_depend_on_workers_or_number_of_cases(made: Path, tmp_path: Path) -> None:
    generate_cases(tmp_path, replace(PLAN, cases=2), workers=2)
    result = generate_cases(tmp_path, PLAN, workers=2)
    assert result.written == [3]
    assert result.present == [1, 2]
    assert contents(tmp_path) == contents(made)


def test_nothing_is_made_twice_and_no_worker_started(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "COMMAND", ["false"])
    before = contents(made)
    result = generate_cases(made, PLAN, workers=2)
    assert result.present == [1, 2, 3]
    assert result.written == []
    generate_cases(made, replace(PLAN, cases=1), workers=2)
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
        generate_cases(made, replace(PLAN, **change), workers=1)
    assert contents(made) == before


def test_another_model_version_is_refused(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("surrogate_modeling.refrigerant.plan.MODEL_VERSION", 999)
    with pytest.raises(PlanError, match="model_version is"):
        generate_cases(made, PLAN, workers=1)


def test_cases_of_unknown_origin_are_refused(tmp_path: Path) -> None:
    (tmp_path / "case0001.csv").write_text("time\ns\n0\n")
    with pytest.raises(PlanError, match="not known"):
        generate_cases(tmp_path, PLAN, workers=1)
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(PlanError, match="cannot be read"):
        generate_cases(tmp_path, PLAN, workers=1)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"cases": 0}, "cases = 0"),
        ({"seed": -1}, "seed = -1"),
        ({"step": 0.15}, "multiple of 0.1"),
        ({"duration": 0.05}, "positive multiple of the step"),
        ({"duration": float("nan")}, "positive multiple of the step"),
        ({"refrigerant": "R12"}, "R134a, R1234yf"),
        ({"families": {"engin": 1.0}}, "engin unknown"),
        ({"families": {"engine": 0.0}}, "above 0"),
    ],
)
def test_impossible_plans_are_refused(change: dict, text: str) -> None:
    with pytest.raises(PlanError, match=text):
        replace(PLAN, **change)


def test_a_worker_that_dies_costs_its_case_only(tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub = tmp_path / "stub.py"
    stub.write_text(
        "import sys\n"
        'print(\'{"reason": "", "state": {}}\', flush=True); sys.stdin.readline()\n'
        "for line in sys.stdin:\n"
        "    if line.strip() == '2': sys.exit(1)\n"
        "    reason = 'hot' if line.strip() == '3' else ''\n"
        '    print(\'{"reason": "%s", "state": {"bar": 40.0}}\' % reason, flush=True)\n'
    )
    monkeypatch.setattr(workers, "COMMAND", [sys.executable, str(stub)])
    result = generate_cases(tmp_path / "cases", PLAN, workers=1)
    assert result.written == [1]
    assert [(f.number, f.reason, f.state) for f in result.failed] == [
        (2, "the worker process died over this case", {}),
        (3, "hot", {"bar": 40.0}),
    ]


def test_workers_that_cannot_start_are_an_error_not_a_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "COMMAND", [sys.executable, "-c", "raise SystemExit(3)"])
    with pytest.raises(workers.WorkerError, match="while starting"):
        generate_cases(tmp_path, PLAN, workers=2)


# Ctrl-C is ignored by what a shell starts in the background, these tests perhaps among it.
SCRIPT = """
import json, signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)
from surrogate_modeling.refrigerant.generation import generate_cases
from surrogate_modeling.refrigerant.plan import CasePlan
generate_cases(Path(sys.argv[1]), CasePlan(**json.loads(sys.argv[2])), workers=2)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.slow
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_is_finished_by_running_it_again(tmp_path: Path, made: Path, kind: signal.Signals) -> None:
    plan = replace(PLAN, cases=400)
    arguments = [sys.executable, "-c", SCRIPT, str(tmp_path), plan.to_json()]
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
    result = generate_cases(tmp_path, replace(plan, cases=count + 1), workers=1)
    assert not result.failed
    files = contents(tmp_path)
    assert not [name for name in files if name.endswith(".tmp")]
    for name, content in contents(made).items():
        if name.startswith("case"):
            assert files[name] == content
    assert json.loads(files["plan.json"])["seed"] == 0
