"""The FMU as other tools see it: FMPy against the free run, and what a master may and may not do."""

import shutil
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

fmpy = pytest.importorskip("fmpy")
from exported import CHANNELS, IN_LEN, SMALL, STEP, make  # noqa: E402
from fmpy.fmi2 import FMU2Slave  # noqa: E402

from surrogate_modeling.config import UserError  # noqa: E402
from surrogate_modeling.export_check import check_cases, measure  # noqa: E402
from surrogate_modeling.fmu import export  # noqa: E402
from surrogate_modeling.fmu.export import export_fmu, run_fmu  # noqa: E402

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
ROUNDING = 2e-5


QUICK = {("dot", False), ("don", False), ("lstm", False), ("ssm", True)}
ALL = [
    pytest.param(name, increment, marks=() if (name, increment) in QUICK else pytest.mark.slow)
    for name in SMALL
    for increment in (False, True)
]


@pytest.mark.parametrize(("name", "increment"), ALL)
def test_trajectory_is_the_free_run(tmp_path: Path, name: str, increment: bool) -> None:
    surrogate = make(name, increment=increment)
    path = tmp_path / "model.fmu"
    difference = export_fmu(surrogate, path)
    assert difference is not None
    assert difference.relative < ROUNDING
    # Once more here, without the exporter's own comparison.
    initial, controls = check_cases(surrogate, cases=1, rows=150)
    predicted = run_fmu(surrogate, path, initial[0], controls[0])
    assert predicted.shape == (150, 3)
    reference = surrogate.free_run(initial[0], controls[0])
    assert np.ptp(reference, axis=0).min() > 0
    assert measure(surrogate, predicted, reference).relative < ROUNDING
    assert fmpy.validation.validate_fmu(str(path)) == []


@pytest.fixture(scope="module")
def lstm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fmu") / "plant 1.fmu"
    surrogate = make("lstm")
    export_fmu(surrogate, path, check_cases(surrogate, cases=1, rows=20))
    return path


def test_names_units_start_values_and_sources(lstm: Path) -> None:
    surrogate = make("lstm")
    initial, controls = check_cases(surrogate, cases=1, rows=20)
    with zipfile.ZipFile(lstm) as archive:
        root = ElementTree.fromstring(archive.read("modelDescription.xml"))
        assert {"sources/fmi2_slave.c", "sources/model.h", "sources/routines.h"} <= set(archive.namelist())
    variables = {item.get("name"): item for item in root.iter("ScalarVariable")}
    assert [name for name, item in variables.items() if item.get("causality") == "input"] == list(CHANNELS.controls)
    assert [name for name, item in variables.items() if item.get("causality") == "output"] == list(CHANNELS.predicted)
    assert len(variables) == 5 + IN_LEN * 5
    second = variables["initial[2].圧力.a"].find("Real")
    assert second is not None
    assert (second.get("unit"), float(second.get("start") or 0)) == ("kPa", pytest.approx(initial[0, 1, 2]))
    assert variables["u"].find("Real").get("unit") is None  # type: ignore[union-attr]
    assert root.find("DefaultExperiment").get("stepSize") == "0.5"  # type: ignore[union-attr]
    assert controls.shape == (1, 24, 2)


class Slave:
    """An FMU in the hands of a test."""

    def __init__(self, path: Path, folder: Path) -> None:
        description = fmpy.read_model_description(str(path))
        self.references = {item.name: item.valueReference for item in description.modelVariables}
        self.fmu = FMU2Slave(
            guid=description.guid, unzipDirectory=fmpy.extract(str(path), str(folder)), instanceName="a",
            modelIdentifier=description.coSimulation.modelIdentifier,
        )  # fmt: skip
        self.fmu.instantiate()
        self.fmu.setupExperiment(startTime=10.0)
        self.fmu.enterInitializationMode()
        self.time = 10.0

    def set_controls(self, row: np.ndarray) -> None:
        self.fmu.setReal([self.references[name] for name in CHANNELS.controls], row.tolist())

    def outputs(self) -> np.ndarray:
        return np.array(self.fmu.getReal([self.references[name] for name in CHANNELS.predicted]))

    def step(self, size: float = STEP) -> np.ndarray:
        self.fmu.doStep(self.time, size)
        self.time += size
        return self.outputs()


