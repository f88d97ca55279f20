"""The MLflow model: loaded and served by MLflow itself."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import mlflow
import numpy as np
import pytest
from exported import CHANNELS, STEP, make

from surrogate_modeling.cases.case import Case
from surrogate_modeling.deployment.export_check import check_cases
from surrogate_modeling.deployment.loading import load_surrogate
from surrogate_modeling.tracking.run import Run
from surrogate_modeling.tracking.sender import MLFLOW_MODEL
from surrogate_modeling.tracking.serving import save_mlflow_model
from surrogate_modeling.tracking.store import tracking_uri


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("run-of-a-model")
    surrogate = make("don")
    surrogate.save(place / "lit_model.pth")
    initial, controls = check_cases(surrogate, 1, 20)
    truth = np.vstack((initial[0], surrogate.free_run(initial, controls)[0]))
    case = Case("a", np.arange(len(truth)) * STEP, np.hstack((controls[0], truth)), CHANNELS)
    save_mlflow_model(surrogate, place / "lit_model.pth", place / MLFLOW_MODEL, case)
    return place


def test_mlflow_loads_and_answers(folder: Path) -> None:
    model = mlflow.pyfunc.load_model(str(folder / MLFLOW_MODEL))
    surrogate = make("don")
    initial, controls = check_cases(surrogate, 2, 30)
    answer = model.predict({"initial": initial.astype(float), "controls": controls.astype(float)})
    np.testing.assert_allclose(answer, surrogate.free_run(initial, controls), rtol=1e-6)
    assert model.metadata.metadata["predicted"] == list(CHANNELS.predicted)
    assert model.metadata.metadata["step_seconds"] == STEP
    with pytest.raises(mlflow.exceptions.MlflowException, match="controls"):
        model.predict({"initial": initial.astype(float)})
    assert not list((folder / MLFLOW_MODEL).rglob("*.pkl"))


def test_a_registered_version_is_found_by_its_uri(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
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
    initial, controls = check_cases(surrogate, 1, 5)
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
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)
    np.testing.assert_allclose(answer["predictions"], surrogate.free_run(initial, controls), rtol=1e-5)
