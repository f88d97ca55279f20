"""``pdm run look`` as users run it, and the advice it ends with."""

import csv
import logging
import shlex
from pathlib import Path

import numpy as np
import pytest
from builders import CONTROLS, NAMES, PROJECT_ROOT, composed, lag, run_command, write_cases, write_table

from surrogate_modeling.cases.channels import Roles
from surrogate_modeling.cases.folder import list_case_files, read_cases
from surrogate_modeling.cases.grid import Grid
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.commands import LookConfig
from surrogate_modeling.config.dataset import DatasetConfig
from surrogate_modeling.inspection.run import run
from surrogate_modeling.look import make_output

COMMAND = [str(PROJECT_ROOT / "src" / "surrogate_modeling" / "look.py")]


def write_plant(folder: Path, count: int = 8, rows: int = 400) -> Path:
    """Two controls that move in steps, a lag of 5 rows of the first, and one of 15 of both."""
    for i in range(count):
        rng = np.random.default_rng(i)
        valve, load = (np.repeat(rng.uniform(0, 1, rows), rng.integers(5, 40, rows))[:rows] for _ in range(2))
        table = np.column_stack((valve, load, 20 + 5 * lag(valve, 5), 1 + lag(valve + load, 15)))
        write_table(folder / f"case{i}.csv", np.arange(float(rows)), table)
    return folder


def looked(folder: Path, capsys: pytest.CaptureFixture[str], given: bool = False, **keys: object) -> str:
    """What a look in this process prints, with dataset keys of its own."""
    step = keys.pop("step", None)
    typed = [f"dataset.path={folder}", *(f"dataset.{key}={value}" for key, value in keys.items())]
    dataset = DatasetConfig(path=str(folder), **{"controls": 1, **keys})  # type: ignore[arg-type]
    config = LookConfig(dataset=dataset, step=step, workers=1, progress_bar=False)  # type: ignore[arg-type]
    run(config, given, list_case_files(folder, dataset.pattern), folder.parent, typed)
    return capsys.readouterr().out


def suggested(text: str) -> list[str]:
    """The arguments of the suggested command."""
    line = next(line for line in text.splitlines() if line.startswith("  pdm run train "))
    return shlex.split(line)[3:]


def test_a_folder_is_looked_at_and_can_be_trained_on(tmp_path: Path) -> None:
    write_plant(tmp_path / "cases")
    done = run_command(tmp_path, COMMAND, "dataset.path=cases", "output=out", "progress_bar=false")
    assert done.returncode == 0, done.stderr
    assert "8 cases, 400 rows in the usual one on a step of 1 s (files: a row every 1 s; 8 read" in done.stdout
    rows = {line.split()[0]: line.split()[1:3] for line in done.stdout.splitlines() if line[:1].isalpha()}
    assert rows["valve"] == ["-", "control"]
    assert rows["load"] == ["kW", "control"]
    assert rows["T"] == ["degC", "predicted"]
    arguments = suggested(done.stdout)
    assert arguments[:3] == ["dataset=csv", "dataset.path=cases", "dataset.controls=[valve,load]"]
    assert {"settings.decimate_range=1", "model=auto"} <= set(arguments)
    tree = composed(*arguments)
    assert tree.dataset.controls == list(NAMES[:CONTROLS])
    with (tmp_path / "out" / "look.csv").open(newline="") as file:
        table = {row["column"]: row for row in csv.DictReader(file)}
    # T is a lag of 5 rows of one second.
    assert float(table["T"]["time_constant_s"]) == pytest.approx(5, abs=1)
    assert table["T"]["moved_by"] == "valve"
    assert float(table["T"]["linear_share"]) > 0.99
    assert (tmp_path / "out" / "look.png").read_bytes().startswith(b"\x89PNG")


def test_a_refusal_is_one_line(tmp_path: Path) -> None:
    done = run_command(tmp_path, COMMAND, "step=1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: dataset.path: no value given; add dataset.path=... to the command\n"


def test_refusals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_cases(tmp_path / "cases", count=2)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "bad.csv").write_text("time,a,b\ns,-,-\n0,1,2\n1,x,3\n2,1,2\n")
    with pytest.raises(
        UserError, match=r"bad.csv: line 4, column 2 \('a'\): text 'x' where a number is expected"
    ) as refused:
        looked(tmp_path / "broken", capsys)
    hint = f"'pdm run import source={tmp_path}/broken output=<folder>' makes cases of the files of other tools"
    assert str(refused.value).endswith(hint)
    (tmp_path / "mixed").mkdir()
    rows = [f"{t},{t % 7},{t % 5}" for t in range(40)]
    (tmp_path / "mixed" / "a.csv").write_text("\n".join(["time,a,b", "s,-,-", *rows]))
    (tmp_path / "mixed" / "b.csv").write_text("\n".join(["time,a,b,c", "s,-,-,-", *(f"{row},1" for row in rows)]))
    with pytest.raises(UserError, match=r"b.csv: line 1: columns 'c' \(column 4\) are not in a.csv and others"):
        looked(tmp_path / "mixed", capsys)
    (tmp_path / "mixed" / "b.csv").write_text("\n".join(["time,a,b", "s,-,-", *rows, "1e15,1,1"]))
    with pytest.raises(UserError, match=r"b.csv: line 43, column 1 \('time'\): gap in time \(widest 1e\+15 s"):
        looked(tmp_path / "mixed", capsys)
    with pytest.raises(UserError, match="dataset.controls=9: the files have 4 columns"):
        looked(tmp_path / "cases", capsys, given=True, controls=9)
    with pytest.raises(UserError, match="step=0.0: must be more than 0 and finite"):
        LookConfig(dataset=DatasetConfig(path="x", controls=1), step=0.0)
    output = str(tmp_path / "cases" / "case0.csv" / "x")
    with pytest.raises(UserError, match="Not a directory; give a folder that can be written"):
        make_output(LookConfig(dataset=DatasetConfig(path="x", controls=1), output=output))


