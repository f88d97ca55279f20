"""The FMU as other tools see it: FMPy against the free run, and what a master may and may not do."""

import ctypes
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

fmpy = pytest.importorskip("fmpy")
from exported import CHANNELS, IN_LEN, SMALL, STACKED, STEP, make, with_units  # noqa: E402
from fmu_slave import Slave, write_lstm  # noqa: E402

from surrogate_modeling.common.errors import UserError  # noqa: E402
from surrogate_modeling.config.settings import StartMode  # noqa: E402
from surrogate_modeling.deployment.export_check import prediction_difference, random_cases  # noqa: E402
from surrogate_modeling.deployment.fmu import export  # noqa: E402
from surrogate_modeling.deployment.fmu.export import export_fmu, run_fmu  # noqa: E402
from surrogate_modeling.surrogate.one_unit import UnitSurrogate  # noqa: E402

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
ROUNDING = 2e-5


# The portfolio holds trees, a network with a state and one with a window.
QUICK = {
    ("ssm", True, 2.0),
    ("portfolio", True, 2.0),
}
ALL = [
    pytest.param(name, increment, version, marks=() if (name, increment, version) in QUICK else pytest.mark.slow)
    for name in (*SMALL, *STACKED)
    for increment in (False, True)
    for version in (2.0, 3.0)
]


@pytest.mark.parametrize(("name", "increment", "version"), ALL)
def test_trajectory_is_the_free_run(tmp_path: Path, name: str, increment: bool, version: float) -> None:
    surrogate = make(name, increment=increment)
    path = tmp_path / "model.fmu"
    difference = export_fmu(surrogate, path, version=version)
    assert difference is not None
    assert difference.relative < ROUNDING
    # Once more here, without the exporter's own comparison.
    initial, controls = random_cases(surrogate, cases=1, rows=150)
    predicted = run_fmu(surrogate, path, initial[0], controls[0])
    assert predicted.shape == (150, 3)
    reference = surrogate.free_run(initial[0], controls[0])
    assert np.ptp(reference, axis=0).min() > 0
    assert prediction_difference(surrogate, predicted, reference).relative < ROUNDING
    assert fmpy.validation.validate_fmu(str(path)) == []
    assert fmpy.read_model_description(str(path)).fmiVersion == f"{version}"


@pytest.mark.parametrize(
    ("name", "version"),
    [("ssm", 3.0), *(pytest.param(n, 2.0, marks=pytest.mark.slow) for n in ("don", "nss", "ssm-stacked"))],
)
def test_a_start_at_rest_needs_controls_alone(tmp_path: Path, name: str, version: float) -> None:
    surrogate = make(name, start=StartMode.rest)
    none, controls = random_cases(surrogate, cases=1, rows=30)
    difference = export_fmu(surrogate, tmp_path / "a.fmu", [(none, controls)], version)
    assert difference is not None
    assert difference.relative < ROUNDING
    known = fmpy.read_model_description(str(tmp_path / "a.fmu"))
    given = [variable.name for variable in known.modelVariables if variable.causality == "parameter"]
    assert given == [f"initial[1].{column}" for column in CHANNELS.controls]
    # Before the first step the outputs are those that follow from the controls.
    scaling, first_row = surrogate.scaling, surrogate.first_row
    assert first_row is not None
    standardised = scaling.standardise(torch.from_numpy(controls[0, 0]), slice(0, 2))
    row = scaling.restore(first_row(standardised), slice(2, 5)).numpy()
    step = surrogate.description.step
    for started in (False, True):
        # A run of no step, and one of a step, whose first output is that before it.
        result = fmpy.simulate_fmu(
            str(tmp_path / "a.fmu"), stop_time=step * started, step_size=step, output_interval=step
        )
        first = [result[name][0] for name in CHANNELS.predicted]
        np.testing.assert_allclose(first, row, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "version", "start"),
    [pytest.param("lstm", 2.0, StartMode.rows, marks=pytest.mark.slow), ("ssm", 3.0, StartMode.rest)],
)
def test_parameters_have_one_value_that_holds_in_the_given_rows_too(
    tmp_path: Path, name: str, version: float, start: StartMode
) -> None:
    surrogate = make(name, start=start)
    surrogate.description = replace(surrogate.description, channels=replace(CHANNELS, parameters=("v/2",)))
    path = tmp_path / "a.fmu"
    difference = export_fmu(surrogate, path, version=version)
    assert difference is not None
    assert difference.relative < ROUNDING
    variables = {variable.name: variable for variable in fmpy.read_model_description(str(path)).modelVariables}
    parameter = variables["v/2"]
    assert (parameter.causality, parameter.variability, parameter.unit) == ("parameter", "fixed", "K")
    # The training mean.
    assert float(parameter.start) == pytest.approx(float(surrogate.scaling.level[1]))
    assert variables["u"].causality == "input"
    assert not [other for other in variables if other.startswith("initial[") and other.endswith(".v/2")]
    initial, controls = random_cases(surrogate, cases=1, rows=20)
    assert np.ptp(controls[0, :, 1]) == 0
    assert np.ptp(controls[0, :, 0]) > 0
    predicted = run_fmu(surrogate, path, initial[0], controls[0])
    assert prediction_difference(surrogate, predicted, surrogate.free_run(initial[0], controls[0])).relative < ROUNDING
    # The value counts: another gives another trajectory, and that of the free run.
    controls[0, :, 1] += 30
    other = run_fmu(surrogate, path, initial[0], controls[0])
    assert np.abs(other - predicted).max() > 1e-3
    assert prediction_difference(surrogate, other, surrogate.free_run(initial[0], controls[0])).relative < ROUNDING


