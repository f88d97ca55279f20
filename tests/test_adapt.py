"""``adapt.py`` as users run it."""

import csv
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from builders import empty_store, run_command, write_table

from surrogate_modeling.common.paths import PROJECT_ROOT
from surrogate_modeling.surrogate import Surrogate
from surrogate_modeling.surrogate.lineage import weights_digest

SOURCE = PROJECT_ROOT / "src" / "surrogate_modeling"


def plant(folder: Path, offset: float, seeds: range, gain: float = 5.0) -> Path:
    """A first-order lag that a sensor reads with an offset and a gain."""
    for seed in seeds:
        rng = np.random.default_rng(seed)
        control, state = np.repeat(rng.uniform(0, 1, 9), 10), np.zeros(90)
        for t in range(1, 90):
            state[t] = 0.9 * state[t - 1] + 0.1 * control[t]
        write_table(folder / f"c{seed}.csv", np.arange(90.0), np.column_stack((control, 20 + gain * state + offset)),
                    ("valve", "T"), ("-", "degC"))  # fmt: skip
    return folder


@pytest.mark.slow
def test_a_surrogate_is_trained_adapted_and_used(tmp_path: Path) -> None:
    old, new = plant(tmp_path / "old", 0.0, range(8)), plant(tmp_path / "truck7", 1.0, range(20, 26))
    empty_store(tmp_path)
    common = ["settings.progress_bar=False", "settings.num_figures=0", "settings.is_save_model=True"]
    trained = run_command(
        tmp_path, [str(SOURCE / "train.py")], "dataset=csv", f"dataset.path={old}", "dataset.controls=1", "model=nss",
        "settings=nss", "settings.stack=False", "settings.epochs=3", "settings.horizon=40", *common,
        f"hydra.run.dir={tmp_path}/run",
    )  # fmt: skip
    assert trained.returncode == 0, trained.stderr
    place = trained.stdout.rsplit("artifacts are in ", 1)[1].strip()
    adapted = run_command(
        tmp_path, [str(SOURCE / "adapt.py")], f"surrogate={place}", f"cases={new}", "kept_out=3", "epochs=4",
        "max_minutes=0.5", "progress_bar=false", "output=new.pth", f"hydra.run.dir={tmp_path}/adapted",
    )  # fmt: skip
    assert adapted.returncode == 0, adapted.stderr
    assert "3 new cases to adapt to, 3 kept out; 6 old training cases are there" in adapted.stdout
    before, after = Surrogate.load(Path(place) / "lit_model.pth"), Surrogate.load(tmp_path / "new.pth")
    assert [step.what for step in after.lineage] == ["trained", "adapted"]
    assert after.lineage[1].parent_digest == weights_digest(before.state_dict())
    assert after.lineage[1].parent == place
    assert sorted(after.lineage[1].parts["test"]) != sorted(after.lineage[1].parts["training"])
    assert after.band is not None
    assert after.band.cases == 3
    result = adapted.stdout.rsplit("artifacts are in ", 1)[1].strip()
    rows = list(csv.DictReader((Path(result) / "before_after.csv").open()))
    errors = {(row["cases"], when): float(row[f"ADE {when}"]) for row in rows for when in ("before", "after")}
    assert errors["new cases kept out", "after"] < 0.3 * errors["new cases kept out", "before"]
    assert ("old test cases", "after") in errors
    page = (Path(result) / "report.html").read_text(encoding="utf-8")
    assert "on 3 new cases that were kept out" in page.replace("nADE on", "on")
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as store:
        tags = dict(store.execute("SELECT key, value FROM tags WHERE key LIKE 'lineage.%'").fetchall())
        metrics = dict(store.execute("SELECT key, value FROM metrics WHERE key LIKE 'new/%'").fetchall())
    assert tags["lineage.parent"] == place
    assert tags["lineage.parent_digest"] == after.lineage[1].parent_digest
    assert metrics["new/nADE_after"] < metrics["new/nADE_before"]
    assert json.dumps(after.lineage[1].to_dict())


@pytest.mark.slow
def test_units_are_learnt_predicted_added_and_exported(tmp_path: Path) -> None:
    """From the groups of a training to a file of one unit: every prediction is that of the surrogate in Python."""
    old = plant(tmp_path / "old", 0.0, range(9))
    plant(old, 0.0, range(9, 18), gain=8.0)
    groups = "".join(f"c{i},{'cold' if i < 9 else 'warm'}\n" for i in range(18))
    (tmp_path / "groups.txt").write_text("case,group\n" + groups, encoding="utf-8")
    new = plant(tmp_path / "truck7", 0.0, range(20, 25), gain=11.0)
    empty_store(tmp_path)

    def run(command: str, *arguments: str) -> str:
        done = run_command(tmp_path, [str(SOURCE / f"{command}.py")], *arguments, f"hydra.run.dir={tmp_path}/{command}")
        assert done.returncode == 0, done.stderr
        return done.stdout

    trained = run(
        "train", "dataset=csv", f"dataset.path={old}", "dataset.controls=1", "model=nss", "settings=nss",
        f"dataset.groups={tmp_path}/groups.txt", "settings.epochs=3", "settings.horizon=40", "settings.num_figures=0",
        "settings.progress_bar=False", "settings.is_save_model=True",
    )  # fmt: skip
    assert "networks are told the unit of a case, one of 2" in trained
    place = trained.rsplit("artifacts are in ", 1)[1].strip()
    adapted = run("adapt", f"surrogate={place}", f"cases={new}", "how=unit", "kept_out=2", "output=new.pth")
    after = Surrogate.load(tmp_path / "new.pth")
    assert "\nlatent " in adapted
    assert after.known_units == ("cold", "warm", "truck7")
    values = np.loadtxt(new / "c21.csv", delimiter=",", skiprows=2)[:, 1:]
    given = after.description.in_len
    for unit in ("warm", "truck7"):
        run("predict", "surrogate=new.pth", f"cases={new}/c21.csv", f"unit={unit}", f"output=as_{unit}")
        written = np.loadtxt(tmp_path / f"as_{unit}" / "csv" / "c21.csv", delimiter=",", skiprows=2)
        expected = after.free_run(values[:given, 1:], values[:, :1], unit=unit)
        np.testing.assert_allclose(written[-len(expected) :, -1], expected[:, 0], rtol=1e-4)
    assert "the mean unit is predicted" in run("predict", "surrogate=new.pth", f"cases={new}/c21.csv", "output=mean")
    exported = run("export", "surrogate=new.pth", "format=onnx", "unit=truck7", "output=truck7.onnx")
    assert "largest difference from the surrogate" in exported


def test_refusals_are_one_line_with_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "a.csv").touch()
    (tmp_path / "there.pth").touch()
    for arguments, said in (
        (["surrogate=gone.pth", "cases=cases"], "surrogate=gone.pth: no such file"),
        (["surrogate=there.pth", "cases=cases", "output=there.pth"], "output=there.pth: exists"),
    ):
        done = run_command(tmp_path, [str(SOURCE / "adapt.py")], *arguments, f"hydra.run.dir={tmp_path}/run")
        assert done.returncode == 2
        assert said in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert not (tmp_path / "run").exists()
