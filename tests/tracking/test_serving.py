"""The MLflow model: loaded and served by MLflow itself."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import mlflow
import numpy as np
import pytest
from builders import empty_store, make_band
from exported import CHANNELS, STEP, make, with_units

from surrogate_modeling.cases.case import Case
from surrogate_modeling.config.settings import StartMode
from surrogate_modeling.deployment.export_check import random_cases
from surrogate_modeling.deployment.loading import load_surrogate
from surrogate_modeling.tracking.run import Run
from surrogate_modeling.tracking.sender import MLFLOW_MODEL
from surrogate_modeling.tracking.serving import REQUIREMENTS, save_mlflow_model
from surrogate_modeling.tracking.store import tracking_uri


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("run-of-a-model")
    surrogate = make("don")
    surrogate.save(place / "lit_model.pth")
    initial, controls = random_cases(surrogate, 1, 20)
    truth = np.vstack((initial[0], surrogate.free_run(initial, controls)[0]))
    case = Case("a", np.arange(len(truth)) * STEP, np.hstack((controls[0], truth)), CHANNELS)
    save_mlflow_model(surrogate, place / "lit_model.pth", place / MLFLOW_MODEL, case)
    return place


def test_mlflow_loads_and_answers(folder: Path) -> None:
    model = mlflow.pyfunc.load_model(str(folder / MLFLOW_MODEL))
    surrogate = make("don")
    initial, controls = random_cases(surrogate, 2, 30)
    answer = model.predict({"initial": initial.astype(float), "controls": controls.astype(float)})
    np.testing.assert_allclose(answer, surrogate.free_run(initial, controls), rtol=1e-6)
    assert model.metadata.metadata["predicted"] == list(CHANNELS.predicted)
    assert model.metadata.metadata["step_seconds"] == STEP
    with pytest.raises(mlflow.exceptions.MlflowException, match="controls"):
        model.predict({"initial": initial.astype(float)})
    assert not list((folder / MLFLOW_MODEL).rglob("*.pkl"))


def test_a_start_at_rest_is_served_from_controls_alone(tmp_path: Path) -> None:
    surrogate = make("don", start=StartMode.rest)
    surrogate.save(tmp_path / "lit_model.pth")
    none, controls = random_cases(surrogate, 2, 20)
    case = Case("a", np.arange(21) * STEP, np.hstack((controls[0], np.zeros((21, 3)))), CHANNELS)
    save_mlflow_model(surrogate, tmp_path / "lit_model.pth", tmp_path / MLFLOW_MODEL, case)
    model = mlflow.pyfunc.load_model(str(tmp_path / MLFLOW_MODEL))
    assert model.metadata.get_input_schema().input_names() == ["controls"]
    assert model.metadata.metadata["start"] == "rest"
    answer = model.predict({"controls": controls.astype(float)})
    np.testing.assert_allclose(answer, surrogate.free_run(none, controls), rtol=1e-5)


def test_a_unit_is_served_by_its_name_and_a_band_by_its_scope(tmp_path: Path) -> None:
    surrogate = with_units(make("don"))
    surrogate.band = make_band([0, 9], [[1, 2, 30], [2, 4, 60]], [1, 1, 2])
    surrogate.save(tmp_path / "lit_model.pth")
    initial, controls = random_cases(surrogate, 2, 20)
    values = np.hstack((controls[0], np.zeros((len(controls[0]), 3))))
    case = Case("a", np.arange(len(values)) * STEP, values, CHANNELS)
    save_mlflow_model(surrogate, tmp_path / "lit_model.pth", tmp_path / MLFLOW_MODEL, case)
    model = mlflow.pyfunc.load_model(str(tmp_path / MLFLOW_MODEL))
    inputs = {"initial": initial.astype(float), "controls": controls.astype(float)}
    for unit, params in (("new", {"unit": "new"}), (None, {"unit": ""}), (None, None)):
        answer = model.predict(inputs, params=params)
        np.testing.assert_allclose(answer, surrogate.free_run(initial, controls, unit=unit), rtol=1e-5)
    with pytest.raises(mlflow.exceptions.MlflowException, match="unit=nwe: not among the 2 units"):
        model.predict(inputs, params={"unit": "nwe"})
    answer = model.predict(inputs, params={"unit": "new", "band": "all"})
    expected = surrogate.free_run_band(initial, controls, unit="new", scope="all")
    for name, rows in zip(("predicted", "lower", "upper"), expected, strict=True):
        np.testing.assert_allclose(answer[name], rows, rtol=1e-5)
    with pytest.raises(mlflow.exceptions.MlflowException, match="band=each: must be one of row, trajectory, all"):
        model.predict(inputs, params={"band": "each"})


@pytest.mark.parametrize(
    ("name", "place", "value", "said"),
    [
        ("controls", (1, 4, 1), float("nan"), "controls[1][4][1] (v/2) is not a finite 32-bit number"),
        ("initial", (0, 2, 0), float("-inf"), "initial[0][2][0] (p 1) is not a finite 32-bit number"),
        ("controls", (0, 0, 0), 1e300, "controls[0][0][0] (u) is not a finite 32-bit number"),
    ],
)
def test_what_is_not_a_finite_number_is_refused_with_its_place(
    folder: Path, name: str, place: tuple[int, ...], value: float, said: str
) -> None:
    model = mlflow.pyfunc.load_model(str(folder / MLFLOW_MODEL))
    initial, controls = random_cases(make("don"), 2, 30)
    given = {"initial": initial.astype(float), "controls": controls.astype(float)}
    given[name][place] = value
    with pytest.raises(mlflow.exceptions.MlflowException) as caught:
        model.predict(given)
    assert said in str(caught.value)
    assert caught.value.get_http_status_code() == 400


def test_shapes_that_do_not_fit_are_refused(folder: Path) -> None:
    model = mlflow.pyfunc.load_model(str(folder / MLFLOW_MODEL))
    initial, controls = random_cases(make("don"), 2, 30)
    with pytest.raises(mlflow.exceptions.MlflowException, match="initial: shape") as caught:
        model.predict({"initial": initial[:1].astype(float), "controls": controls.astype(float)})
    assert caught.value.get_http_status_code() == 400


def test_a_served_surrogate_needs_no_more_than_is_listed(tmp_path: Path) -> None:
    """Of what this project requires, nothing else is loaded with a surrogate, nor later by its free run."""
    others = (
        "pyarrow omegaconf hydra optuna pytorch_lightning scipy matplotlib rich filelock platformdirs numba CoolProp "
        "sklearn pandas"
    )
    code = (
        "import sys, numpy as np\n"
        f"sys.modules.update(dict.fromkeys({others.split()}))\n"
        "from surrogate_modeling.surrogate.model import Surrogate\n"
        "for path in sys.argv[1:]:\n"
        "    surrogate = Surrogate.load(path)\n"
        "    sizes = surrogate.description.sizes\n"
        "    initial, controls = np.zeros((1, sizes.in_len, sizes.predicted)), np.zeros((1, 30, sizes.controls))\n"
        "    assert np.isfinite(surrogate.free_run(initial, controls)).all()\n"
    )
    files = [str(tmp_path / f"{network}.pth") for network in ("don", "ssm", "trees")]
    for file in files:
        make(Path(file).stem).save(Path(file))
    done = subprocess.run([sys.executable, "-c", code, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert REQUIREMENTS == ["mlflow", "torch", "numpy"]


def test_a_registered_version_is_found_by_its_uri(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", empty_store(tmp_path))
    copy = tmp_path / "run"
    copy.mkdir()
    for item in folder.rglob("*"):
        target = copy / item.relative_to(folder)
        target.mkdir(parents=True) if item.is_dir() else target.write_bytes(item.read_bytes())
    run = Run.start(copy, "registered", "a run", {}, {})
    run.register_model("plant")
    assert run.finish("FINISHED") is not None
    client = mlflow.MlflowClient(tracking_uri())
    (version,) = client.search_model_versions("name = 'plant'")
    for reference in ("models:/plant/1", "models:/plant/latest", version.run_id, f"runs:/{version.run_id}/model"):
        assert load_surrogate(reference).description == make("don").description


@pytest.mark.slow
def test_a_request_over_http(folder: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["models", "serve", "-m", str(folder / MLFLOW_MODEL), "--env-manager", "local", "-p", str(port)]
    # MLflow starts uvicorn by its name.
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    server = subprocess.Popen(
        [sys.executable, "-m", "mlflow", *command], start_new_session=True, env={**os.environ, "PATH": path}
    )
    surrogate = make("don")
    initial, controls = random_cases(surrogate, 1, 5)
    body = json.dumps({"inputs": {"initial": initial.tolist(), "controls": controls.tolist()}}).encode()
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5)
                break
            except OSError:
                time.sleep(0.5)
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/invocations", body, {"Content-Type": "application/json"}
        )
        answer = json.load(urllib.request.urlopen(request, timeout=30))
        refusals = []
        for bad in (None, float("nan")):
            inputs = {"initial": initial.tolist(), "controls": controls.tolist()}
            inputs["controls"][0][3][1] = bad
            request.data = json.dumps({"inputs": inputs}).encode()
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(request, timeout=30)
            refusals.append((refused.value.code, json.load(refused.value)["message"]))
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)
    for status, message in refusals:
        assert status == 400
        assert "controls[0][3][1] (v/2) is not a finite 32-bit number" in message
    np.testing.assert_allclose(answer["predictions"], surrogate.free_run(initial, controls), rtol=1e-5)