@pytest.fixture(scope="module")
def lstm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lstm(tmp_path_factory.mktemp("fmu"), 2.0)


@pytest.fixture(scope="module")
def lstm3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lstm(tmp_path_factory.mktemp("fmu"), 3.0)


@pytest.fixture(params=["lstm", "lstm3"])
def either(request: pytest.FixtureRequest) -> Path:
    """The same network as FMI 2.0 and as FMI 3.0."""
    path: Path = request.getfixturevalue(request.param)
    return path


def test_small_variations_on_a_large_level_go_through_in_double(tmp_path: Path) -> None:
    surrogate = make("don", level=1e12)
    difference = export_fmu(surrogate, tmp_path / "model.fmu")
    assert difference is not None
    assert difference.standardised < 1e-5


def test_a_unit_is_baked_in(tmp_path: Path) -> None:
    surrogate = with_units(make("ssm"))
    export_fmu(UnitSurrogate(surrogate, "new"), tmp_path / "new.fmu")
    initial, controls = random_cases(surrogate, cases=1, rows=30)
    predicted = run_fmu(surrogate, tmp_path / "new.fmu", initial[0], controls[0])
    reference = surrogate.free_run(initial[0], controls[0], unit="new")
    assert prediction_difference(surrogate, predicted, reference).relative < ROUNDING
    assert prediction_difference(surrogate, predicted, surrogate.free_run(initial[0], controls[0])).relative > 0.1


