"""Programs as simulators: what they are given, what is read back, and what a failing one leaves."""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from surrogate_modeling.config.dataset import CommandConfig
from surrogate_modeling.generation.command import Command, plan_command
from surrogate_modeling.generation.folder import generate_cases
from surrogate_modeling.generation.pool import Running
from surrogate_modeling.generation.simulator import CaseFailed, CaseTable, PlanError, edited_files

# Reads inputs.csv and deck.txt, and writes twice the input plus the parameter.
PROGRAM = """
import sys
from pathlib import Path
lines = [line.split(",") for line in Path("inputs.csv").read_text().splitlines()]
assert lines[0] == ["time", "u", "mass"] and lines[1] == ["s", "%", "kg"], lines[:2]
offset = float(Path("deck.txt").read_text().split("=")[1])
rows = [f"{t},{2 * float(u) + offset}" for t, u, mass in lines[2:]]
Path("out").mkdir()
Path("out/result.csv").write_text("time,y\\ns,bar\\n" + "\\n".join(rows[::int(sys.argv[1])]) + "\\n")
"""


def planned(tmp_path: Path, program: str = PROGRAM, **keys: object) -> Command:
    (tmp_path / "program.py").write_text(program)
    (tmp_path / "templates").mkdir(exist_ok=True)
    (tmp_path / "templates" / "deck.txt.j2").write_text("offset = {{ parameters.mass }}\n")
    (tmp_path / "templates" / "table.bin").write_bytes(b"\xff{{ number }}")
    short = {
        "duration": 10.0, "output_step": 0.5, "inputs": {"u": [0, 1]}, "parameter_ranges": {"mass": [1.0, 2.0]},
        "units": {"u": "%", "mass": "kg"}, "command": [sys.executable, str(tmp_path / "program.py"), "2"],
        "template": str(tmp_path / "templates"), "output": "out/result.csv", "path": str(tmp_path / "cases"),
    }  # fmt: skip
    return plan_command(CommandConfig("command", controls=None, **{**short, **keys}))  # type: ignore[arg-type]


def run(command: Command, tmp_path: Path, number: int = 2) -> CaseTable:
    return command.prepare(tmp_path)(number)


def test_a_program_gets_its_inputs_and_its_output_is_the_case(tmp_path: Path) -> None:
    command = planned(tmp_path)
    table = run(command, tmp_path)
    assert table.units == {"u": "%", "mass": "kg", "y": "bar"}
    assert command.controls == ("u", "mass")
    # The program writes every other row.
    np.testing.assert_allclose(table.time, np.arange(11) * 1.0)
    u, mass, y = table.values.T
    assert len(set(mass)) == 1
    np.testing.assert_allclose(y, 2 * u + mass, rtol=1e-9)
    content = json.dumps(command.content())
    assert '"deck.txt.j2"' in content
    assert planned(tmp_path, output="other.csv").content() != command.content()


def test_a_program_that_was_edited_is_not_mixed_with_what_it_made(tmp_path: Path) -> None:
    """The files that the command line names are compared where both plans know them."""
    command, cases = planned(tmp_path), tmp_path / "cases"
    program = str(tmp_path / "program.py")
    digests = {word: hashlib.sha256(Path(word).read_bytes()).hexdigest()[:16] for word in (sys.executable, program)}
    assert command.content()["program"] == digests
    made = generate_cases(cases, command, 1, Running(1))
    assert made.written == [1]
    edited = planned(tmp_path, PROGRAM.replace("2 * float(u)", "3 * float(u)"))
    with pytest.raises(PlanError, match=r"program\.py: was edited after the cases in .*cases were made"):
        generate_cases(cases, edited, 2, Running(1))
    plan = cases / "plan.json"
    # As of a folder that is older than these digests, and where the user says that nothing has changed.
    plan.write_text(json.dumps({key: value for key, value in json.loads(plan.read_text()).items() if key != "program"}))
    assert generate_cases(cases, edited, 1, Running(1)).present == [1]


def test_a_command_given_elsewhere_is_the_same_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here = planned(tmp_path, command="python3 program.py").content()
    assert here["program"] == {"program.py": hashlib.sha256(PROGRAM.encode()).hexdigest()[:16]}
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    there = planned(tmp_path, command="python3 program.py").content()
    assert there["program"] == {}
    assert edited_files(here, there) == edited_files(there, here) == []


def test_the_output_may_begin_with_the_end_of_the_first_step(tmp_path: Path) -> None:
    every_row = [sys.executable, str(tmp_path / "program.py"), "1"]
    table = run(planned(tmp_path, PROGRAM.replace("rows[::", "rows[1::"), command=every_row), tmp_path)
    np.testing.assert_allclose(table.time, 0.5 * np.arange(1, 21))


def test_a_program_that_writes_its_inputs_knows_best_what_it_took(tmp_path: Path) -> None:
    program = 'from pathlib import Path\nPath("o.csv").write_text("t,u,y\\ns,V,bar\\n0,7,1\\n4,7,2\\n10,8,3\\n")\n'
    table = run(planned(tmp_path, program, output="o.csv", template=None), tmp_path)
    assert table.units == {"u": "V", "mass": "kg", "y": "bar"}
    np.testing.assert_allclose(table.time, [0, 4, 10])
    np.testing.assert_allclose(table.values[:, [0, 2]], [[7, 1], [7, 2], [8, 3]])


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("# made by a tool\n\ntime [ms];y [bar];on\n0;1,5;OFF\n5000;2,5;ON\n10000;3,5;ON\n", {}),
        ("t y on\n0 1.5 0\n5 2.5 1\n10 3.5 1\n", {"units": {"y": "bar"}}),
        ("t,y,mode,n\n0,1.5,idle,7\n5,2.5,run,8\n10,3.5,run,9\n", {"text": {"mode": {"idle": 0, "run": 1}}, "ignore": ["n"]}),
    ],
)  # fmt: skip
def test_output_in_any_format_is_read_by_the_importer(tmp_path: Path, text: str, keys: dict) -> None:
    program = f"from pathlib import Path\nPath('o.txt').write_text({text!r})\n"
    table = run(planned(tmp_path, program, output="o.txt", template=None, import_keys=keys), tmp_path)
    np.testing.assert_allclose(table.time, [0, 5, 10])
    np.testing.assert_allclose(table.values[:, 2:], [[1.5, 0], [2.5, 1], [3.5, 1]])
    assert list(table.units)[:3] == ["u", "mass", "y"]


