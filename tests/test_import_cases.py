"""``pdm run import`` as users run it."""

import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest
from builders import run_command
from hydra import compose, initialize_config_dir
from modelica_files import write_result

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import CONFIG_DIR, PROJECT_ROOT
from surrogate_modeling.config.composition import register_schemas, to_import
from surrogate_modeling.config.import_keys import ImportConfig
from surrogate_modeling.config.quoting import quoted
from surrogate_modeling.importing.run import import_files

COMMAND = [str(PROJECT_ROOT / "src" / "surrogate_modeling" / "import_cases.py")]


def run(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_command(tmp_path, COMMAND, *arguments)


def write(folder: Path, name: str, mode: str = "heat", unit: str = "degC") -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"t;mode;T [{unit}]\n0,0;{mode};300\n0,5;cool;301\n1,0;off;302\n")


def test_an_import_and_its_repeat(tmp_path: Path) -> None:
    write(tmp_path / "in", "a.csv")
    done = run(tmp_path, "source=in", "output=out", "controls=[mode]")
    assert done.returncode == 0, done.stderr
    controls = """'dataset.controls=["mode=heat","mode=cool","mode=off"]'"""
    assert done.stdout.splitlines()[-2:] == [
        f"look at them: pdm run look dataset.path=out {controls}",
        f"train on them: pdm run train dataset=csv dataset.path=out {controls} settings.decimate_range=0.5 model=auto",
    ]
    first = (tmp_path / "out" / "a.csv").read_text()
    assert first.splitlines()[2] == "0,1,0,0,300"
    # The file alone would have two modes, and kelvin.
    write(tmp_path / "new", "b.csv", "off", "K")
    done = run(tmp_path, "repeat=out/import.yaml", "source=new", "output=second")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "second" / "b.csv").read_text()
    assert text == ("t,mode=heat,mode=cool,mode=off,T\ns,-,-,-,degC\n0,0,0,1,26.85\n0.5,0,1,0,27.85\n1,0,0,1,28.85\n")
    # Without a source it is the same import again.
    assert run(tmp_path, "repeat=out/import.yaml").returncode == 0
    assert (tmp_path / "out" / "a.csv").read_text() == first


def imported(*arguments: str) -> ImportConfig:
    """The configuration of a command line."""
    register_schemas()
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return to_import(compose("import", list(arguments)), arguments)


def test_a_repeat_with_one_file_keeps_the_parameters_that_varied(tmp_path: Path) -> None:
    table = np.column_stack(([0.0, 1, 2], [5.0, 6, 7], [300.0, 301, 302]))
    columns = [("time", "Time in [s]", 0, 1), ("gain", "Gain [W/K]", 1, 2), ("u", "u [V]", 2, 2), ("T", "T [K]", 2, 3)]
    (tmp_path / "in").mkdir()
    for number in (1, 2):
        constants = np.array([[0.0, number], [2.0, number]])
        write_result(tmp_path / "in" / f"run{number}.mat", columns, [constants, table])
    import_files(imported(f"source={tmp_path}/in", f"output={tmp_path}/out", "controls=[u]"))
    assert (tmp_path / "out" / "run2.csv").read_text().startswith("time,u,gain,T\ns,V,W/K,K\n0,5,2,300\n")
    one = f"source={tmp_path}/in/run2.mat"
    import_files(imported(f"repeat={tmp_path}/out/import.yaml", one, f"output={tmp_path}/new"))
    assert (tmp_path / "new" / "run2.csv").read_text() == (tmp_path / "out" / "run2.csv").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["output=out"], "source: no value given; add source=... to the command"),
        (["source=in"], "output: no value given; add output=... to the command"),
        (["source=in", "output=out", "max_missing=0"], "max_missing=0.0: must be at least 1.0"),
        (["source=in", "output=out", "decimal=x"], "decimal=x: must be . or ,"),
        (["source=in", "output=out", "controls=0"], "controls=0: must be at least 1"),
        (["source=in", "output=out", "text={mode:1}"], "text={'mode': 1}: mode needs a number for each text"),
        (["source=3", "output=out"], "source=3: must be a file, a folder"),
        (["source=in", "output=out", "file_parameters=some"], "file_parameters=some: must be varying, all, none"),
        (["repeat=nowhere.yaml"], "repeat=nowhere.yaml: No such file or directory; give the import.yaml"),
        (["repeat={file}"], "repeat={file}: holds no keys of an import; give its import.yaml"),
    ],
)
def test_keys_are_checked(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "a.yaml").write_text("a: 1")
    file = str(tmp_path / "a.yaml")
    with pytest.raises(UserError) as refused:
        imported(*(argument.replace("{file}", file) for argument in arguments))
    assert str(refused.value).startswith(message.replace("{file}", file))


@pytest.mark.parametrize("units", ["units={T: K, p: bar}", "units={T:K,p:bar}", 'units={"T": K, p: "bar"}'])
def test_keys_by_column_need_no_plus_and_may_have_any_names(units: str) -> None:
    assert imported("source=in", "output=out", *quoted([units])).units == {"T": "K", "p": "bar"}
    config = imported("source=in", "output=out", *quoted(["units={圧力:bar}", "text={モード:{冷房:1,停止:0}}"]))
    assert config.units == {"圧力": "bar"}
    assert config.text == {"モード": {"冷房": 1, "停止": 0}}


