"""``predict.py`` as users run it."""

import csv
import os
import subprocess
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import make_band, run_python

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.cases.schedules import schedule_files
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.output_folder import held_folder
from surrogate_modeling.common.paths import PROJECT_ROOT
from surrogate_modeling.config.commands import BandScope, PredictConfig
from surrogate_modeling.config.models import DonConfig
from surrogate_modeling.deployment import prediction
from surrogate_modeling.deployment.prediction import predict_files
from surrogate_modeling.predict import files_of, prepare_output, refuse_earlier, require_output
from surrogate_modeling.surrogate.description import Description
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.surrogate.units import UnitEffects

PREDICT = PROJECT_ROOT / "src" / "surrogate_modeling" / "predict.py"
CHANNELS = Channels(("u",), ("T/out", "圧力.a"), ("T/out",), {"u": "-", "T/out": "degC", "圧力.a": "bar"})
ROWS, IN_LEN = 40, 4


@pytest.fixture(scope="module")
def surrogate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Surrogate, Path]:
    torch.manual_seed(0)
    made = Surrogate(Description(DonConfig("don", trunk_dim=8, branch_dim=8, width=4), CHANNELS, IN_LEN, 1, 1.0)).eval()
    made.scaling.fit([case.values for case in cases(3)])
    made.training_range.fit(cases(3), made.scaling, IN_LEN)
    path = tmp_path_factory.mktemp("saved") / "lit_model.pth"
    made.save(path)
    return made, path


def cases(count: int) -> list[Case]:
    rng = np.random.default_rng(1)
    return [
        Case(
            f"c{i}",
            np.arange(ROWS, dtype=float),
            rng.normal([0, 20, 3], [1, 4, 0.2], (ROWS, 3)).astype(np.float32),
            CHANNELS,
        )
        for i in range(count)
    ]