def test_words_of_the_command_are_filled_in_and_files_beside_the_user_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    program = (
        "import sys\nfrom pathlib import Path\nassert sys.argv[1:] == ['case0002', '10.0', 'a b'], sys.argv\n"
        'Path("o.csv").write_text("t,y\\ns,bar\\n0,1\\n10,3\\n")\n'
    )
    line = f"{sys.executable} program.py {{{{case}}}} {{{{duration}}}} 'a b'"
    table = run(planned(tmp_path, program, command=line, output="o.csv"), tmp_path)
    np.testing.assert_allclose(table.values[:, -1], [1, 3])


@pytest.mark.parametrize(
    ("program", "keys", "text"),
    [
        ("print('licence\\nno seat left'); raise SystemExit(3)", {}, "exit code 3: no seat left"),
        ("pass", {}, "result.csv: No such file or directory; the program should write it"),
        (PROGRAM.replace("s,bar", "min,bar"), {}, "out/result.csv: time goes from 0 to 600 s; 0 to 10 s are wanted"),
        (PROGRAM.replace("s,bar", "furlong,bar"), {}, "result.csv: .*furlong"),
        (
            PROGRAM.replace("{2 * float(u) + offset}", "{'hot' if float(u) > 0.5 else 'cold'}"),
            {},
            "'y' holds text; give",
        ),
        (PROGRAM.replace("rows[::", "rows[:9:"), {}, "out/result.csv: time goes from 0 to 4 s; 0 to 10 s are wanted"),
        (PROGRAM.replace("rows[::", "rows[2::"), {}, "out/result.csv: time goes from 1 to 10 s; 0 to 10 s are wanted"),
        ("pass", {"command": ["no_such_program"]}, "no_such_program: No such file"),
        ("pass", {"command": ["true", "{{ nubmer }}"]}, "template: 'nubmer' is undefined"),
    ],
)
def test_a_case_that_fails_says_why_and_leaves_its_folder(tmp_path: Path, program: str, keys: dict, text: str) -> None:
    with pytest.raises(CaseFailed, match=text):
        run(planned(tmp_path, program, **keys), tmp_path)
    kept = tmp_path / "case0002"
    assert (kept / "deck.txt").read_text().startswith("offset = 1.")
    assert (kept / "table.bin").read_bytes() == b"\xff{{ number }}"
    assert len((kept / "inputs.csv").read_text().splitlines()) == 23


# Kills the worker, which is its parent; or hangs.
DEADLY = "import os, signal; open('seen', 'w').close(); os.kill(os.getppid(), signal.SIGKILL)"
HANGING = "import time; open('seen', 'w').close(); time.sleep(600)"


@pytest.mark.parametrize(
    ("program", "timeout", "reason"),
    [
        ("open('seen', 'w').close(); raise SystemExit(3)", None, "exit code 3"),
        (DEADLY, None, "the process died over this case (SIGKILL)"),
        (HANGING, 6.0, "not done after 6 s"),
    ],
)
def test_the_folder_of_a_case_is_kept_however_it_failed(
    tmp_path: Path, program: str, timeout: float | None, reason: str
) -> None:
    kept = tmp_path / "cases" / "failed" / "case0001"
    kept.mkdir(parents=True)
    (kept / "of an earlier attempt").touch()
    result = generate_cases(tmp_path / "cases", planned(tmp_path, program), 1, Running(1, timeout))
    assert [failure.reason for failure in result.failed] == [reason]
    assert sorted(path.name for path in kept.iterdir()) == ["deck.txt", "inputs.csv", "log.txt", "seen", "table.bin"]


def test_a_folder_that_cannot_be_kept_is_said(tmp_path: Path) -> None:
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "failed").touch()
    result = generate_cases(tmp_path / "cases", planned(tmp_path, "raise SystemExit(3)"), 1, Running(1))
    assert [failure.reason for failure in result.failed] == ["exit code 3; its folder could not be kept: File exists"]


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"command": ""}, "command = : give a command line"),
        ({"output": "/tmp/x.csv"}, "output = /tmp/x.csv: give a path in the case's folder"),
        ({"template": "nowhere"}, "template = nowhere: No such file"),
        ({"import_keys": {"controls": 2}}, "import_keys: controls unknown; known: separator"),
        ({"import_keys": {"decimal": "x"}}, "import_keys.decimal=x: must be . or ,"),
        ({"import_keys": {"missing": "guess"}}, "import_keys: .*missing"),
        ({"inputs": {"u": {"file": "templates/table.bin"}}}, "recorded schedule table.bin: "),
        ({"units": {"v": "K"}}, "units: 'v' is not among inputs and parameter_ranges"),
        ({"inputs": None, "parameter_ranges": None}, "every case would be the same"),
    ],
)
def test_plans_that_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: dict, text: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PlanError, match=text):
        planned(tmp_path, **keys)
