"""The command as users run it: a process of its own, real files, a real store."""

import csv
import subprocess
from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch
from builders import empty_store, run_command, write_plant

from surrogate_modeling.reporting.content import read_kept
from surrogate_modeling.training.members import member_seed

# Runs the command and prints what its task returned to Hydra, and so to a search.
RETURNING = """
import sys
from hydra._internal import hydra as internal
from surrogate_modeling import train
run = internal.Hydra.run
def spy(*args, **kwargs):
    result = run(*args, **kwargs)
    print("RETURNED", result.return_value)
    return result
internal.Hydra.run = spy
train.cli()
"""
SMALL = ["model=don", "model.width=4", "model.trunk_dim=16", "settings.epochs=3", "settings.batch_size=64"]


def run_train(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_command(tmp_path, ["-c", RETURNING, f"hydra.run.dir={tmp_path}/run"], *arguments)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """One whole run that the tests below look at."""
    tmp_path = tmp_path_factory.mktemp("whole")
    empty_store(tmp_path)
    plant = write_plant(tmp_path / "plant")
    done = run_train(
        tmp_path, "dataset=csv", f"dataset.path={plant}", "dataset.controls=1", "dataset.targets=['T/out','圧力.a']",
        "dataset.test=2", "dataset.split=last", "settings.is_save_model=True", "settings.mlflow_exp_name=e2e", *SMALL,
    )  # fmt: skip
    return tmp_path, done


def recorded_run(tmp_path: Path, experiment: str) -> tuple[mlflow.entities.Run, Path]:
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    (run,) = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    return run, Path(run.info.artifact_uri.removeprefix("file://"))


def test_a_run_leaves_every_artifact(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    tmp_path, done = finished
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "run").exists()
    run, artifacts = recorded_run(tmp_path, "e2e")
    assert run.info.status == "FINISHED"
    assert run.info.run_name == f"don default plant run {tmp_path.name}"
    for name in ("config.yaml", "hydra.yaml", "overrides.yaml"):
        assert (artifacts / ".hydra" / name).stat().st_size > 0
    assert sorted(path.name for path in (artifacts / "csv").iterdir()) == ["case4.v1.csv", "case5.v1.csv"]
    assert len(list((artifacts / "figure").rglob("*.png"))) == 2 * (3 + 1)
    assert len(list((artifacts / "figure").rglob("loss.txt"))) == 2
    assert len(list((artifacts / "loss").iterdir())) == 2 * 3
    saved = torch.load(artifacts / "lit_model.pth", weights_only=True, map_location="cpu")
    assert saved["description"]["channels"]["predicted"] == ("T/out", "圧力.a", "fixed")
    assert saved["config"]["settings.batch_size"] == 64
    assert {"train.log", "errors.png", "report.html"} <= {path.name for path in artifacts.iterdir()}
    kept = read_kept(artifacts / "report.json.gz")
    assert kept["scores"]["nade"] == pytest.approx(run.data.metrics["nADE"])
    assert kept["training"]["curves"]["val_loss"][0] == [0, 1, 2]
    with (artifacts / "errors.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["case"] for row in rows} == {"case4.v1", "case5.v1"}
    assert np.mean([float(row["nADE"]) for row in rows]) == pytest.approx(run.data.metrics["nADE"], rel=1e-4)


def test_metrics_parameters_and_tags(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    run, artifacts = recorded_run(finished[0], "e2e")
    assert run.data.params["model.width"] == "4"
    assert {"git_commit", "dataset_fingerprint", "device"} <= set(run.data.tags)
    metrics = run.data.metrics
    assert {"train_loss", "val_loss", "nADE", "nFDE", "nADE_linear", "nADE_quadratic", "real_time_factor"} <= set(
        metrics
    )
    assert {"T/out/ADE_mean", "圧力.a/ADE_max", "T/out/FDE_std"} <= set(metrics)
    assert not any("fixed" in name for name in metrics), "byproducts stay in the files"
    # The aggregate is the mean of the table in the files.
    with next((artifacts / "loss").glob("loss_T_out*_ADE.csv")).open() as file:
        table = [float(row[1]) for row in list(csv.reader(file))[1:]]
    assert table == sorted(table)
    assert metrics["T/out/ADE_mean"] == pytest.approx(np.mean(table), rel=1e-4)


def test_scores_compare_the_same_rows(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    tmp_path, _ = finished
    _, artifacts = recorded_run(tmp_path, "e2e")
    predicted = np.loadtxt(artifacts / "csv" / "case4.v1.csv", delimiter=",", skiprows=2)
    truth = np.loadtxt(tmp_path / "plant" / "case4.v1.csv", delimiter=",", skiprows=2)
    assert predicted[0, 0] == 10.0
    assert predicted[-1, 0] == truth[-1, 0]
    np.testing.assert_allclose(predicted[:, 1], truth[10:, 1], atol=1e-6)
    error = np.abs(predicted[:, 2] - truth[10:, 2])
    table = (artifacts / "figure" / "case4.v1" / "loss.txt").read_text().splitlines()
    _, unit, ade, fde = next(line for line in table if line.startswith("T/out")).split()
    assert unit == "degC"
    assert float(ade) == pytest.approx(error.mean(), rel=1e-3)
    assert float(fde) == pytest.approx(error[-1], rel=1e-3, abs=1e-5)


def test_main_returns_the_best_validation_loss(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    tmp_path, done = finished
    run, _ = recorded_run(tmp_path, "e2e")
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    history = [metric.value for metric in client.get_metric_history(run.info.run_id, "val_loss")]
    assert len(history) == 3
    returned = next(line for line in done.stdout.splitlines() if line.startswith("RETURNED"))
    assert float(returned.split()[1]) == pytest.approx(min(history))


def test_the_end_says_scores_and_where_things_are(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    text = finished[1].stdout + finished[1].stderr
    assert "constant over all cases, not seen by the network: 'fixed'" in text
    assert "persistence ADE" in text
    assert "worst test cases:" in text
    assert "artifacts are in" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["dataset=csv"], "dataset.controls, dataset.path: no value given"),
        (["model.widht=3"], "model.widht: no such key; did you mean width?"),
        (["settings.epochs=abc"], "settings.epochs: Value 'abc'"),
        (
            ["dataset=csv", "dataset.path=nowhere", "dataset.controls=1"],
            "dataset.path=nowhere: No such file or directory",
        ),
        # Before the cases are read.
        (
            ["settings.device=cuda:99", "dataset=csv", "dataset.path=nowhere", "dataset.controls=1"],
            "settings.device=cuda:99: torch sees",
        ),
        (
            ["model=dot", "model.heads=3"],
            "model.heads=3: must divide model.trunk_dim=256",
        ),
    ],
)
def test_refusals_are_one_line_with_exit_code_2(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = run_train(tmp_path, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "mlflow.db").exists()


def test_bad_cases_stop_before_anything_is_recorded(tmp_path: Path) -> None:
    plant = write_plant(tmp_path / "plant")
    for name, line in (("case1.v1.csv", 5), ("case3.v1.csv", 9)):
        lines = (plant / name).read_text().splitlines()
        lines[line - 1] = lines[line - 1].replace(lines[line - 1].split(",")[2], "oops")
        (plant / name).write_text("\n".join(lines))
    done = run_train(tmp_path, "dataset=csv", f"dataset.path={plant}", "dataset.controls=1", *SMALL)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    for name, line in (("case1.v1.csv", 5), ("case3.v1.csv", 9)):
        assert f"{name}: line {line}, column 3 ('T/out'): text 'oops' where a number is expected" in done.stderr
    assert not (tmp_path / "mlflow.db").exists()


def test_resuming_what_is_not_there(tmp_path: Path) -> None:
    done = run_train(tmp_path, "resume=nothing")
    assert done.returncode == 2
    assert "resume=nothing: no such run in" in done.stderr


@pytest.mark.slow
def test_a_record_is_cut_in_time_and_its_stretches_give_the_names(tmp_path: Path) -> None:
    """60 rows: 9 to test, 9 to validate, two gaps of 4, 34 to train; one column is ignored."""
    plant = write_plant(tmp_path / "plant", count=1)
    done = run_train(
        tmp_path, "dataset=csv", f"dataset.path={plant}", "dataset.controls=1", "dataset.ignore=[fixed]",
        "dataset.split=time", "settings.in_len=4", "settings.is_save_model=True", "settings.mlflow_exp_name=one", *SMALL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "rows of 1 record: 34 to train, 9 to validate, 9 to test; 8 lost in gaps of 4 rows" in done.stdout
    _, artifacts = recorded_run(tmp_path, "one")
    assert [path.name for path in (artifacts / "csv").iterdir()] == ["case0.v1 (51 to 59 s).csv"]
    assert [path.name for path in (artifacts / "figure").iterdir()] == ["case0.v1 (51 to 59 s)"]
    with (artifacts / "errors.csv").open(encoding="utf-8") as file:
        assert {row["case"] for row in csv.DictReader(file)} == {"case0.v1 (51 to 59 s)"}
    saved = torch.load(artifacts / "lit_model.pth", weights_only=True, map_location="cpu")
    assert saved["description"]["channels"]["predicted"] == ("T/out", "圧力.a")


@pytest.mark.slow
def test_members_of_an_ensemble_are_the_runs_of_their_seeds(
    finished: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    """The split is by name, so that the seed moves the weights and the batches alone."""
    plant = finished[0] / "plant"
    arguments = [
        "dataset=csv", f"dataset.path={plant}", "dataset.controls=1", "dataset.targets=['T/out','圧力.a']",
        "dataset.test=2", "dataset.split=last", "settings.is_save_model=True", *SMALL,
    ]  # fmt: skip
    done = run_train(tmp_path, *arguments, "settings.ensemble=2", "settings.mlflow_exp_name=two")
    assert done.returncode == 0, done.stderr
    second = f"settings.seed={member_seed(42, 1)}"
    assert run_train(tmp_path, *arguments, second, "settings.mlflow_exp_name=second").returncode == 0
    run, artifacts = recorded_run(tmp_path, "two")
    two = torch.load(artifacts / "lit_model.pth", weights_only=True)
    for member, place in enumerate((recorded_run(finished[0], "e2e")[1], recorded_run(tmp_path, "second")[1])):
        alone = torch.load(place / "lit_model.pth", weights_only=True)["weights"]
        for key, value in alone.items():
            if key.startswith("network."):
                assert torch.equal(two["weights"][key.replace("network.", f"network.members.{member}.", 1)], value)
    metrics = run.data.metrics
    assert {"coverage_90", "T/out/coverage_90", "member1/val_loss", "val_loss"} <= set(metrics)
    assert (artifacts / "band" / "case4.v1.csv").exists()
    assert "the uncertainty band rests on" in done.stdout
    # The recorded coverage is that of the files: rows of the truth between the edges.
    held = []
    for case in ("case4.v1", "case5.v1"):
        edges = np.loadtxt(artifacts / "band" / f"{case}.csv", delimiter=",", skiprows=2)
        truth = np.loadtxt(plant / f"{case}.csv", delimiter=",", skiprows=2)[10:]
        held.append(np.mean((edges[:, 1] <= truth[:, 2]) & (truth[:, 2] <= edges[:, 2])))
    assert metrics["T/out/coverage_90"] == pytest.approx(np.mean(held), abs=0.02)