def test_constants_copies_functions_and_names_that_need_quotes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for i in range(6):
        rng = np.random.default_rng(i)
        u = np.repeat(rng.uniform(0, 1, 30), 10)
        v = np.repeat(rng.uniform(0, 1, 20), 15)
        size = np.full(300, float(i))
        y = lag(u + v, 20)
        columns = np.column_stack((u, v, size, np.ones(300), y, 2 * y, y + u, np.cumsum(u) - u / 2))
        names = ["u", "弁 1", "size", "fixed", "T/out", "twice", "sum", "counter"]
        write_table(tmp_path / "in" / f"c{i}.csv", np.arange(300.0), columns, names, ["-"] * 8)
    text = looked(tmp_path / "in", capsys)
    assert "constant in all cases, so that nothing can be learnt from them: fixed" in text
    assert "twice: = 2 x T/out" in text
    assert "sum: linear function of u, T/out" in text
    assert "counter: integral over time of u" in text
    arguments = suggested(text)
    assert 'dataset.controls=[u,"弁 1",size]' in arguments
    assert "dataset.parameters=[size]" in arguments
    assert "dataset.ignore=[fixed,twice]" in arguments
    roles = composed(*arguments).dataset
    read = read_cases(tmp_path / "in", Roles(roles.controls, None, roles.ignore), Grid(1.0, 5.0), 11)
    assert read.channels.controls == ("u", "弁 1", "size")


def test_controls_that_are_given_are_kept_and_doubted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    write_plant(tmp_path / "cases")
    with caplog.at_level(logging.ERROR):
        text = looked(tmp_path / "cases", capsys, given=True, controls=["T", "load"])
    assert "- T: the other columns tell it: an output?" in text
    assert "dataset.controls=['T', 'load']" in suggested(text)
    assert "a guess" not in text


def test_one_record_is_to_be_cut_in_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_plant(tmp_path / "cases", 1, 3000)
    text = looked(tmp_path / "cases", capsys, step=2.0)
    assert "1 case: dataset.split=time trains on the first part of each" in text
    assert {"dataset.split=time", "settings.decimate_range=2"} <= set(suggested(text))
    assert "a step of 2 s loses more than 1% of the variance of valve" in text


def test_a_case_that_diverged_comes_first_and_decides_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its two columns, 4e9 times a ramp each, would be copies of each other."""
    folder = write_plant(tmp_path / "cases", 9)
    table = np.tile(np.linspace(0, 1, 400)[:, None], 4) * (1, 1, 4e9, 8e9)
    write_table(folder / "case9.csv", np.arange(400.0), table)
    lines = [line for line in looked(folder, capsys).splitlines() if line.startswith("- ")]
    assert lines[0].startswith("- case9: reaches 8e+09 bar in column 'p' (and so in 1 more column), the other cases at")
    assert lines[0].endswith("did it diverge? It is left out of everything here; move its file out of the folder "
                             "before training")  # fmt: skip
    assert not any(line.startswith(("- T:", "- p:")) for line in lines)


def test_groups_of_an_import_are_trained_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_plant(tmp_path / "cases", 6)
    (folder / "import.yaml").write_text("")
    (folder / "cases.csv").write_text("case,group\n" + "".join(f"case{i},{'ab'[i % 2]}\n" for i in range(6)))
    assert f"dataset.groups={folder / 'cases.csv'}" in suggested(looked(folder, capsys))
    assert "dataset.groups=mine.csv" in suggested(looked(folder, capsys, groups="mine.csv"))


def test_a_sensor_that_is_stuck_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "cases"
    for i in range(8):
        rng = np.random.default_rng(i)
        valve = np.repeat(rng.uniform(0, 1, 20), 20)
        table = np.column_stack((valve, rng.uniform(size=400), 20 + lag(valve, 5) + 0.01 * rng.normal(size=400)))
        if i == 3:
            table[100:200, 2] = 20.5
        write_table(folder / f"case{i}.csv", np.arange(400.0), table, ["valve", "load", "T"], ["-", "-", "degC"])
    assert (
        "- T stands still from 100 to 199 s in case3, elsewhere for 0 s at most: a sensor that is stuck?"
        in looked(folder, capsys, given=True, controls=["valve", "load"]).splitlines()
    )