def test_start_is_the_last_given_row_and_derivatives_carry_inputs_on(lstm: Path, tmp_path: Path) -> None:
    surrogate = make("lstm")
    initial, controls = check_cases(surrogate, cases=1, rows=20)
    initial, controls = initial[0], controls[0]
    slave = Slave(lstm, tmp_path)
    np.testing.assert_allclose(slave.outputs(), initial[-1])
    slave.fmu.exitInitializationMode()
    np.testing.assert_allclose(slave.outputs(), initial[-1])
    expected = surrogate.free_run(initial, controls)
    for t, row in enumerate(expected):
        # Half of the steps by an input that rises during the step to the value of the row.
        slave.set_controls(controls[IN_LEN + t] - (1.5 if t % 2 else 0.0))
        if t % 2:
            references = [slave.references[name] for name in CHANNELS.controls]
            slave.fmu.setRealInputDerivatives(references, [1, 1], [1.5 / STEP] * 2)
        np.testing.assert_allclose(slave.step(), row, rtol=1e-4)


def test_several_steps_at_once_hold_the_input_and_others_are_refused(lstm: Path, tmp_path: Path) -> None:
    surrogate = make("lstm")
    initial, controls = check_cases(surrogate, cases=1, rows=20)
    controls[0, IN_LEN:] = controls[0, IN_LEN]
    slave = Slave(lstm, tmp_path)
    slave.fmu.exitInitializationMode()
    slave.set_controls(controls[0, IN_LEN])
    expected = surrogate.free_run(initial, controls)[0]
    np.testing.assert_allclose(slave.step(3 * STEP), expected[2], rtol=1e-4)
    state = slave.fmu.getFMUState()
    first = slave.step()
    for wrong in (0.7 * STEP, 0.0, -STEP):
        with pytest.raises(fmpy.fmi1.FMICallException):
            slave.fmu.doStep(slave.time, wrong)
    with pytest.raises(fmpy.fmi1.FMICallException):
        slave.fmu.doStep(slave.time + 1, STEP)
    slave.fmu.setFMUState(state)
    slave.time -= STEP
    np.testing.assert_array_equal(slave.step(), first)
    slave.fmu.freeFMUState(state)
    with pytest.raises(fmpy.fmi1.FMICallException):
        slave.fmu.setReal([slave.references["p 1"]], [1.0])
    slave.fmu.terminate()
    slave.fmu.freeInstance()


def test_two_instances_do_not_meet(lstm: Path, tmp_path: Path) -> None:
    one, two = Slave(lstm, tmp_path / "1"), Slave(lstm, tmp_path / "2")
    for slave, value in ((one, 0.0), (two, 2.0)):
        slave.fmu.exitInitializationMode()
        slave.set_controls(np.array([value, 300.0]))
    first = one.step()
    assert not np.allclose(two.step(), first)
    alone = Slave(lstm, tmp_path / "3")
    alone.fmu.exitInitializationMode()
    alone.set_controls(np.array([0.0, 300.0]))
    np.testing.assert_array_equal(alone.step(), first)


def test_refusals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="out_len=2"):
        export_fmu(make("don", out_len=2), tmp_path / "a.fmu")
    surrogate = make("don")
    monkeypatch.setattr(export, "run_fmu", lambda *_: np.zeros((60, 3)))
    with pytest.raises(UserError, match="the FMU differs from the surrogate by"):
        export_fmu(surrogate, tmp_path / "a.fmu")
    monkeypatch.setenv("CC", "false")
    with pytest.raises(UserError, match="false failed"):
        export_fmu(surrogate, tmp_path / "a.fmu")
    monkeypatch.delenv("CC")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(UserError, match="no C compiler"):
        export_fmu(surrogate, tmp_path / "a.fmu")
    assert list(tmp_path.iterdir()) == []