@pytest.mark.parametrize(("name", "version"), [("lstm", 2), ("lstm3", 3)])
def test_every_function_is_there_and_as_the_standard_declares_it(
    name: str, version: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Compiled once more with the published header in the place of our own types."""
    folder = Path(fmpy.extract(str(request.getfixturevalue(name)), str(tmp_path))) / "sources"
    headers = Path(fmpy.__file__).parent / "c-code"
    source = folder / f"fmi{version}_slave.c"
    before, types = source.read_text().split("typedef void *", 1)
    source.write_text(
        f'{before}#include "fmi{version}Functions.h"\ntypedef struct {{\n    Slave'
        + types.split("typedef struct {\n    Slave", 1)[1]
    )
    library = tmp_path / "checked.so"
    subprocess.run(
        ["cc", "-std=c99", "-w", "-shared", "-fPIC", f"-I{headers}", "-o", library, source, "-lm"], check=True
    )
    declared = (headers / f"fmi{version}Functions.h").read_text()
    if version == 2:
        _, common, rest = declared.split("Functions for FMI2 for Model Exchange")
        declared = common + rest.split("Functions for FMI2 for Co-Simulation")[1]
    names = set(re.findall(rf"FMI{version}_Export fmi{version}\w+TYPE\s+(\w+)", declared))
    assert len(names) > 25
    binary = ctypes.CDLL(str(library))
    assert [name for name in names if not hasattr(binary, name)] == []


def test_start_is_the_last_given_row_and_derivatives_carry_inputs_on(lstm: Path, tmp_path: Path) -> None:
    surrogate = make("lstm")
    initial, controls = random_cases(surrogate, cases=1, rows=20)
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


def test_several_steps_at_once_hold_the_input_and_others_are_refused(either: Path, tmp_path: Path) -> None:
    surrogate = make("lstm")
    initial, controls = random_cases(surrogate, cases=1, rows=20)
    controls[0, IN_LEN:] = controls[0, IN_LEN]
    slave = Slave(either, tmp_path)
    np.testing.assert_allclose(slave.outputs(), initial[0, -1])
    slave.fmu.exitInitializationMode()
    slave.set_controls(controls[0, IN_LEN])
    expected = surrogate.free_run(initial, controls)[0]
    np.testing.assert_allclose(slave.step(3 * STEP), expected[2], rtol=1e-4)
    state = slave.fmu.getFMUState()
    first = slave.step()
    for wrong in (0.7 * STEP, 0.0, -STEP, float("nan"), 1e300):
        with pytest.raises(fmpy.fmi1.FMICallException):
            slave.fmu.doStep(slave.time, wrong)
    with pytest.raises(fmpy.fmi1.FMICallException):
        slave.fmu.doStep(slave.time + 1, STEP)
    slave.fmu.setFMUState(state)
    slave.time -= STEP
    np.testing.assert_array_equal(slave.step(), first)
    copy = slave.read_state(slave.write_state(state))
    slave.fmu.setFMUState(copy)
    slave.time -= STEP
    np.testing.assert_array_equal(slave.step(), first)
    slave.fmu.freeFMUState(copy)
    slave.fmu.freeFMUState(state)
    with pytest.raises(fmpy.fmi1.FMICallException):
        slave.set([slave.references["p 1"]], [1.0])
    slave.fmu.terminate()
    with pytest.raises(fmpy.fmi1.FMICallException):
        slave.step()
    slave.fmu.freeInstance()


def test_a_value_that_is_no_finite_number_is_refused(either: Path, tmp_path: Path) -> None:
    """And changes nothing of what follows."""
    free, slave = Slave(either, tmp_path / "1"), Slave(either, tmp_path / "2")
    controls = np.array([0.5, 300.0])
    for value in (float("nan"), float("inf"), -float("inf")):
        for name in (CHANNELS.controls[1], f"initial[1].{CHANNELS.predicted[0]}"):
            with pytest.raises(fmpy.fmi1.FMICallException):
                slave.set([slave.references[name]], [value])
    for one in (free, slave):
        one.fmu.exitInitializationMode()
        one.set_controls(controls)
    first = free.step()
    with pytest.raises(fmpy.fmi1.FMICallException):
        slave.set_controls(np.array([0.5, np.nan]))
    if hasattr(slave.fmu, "setRealInputDerivatives"):
        with pytest.raises(fmpy.fmi1.FMICallException):
            slave.fmu.setRealInputDerivatives([slave.references[CHANNELS.controls[0]]], [1], [np.nan])
    np.testing.assert_array_equal(slave.step(), first)


def test_two_instances_do_not_meet(either: Path, tmp_path: Path) -> None:
    one, two = Slave(either, tmp_path / "1"), Slave(either, tmp_path / "2")
    for slave, value in ((one, 0.0), (two, 2.0)):
        slave.fmu.exitInitializationMode()
        slave.set_controls(np.array([value, 300.0]))
    first = one.step()
    assert not np.allclose(two.step(), first)
    alone = Slave(either, tmp_path / "3")
    alone.fmu.exitInitializationMode()
    alone.set_controls(np.array([0.0, 300.0]))
    np.testing.assert_array_equal(alone.step(), first)


def test_refusals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="out_len=2"):
        export_fmu(make("don", out_len=2), tmp_path / "a.fmu")
    surrogate = make("don")
    monkeypatch.setattr(export, "run_fmu", lambda *_, **__: np.zeros((60, 3)))
    with pytest.raises(UserError, match="the FMU differs from the surrogate by"):
        export_fmu(surrogate, tmp_path / "a.fmu")
    # What follows is of the compiler, whatever it is given.
    monkeypatch.setattr(export, "write_sources", lambda *_: {})
    monkeypatch.setenv("CC", "false")
    with pytest.raises(UserError, match="false failed"):
        export_fmu(surrogate, tmp_path / "a.fmu")
    monkeypatch.setenv("CC", "")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(UserError, match="no C compiler"):
        export_fmu(surrogate, tmp_path / "a.fmu")
    assert list(tmp_path.iterdir()) == []