def write(folder: Path, case: Case, truth: bool, control: float = 0.0) -> None:
    folder.mkdir(exist_ok=True)
    with (folder / f"{case.name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["time", "圧力.a", "u", "T/out"])
        writer.writerow(["s", "bar", "-", "degC"])
        for k, (u, t, p) in enumerate(case.values.tolist()):
            known = truth or k < IN_LEN
            writer.writerow([k, p if known else "", u + control * (k == 30), t if known else ""])


def predict(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/none.db", "OMP_NUM_THREADS": "1"}
    return run_python([str(PREDICT), "device=cpu", "workers=1", *arguments], tmp_path, environment)


def test_schedules_become_trajectories(surrogate: tuple[Surrogate, Path], tmp_path: Path) -> None:
    made, path = surrogate
    for case, truth, control in zip(cases(3), (True, False, False), (0.0, 0.0, 50.0), strict=True):
        write(tmp_path / "in", case, truth, control)
    (tmp_path / "in" / "broken.csv").write_text("time,u\ns,-\n0,1\n1,2\n")
    done = predict(tmp_path, f"surrogate={path}", "cases=in", "output=out", "num_figures=3")
    # The broken file is refused, the others are predicted all the same.
    assert done.returncode == 2
    assert "1 problem in 1 file of in; the other 3 were predicted" in done.stderr
    assert "Traceback" not in done.stderr
    out = tmp_path / "out"
    for case, rows in list(zip(cases(3), made.predict(cases(3)), strict=True))[:2]:
        written = np.loadtxt(out / "csv" / f"{case.name}.csv", delimiter=",", skiprows=2)
        np.testing.assert_array_equal(written[:, 0], case.time[IN_LEN:])
        np.testing.assert_array_equal(written[:, 1].astype(np.float32), case.values[IN_LEN:, 0])
        np.testing.assert_allclose(written[:, 2:], rows, rtol=1e-5)
    assert (out / "csv" / "c0.csv").read_text().startswith("time,u,T/out,圧力.a\ns,-,degC,bar\n")
    # Three of targets, and all targets of each case of which one is drawn.
    pictures = {str(path.relative_to(out / "figure")) for path in (out / "figure").rglob("*.png")}
    assert {name for name in pictures if "targets" in name} == {f"c{i}/targets.png" for i in range(3)}
    assert len(pictures) == 6
    # ADE of the one case that holds the truth.
    ((name, ade),) = list(csv.reader(next((out / "loss").glob("loss_T_out*_ADE.csv")).open()))[1:]
    assert name == "c0"
    expected = np.abs(made.predict(cases(1))[0][:, 0] - cases(1)[0].values[IN_LEN:, 1]).mean()
    assert float(ade) == pytest.approx(expected, rel=1e-4)
    ((head, *_), (errors_of, nade, *_)) = list(csv.reader((out / "errors.csv").open()))
    assert (head, errors_of) == ("case", "c0")
    assert float(nade) == pytest.approx(expected / made.predicted_scale[0], rel=1e-4)
    assert (out / "errors.png").read_bytes().startswith(b"\x89PNG")
    beyond = [row for row in csv.DictReader((out / "range.csv").open()) if row["what"] == "control"]
    assert [(row["case"], row["column"], row["first_time"], row["rows"]) for row in beyond] == [("c2", "u", "30", "1")]
    assert "c2: control 'u' above its training range" in done.stdout
    assert "times faster than real time" in done.stdout


def test_a_value_between_off_and_on_is_said(
    surrogate: tuple[Surrogate, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = deepcopy(surrogate[0])
    known = [replace(case, values=np.column_stack((case.values[:, 0] > 0, case.values[:, 1:]))) for case in cases(3)]
    made.scaling.fit([case.values for case in known])
    made.training_range.fit(known, made.scaling, IN_LEN)
    values = known[0].values.copy()
    values[20:30, 0] = 0.5
    for name, case in (("c0", replace(known[0], values=values)), ("c1", replace(known[1], name="c1"))):
        write(tmp_path / "in", replace(case, name=name), True)
    (tmp_path / "out").mkdir()
    config = PredictConfig("s", str(tmp_path / "in"), str(tmp_path / "out"), num_figures=0, workers=1)
    with caplog.at_level("INFO"):
        predict_files(made, schedule_files(config.cases), tmp_path / "out", config)
    assert "c0: 'u', which is 0 or 1 in training, lies between in 10 of 40 rows" in caplog.text
    assert "c1: 'u'" not in caplog.text
    assert "1 of 2 schedules have states that no training case has" in caplog.text
    assert "no input leaves" not in caplog.text


def test_errors_are_analysed_of_the_first_cases_that_there_is_room_for(
    surrogate: tuple[Surrogate, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Room for two and a half of four cases; the second file has no truth and takes none."""
    monkeypatch.setattr(prediction, "MAX_ANALYSED_VALUES", 5 * (ROWS * 3 + (ROWS - IN_LEN) * 2) // 2)
    for i, case in enumerate(cases(5)):
        write(tmp_path / "in", case, truth=i != 1)
    (tmp_path / "out").mkdir()
    config = PredictConfig(
        str(path := surrogate[1]), str(tmp_path / "in"), str(tmp_path / "out"), num_figures=0, workers=1
    )
    assert path.exists()
    with caplog.at_level("INFO"):
        predict_files(surrogate[0], sorted((tmp_path / "in").iterdir()), tmp_path / "out", config)
    rows = list(csv.DictReader((tmp_path / "out" / "errors.csv").open()))
    assert {row["case"] for row in rows} == {"c0", "c2"}
    losses = list(csv.reader(next((tmp_path / "out" / "loss").glob("loss_T_out*_ADE.csv")).open()))[1:]
    assert {name for name, _ in losses} == {"c0", "c2", "c3", "c4"}
    assert "of the first 2 of 4 schedules with the truth" in caplog.text


def test_schedules_are_predicted_as_their_units(
    surrogate: tuple[Surrogate, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The columns of the file of groups are found by name; a new unit is predicted as the mean unit."""
    made = Surrogate.load(surrogate[1])
    made.units = UnitEffects(("old", "young"), np.array([[0.5, -1.0], [2.0, 0.0]]), np.array([[0.1, 0.0], [0.0, 0.3]]))
    for case in cases(3):
        write(tmp_path / "in", case, truth=False)
    (tmp_path / "units.csv").write_text("group,rows,case\nyoung,40,c0\nnew,40,c1\nold,40,c2\nnone,1,c9\n")

    def run(name: str, **options: str) -> list[np.ndarray]:
        (tmp_path / name).mkdir()
        config = PredictConfig("x", str(tmp_path / "in"), output=name, num_figures=0, workers=1, **options)
        predict_files(made, sorted((tmp_path / "in").iterdir()), tmp_path / name, config)
        files = sorted((tmp_path / name / "csv").iterdir())
        return [np.loadtxt(file, delimiter=",", skiprows=2)[:, 2:] for file in files]

    with caplog.at_level("INFO"):
        mean, each = run("mean"), run("each", groups=str(tmp_path / "units.csv"))
        old = run("old", unit="old")
    assert "the mean unit is predicted: this surrogate knows 2 units" in caplog.text
    assert "new units are predicted as the mean unit, with the band of known ones" in caplog.text
    scale, level = made.predicted_scale, made.scaling.level.numpy()[1:]
    z = [(rows - level) / scale for rows in mean]
    np.testing.assert_allclose(each[0], (z[0] * [1.0, 1.3] + [2.0, 0.0]) * scale + level, rtol=1e-4)
    np.testing.assert_allclose(each[1], mean[1], rtol=1e-6)
    for rows, alone in zip(z, old, strict=True):
        np.testing.assert_allclose(alone, (rows * [1.1, 1.0] + [0.5, -1.0]) * scale + level, rtol=1e-4)
    with pytest.raises(UserError, match="unit=yung: not among the 2 units of this surrogate; the nearest is 'young'"):
        run("typed", unit="yung")
    made.units = None
    with pytest.raises(UserError, match="unit=old: this surrogate knows no units"):
        run("none", unit="old")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["surrogate=models:/a/1", "cases=s.csv", "unit=a", "groups=b"], "unit=a: give groups="),
        ([], "cases, surrogate: no value given"),
        (["surrogate=gone.pth", "cases=."], "surrogate=gone.pth: no such file"),
        (["surrogate=models:/a/1", "cases=gone"], "cases=gone: No such file or directory"),
        (["surrogate=models:/a/1", "cases=s.csv", "output=old"], "old: holds an earlier prediction"),
        (["surrogate=models:/a/1", "cases=s.csv", "num_figures=-1"], "num_figures=-1: must be at least 0"),
        (["surrogate=models:/a/1", "cases=s.csv"], "models:/a/1: there is no tracking store"),
    ],
)
def test_refusals_are_one_line_with_exit_code_2(tmp_path: Path, arguments: list[str], said: str) -> None:
    (tmp_path / "s.csv").write_text("time,u\n")
    (tmp_path / "old" / "csv").mkdir(parents=True)
    (tmp_path / "old" / "csv" / "a.csv").touch()
    done = predict(tmp_path, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert not (tmp_path / "prediction").exists() or not any((tmp_path / "prediction").iterdir())


@pytest.mark.parametrize("scope", [None, *BandScope])
def test_the_band_that_is_asked_for_is_written(
    surrogate: tuple[Surrogate, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture, scope: BandScope | None
) -> None:
    """Errors of 1 and 10 at all rows; factors 2 and 3 of rows, 3 times that of trajectories, 15 times of all targets."""
    made = Surrogate.load(surrogate[1])
    made.band = make_band([0], [[1, 10]], [2, 3])
    write(tmp_path / "in", cases(1)[0], truth=False)
    (tmp_path / "out").mkdir()
    config = PredictConfig(
        str(surrogate[1]), str(tmp_path / "in"), str(tmp_path / "out"), band=scope, num_figures=0, workers=1
    )
    with caplog.at_level("INFO"):
        predict_files(made, list((tmp_path / "in").iterdir()), tmp_path / "out", config)
    edges = np.loadtxt(tmp_path / "out" / "band" / "c0.csv", delimiter=",", skiprows=2)[:, 1:]
    times = {BandScope.trajectory: 3, BandScope.all: 15}.get(scope or BandScope.row, 1)
    widths = np.tile([4.0 * times, 60.0 * times], (ROWS - IN_LEN, 1))
    np.testing.assert_allclose(edges[:, 1::2] - edges[:, ::2], widths, rtol=1e-4)
    assert ("with probability 90 %, set by 12 cases" in caplog.text) is (scope is not None)
    # Without a band there is nothing to give.
    made.band = None
    if scope is not None:
        with pytest.raises(UserError, match=f"band={scope}: this surrogate has no uncertainty band"):
            predict_files(made, [], tmp_path / "out", config)


def test_a_part_has_every_other_schedule(tmp_path: Path) -> None:
    for number in range(1, 6):
        (tmp_path / f"case{number}.csv").touch()
    config = PredictConfig("s.pth", str(tmp_path), str(tmp_path / "out"), part="2/2")
    assert prepare_output(config) == tmp_path / "out" / "part-2-of-2"
    require_output(config, ["part=2/2", "output=out"])
    with pytest.raises(UserError, match="part=2/2: give output=<folder>, the same for all parts"):
        require_output(config, ["part=2/2", "cases=out"])
    assert [path.stem for path in files_of(config)] == ["case2", "case4"]
    with pytest.raises(UserError, match="holds part-2-of-2 of another prediction; give another folder or overwrite"):
        prepare_output(replace(config, part="1/3"))
    with pytest.raises(UserError, match="holds part-2-of-2 of another prediction"):
        prepare_output(replace(config, part="1/1"))
    assert prepare_output(replace(config, part="1/2")).name == "part-1-of-2"
    assert [path.stem for path in schedule_files(tmp_path / "case[24].csv")] == ["case2", "case4"]
    with pytest.raises(UserError, match="part=6/6: of 5 files it has none; give fewer parts"):
        files_of(replace(config, part="6/6"))
    with pytest.raises(UserError, match="part=7/6: give k/N"):
        replace(config, part="7/6")


def test_a_folder_is_looked_at_again_when_the_command_before_is_done(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    refuse_earlier(out, overwrite=False)
    (out / "csv" / "case1.csv").touch()
    with pytest.raises(UserError, match=r"out: holds an earlier prediction; give output=<another folder>"):
        refuse_earlier(out, overwrite=False)
    refuse_earlier(out, overwrite=True)


def test_of_two_predictions_at_once_into_one_folder_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("time,u\n")
    out = tmp_path / "out"
    (out / "csv").mkdir(parents=True)
    with held_folder(out, "out"):
        done = predict(tmp_path, "surrogate=models:/a/1", "cases=s.csv", "output=out")
        # What the first command has made is left to it.
        assert (out / "csv").is_dir()
    assert done.returncode == 2
    assert "output=out: another command is writing there; wait for it, or give another one" in done.stderr


def test_a_file_of_another_tool_is_refused_with_the_way_to_import_it(
    surrogate: tuple[Surrogate, Path], tmp_path: Path
) -> None:
    (tmp_path / "s.csv").write_text("time\tu\ns\t-\n0\t1\n")
    done = predict(tmp_path, f"surrogate={surrogate[1]}", "cases=s.csv", "output=out")
    assert done.returncode == 2
    assert "s.csv: line 1: 1 column; the separator looks like '\\t', a comma is expected\n" in done.stderr
    assert "'pdm run import repeat=<import.yaml> source=<files> output=<folder>' makes of the files of" in done.stderr
    assert not (tmp_path / "out").exists()