def test_keys_of_a_repeat_give_way_to_those_of_the_command(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("keys: {source: [x], output: y, controls: [u], text: {m: {a: 0, b: 1}}}")
    config = imported(f"repeat={tmp_path}/a.yaml", "output=z", "units={p: bar}")
    assert (config.source, config.output, config.controls) == (["x"], "z", ["u"])
    assert (config.text, config.units) == ({"m": {"a": 0, "b": 1}}, {"p": "bar"})
    # A text is added to those of its column.
    assert imported(f"repeat={tmp_path}/a.yaml", "text={m: {c: 2}}").text == {"m": {"a": 0, "b": 1, "c": 2}}
    (tmp_path / "a.yaml").write_text("keys: {sources: [x]}")
    with pytest.raises(UserError, match=r"keys.sources: no such key"):
        imported(f"repeat={tmp_path}/a.yaml")


def test_a_text_that_is_new_to_a_repeat_is_taken_for_a_mode(tmp_path: Path) -> None:
    write(tmp_path / "in", "run1.csv")
    again = f"repeat={tmp_path}/out/import.yaml"
    import_files(imported(f"source={tmp_path}/in", f"output={tmp_path}/out"))
    write(tmp_path / "new", "run2.csv", mode="warm")
    new = [again, f"source={tmp_path}/new", f"output={tmp_path}/second"]
    with pytest.raises(
        UserError, match=r"'warm' is none of the texts 'heat', 'cool', 'off'; 'text=\{mode: \{warm: <one"
    ):
        import_files(imported(*new))
    with pytest.raises(UserError, match="text: mode has the modes heat, cool, off; 2 is none of them, so warm cannot"):
        imported(*new, "text={mode: {warm: 2}}")
    import_files(imported(*new, "text={mode: {warm: heat}}"))
    names = "t,mode=heat,mode=cool,mode=off,T"
    assert (tmp_path / "second" / "run2.csv").read_text().splitlines()[::2] == [names, "0,1,0,0,300", "1,0,0,1,302"]
    # What was said then holds in a repeat of the repeat.
    once_more = imported(f"repeat={tmp_path}/second/import.yaml", "text={mode: {hot: heat}}")
    modes = {"heat": "heat", "cool": "cool", "off": "off", "warm": "heat", "hot": "heat"}
    assert once_more.text == {"mode": modes}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["source=in", "output=out", "seperator=;"], "error: seperator: no such key; did you mean separator?"),
        (["source=nowhere", "output=out"], "error: source=nowhere: no such file or folder"),
    ],
)
def test_a_refusal_is_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    write(tmp_path / "in", "a.csv")
    done = run(tmp_path, *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(message), done.stderr
    assert done.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_left_out_files_give_exit_code_two(tmp_path: Path) -> None:
    write(tmp_path / "in", "a.csv")
    (tmp_path / "in" / "b.csv").write_text("prose\nonly\n")
    done = run(tmp_path, "source=in", "output=out", "skip_bad=True")
    assert done.returncode == 2
    assert "left out:\n  in/b.csv: lines 1-2: no rows of numbers" in done.stdout
    assert done.stderr == "error: 1 file was left out; see the list above\n"
    assert (tmp_path / "out" / "a.csv").exists()


@pytest.mark.slow
def test_the_way_from_exports_with_parameters_to_an_fmu(tmp_path: Path) -> None:
    """A first-order lag whose gain is a parameter: import, train, predict with one number per case, export."""
    fmpy = pytest.importorskip("fmpy")
    (tmp_path / "in").mkdir()
    gains = {}
    for number in range(6):
        gain, y, lines = 1 + number / 4, 0.0, ["Zeit [ms];Pumpe;T (°C)"]
        for k in range(200):
            on = (k // (15 + number)) % 2
            lines.append(f"{100 * k};{'EIN' if on else 'AUS'};{y:.4f}".replace(".", ","))
            y += 0.1 * (gain * on - y)
        (tmp_path / "in" / f"run{number}.csv").write_bytes("\n".join(lines).encode("latin-1"))
        gains[f"run{number}"] = gain
    table = "".join(f"{name},{gain}\n" for name, gain in gains.items())
    (tmp_path / "gains.csv").write_text(f"case,gain [K]\n{table}")
    done = run(tmp_path, "source=in", "output=cases", "controls=[Pumpe]", "parameters=gains.csv")
    assert done.returncode == 0, done.stderr
    train = shlex.split(done.stdout.splitlines()[-1].removeprefix("train on them: "))[3:]
    controls = "dataset.controls=[Pumpe,gain]"
    assert train[-4:] == [controls, "dataset.parameters=[gain]", "settings.decimate_range=0.1", "model=auto"]

    def command(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run_command(tmp_path, [str(PROJECT_ROOT / "src" / "surrogate_modeling" / f"{name}.py")], *arguments)

    quick = ["settings.is_debug=True", "settings=quick"]
    done = command("train", *train[:-1], "model=ssm", *quick, "settings.is_save_model=True", "settings.device=cpu")
    assert done.returncode == 0, done.stderr
    surrogate = next(tmp_path.rglob("lit_model.pth"))
    assert (
        run(tmp_path, "repeat=cases/import.yaml", "source=in/run1.csv", "output=bare", "parameters=null").returncode
        == 0
    )
    done = command(
        "predict", f"surrogate={surrogate}", "cases=bare", "parameters=cases/cases.csv", "output=p", "device=cpu"
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "p" / "csv" / "run1.csv").exists()
    done = command("export", f"surrogate={surrogate}", "format=fmu", "output=p.fmu")
    assert done.returncode == 0, done.stderr
    known = {
        variable.name: variable for variable in fmpy.read_model_description(str(tmp_path / "p.fmu")).modelVariables
    }
    assert (known["gain"].causality, known["gain"].unit) == ("parameter", "K")
    assert (known["Pumpe"].causality, known["T"].causality) == ("input", "output")
