"""FMUs as simulators: read, planned, run by both interfaces of both versions, and the cases that they cost."""

import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fmpy")
from plant_fmu import FAULTS, build_fmu, describe

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.dataset import FmiType, FmuConfig, Sampling
from surrogate_modeling.generation.fmu import Fmu, plan_fmu
from surrogate_modeling.generation.fmu_model import read_fmu
from surrogate_modeling.generation.folder import generate_cases
from surrogate_modeling.generation.listing import list_fmu
from surrogate_modeling.generation.pool import Running
from surrogate_modeling.generation.simulator import CaseFailed, CaseTable, PlanError, ProcessSpent

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
STEADY = {"range": [1, 1], "family": "constant"}


@pytest.fixture(scope="module")
def plants(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    folder = tmp_path_factory.mktemp("plants")
    return {version: build_fmu(folder / f"plant{version}.fmu", version) for version in (2, 3)}


def planned(fmu: Path, **keys: object) -> Fmu:
    """With the keys of the dataset that matter."""
    short = {"duration": 20.0, "output_step": 0.1, "parameter_ranges": {"gain": [0.5, 2.0]}, "trust": True, "path": "x"}
    return plan_fmu(FmuConfig("fmu", fmu=str(fmu), controls=None, **{**short, **keys}))[0]  # type: ignore[arg-type]


def run(fmu: Fmu, scratch: Path, number: int = 1) -> CaseTable:
    return fmu.prepare(scratch)(number)


@pytest.mark.parametrize("version", [2, 3])
def test_co_simulation_is_the_solution_by_hand(plants: dict[int, Path], version: int, tmp_path: Path) -> None:
    """x follows on gain u, the values of the row at the end of each step, with a time constant of 2 s."""
    fmu = planned(plants[version], start={"bias": 0.5})
    table = run(fmu, tmp_path, 3)
    assert table.units == {"u": "%", "on": "-", "gain": "-", "x": "K", "y, squared": "-"}
    assert fmu.controls == ("u", "on", "gain")
    np.testing.assert_array_equal(table.time, np.arange(201) * 0.1)
    u, on, gain, x, y = table.values.T
    assert len(set(u)) > 5
    assert set(on) == {0.0, 1.0}
    assert len(set(gain)) == 1
    expected = [0.5]
    for k in range(1, 201):
        target = on[k] * gain[k] * u[k]
        expected.append(target + (expected[-1] - target) * np.exp(-0.1 / 2))
    np.testing.assert_allclose(x, expected, rtol=1e-12)
    np.testing.assert_allclose(y, x**2, rtol=1e-12)
    again = run(fmu, tmp_path / "again", 3)
    np.testing.assert_array_equal(again.values, table.values)


@pytest.mark.parametrize("version", [2, 3])
def test_model_exchange_takes_inputs_linear_between_rows(plants: dict[int, Path], version: int, tmp_path: Path) -> None:
    fmu = planned(
        plants[version], fmi_type=FmiType.model_exchange, start={"bias": 0.5},
        inputs={"u": {"range": [0, 1], "family": "ramps"}, "on": STEADY},
    )  # fmt: skip
    runs = fmu.prepare(tmp_path)
    for number in (1, 2):
        u, _, gain, x, _ = runs(number).values.T
        assert len(set(u)) > 5
        expected, tau, step = [0.5], 2.0, 0.1
        for k in range(1, 201):
            slope, before, after = gain[0] * (u[k] - u[k - 1]) / step, gain[0] * u[k - 1], gain[0] * u[k]
            rest = (expected[-1] - before + tau * slope) * np.exp(-step / tau)
            expected.append(after - tau * slope + rest)
        np.testing.assert_allclose(x, expected, atol=2e-4)


def test_what_the_description_says(plants: dict[int, Path]) -> None:
    model = read_fmu(plants[3])
    assert (model.name, model.version, model.kinds) == ("plant", "3.0", ("co_simulation", "model_exchange"))
    assert (model.tool, model.step, model.is_single) == ("a test", 0.1, False)
    u = model.of("input")["u"]
    assert (u.unit, u.start, u.low, u.high, u.is_whole, u.description) == ("%", 0, 0, 1, False, "opening of the valve")
    on = model.of("input")["on"]
    assert (on.start, on.low, on.high, on.is_whole) == (0, 0, 1, True)
    assert list(model.of("output")) == ["x", "y, squared"]
    assert {item.name for item in model.variables if item.is_settable} == {"u", "on", "gain", "bias"}


def test_the_list_is_a_plan(plants: dict[int, Path], tmp_path: Path) -> None:
    text = list_fmu(read_fmu(plants[2]))
    assert "# u           input      %     0      0    1    opening of the valve" in text.splitlines()
    plan = tmp_path / "plan.yaml"
    plan.write_text(text)
    assert planned(plants[2], plan=str(plan)).content() == planned(plants[2]).content()
    edited = text.replace('#  "gain": [0.5, 2]', '  "gain": [0.6, 0.7]').replace('["x", ', "[")
    plan.write_text(edited)
    fmu = planned(plants[2], plan=str(plan), parameter_ranges=None, units={"y, squared": "K2"})
    assert fmu.plan.parameters == {"gain": (0.6, 0.7)}
    assert (fmu.outputs, fmu.units["y, squared"]) == (("y, squared",), "K2")
    assert fmu.content()["units"] == {"u": "%", "on": "-", "gain": "-", "y, squared": "K2"}
    plan.write_text(text.replace('#  "bias"', '  "bias"'))
    with pytest.raises(PlanError, match=r"parameter_ranges.bias = \['LOW', 'HIGH'\]: give two numbers"):
        planned(plants[2], plan=str(plan), parameter_ranges=None)


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"inputs": {"uu": [0, 1]}}, "inputs: 'uu' is not among the inputs of the FMU; did you mean u?"),
        ({"inputs": {"valve": [0, 1]}}, "inputs: 'valve' is not among the inputs of the FMU; there are u, on"),
        ({"inputs": {"u": [0, 5]}}, r"u: range \[0.0, 5.0\]; the model description allows 0 to 1"),
        ({"parameter_ranges": {"gian": [1, 2]}}, "parameter_ranges: 'gian' .* did you mean gain?"),
        ({"parameter_ranges": {"x": [1, 2]}}, "parameter_ranges: 'x' is not among what can be set"),
        ({"start": {"y": 1}}, "start: 'y' is not among what can be set"),
        ({"start": [1]}, r"start = \[1\]: give a mapping"),
        ({"start": {"bias": "high"}}, "start.bias = high: give a number"),
        ({"start": {True: 1}}, "start: True: put this name in quotes"),
        ({"inputs": {"u": {"file": "nowhere"}}}, "nowhere"),
        ({"outputs": ["z"]}, "outputs: 'z' is not among the variables of the FMU"),
        ({"plan": "nowhere.yaml"}, "plan = nowhere.yaml: No such file"),
    ],
)
def test_plans_that_do_not_fit_the_fmu(plants: dict[int, Path], keys: dict, text: str) -> None:
    with pytest.raises(PlanError, match=text):
        planned(plants[2], **keys)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("inputs: [", "cannot be read as YAML"),
        ("- u", "keys are expected: inputs, parameter_ranges, outputs, start"),
        ("input: {u: [0, 1]}", "input unknown; known: inputs"),
    ],
)
def test_files_of_plans_that_cannot_be_used(plants: dict[int, Path], tmp_path: Path, content: str, text: str) -> None:
    (tmp_path / "plan.yaml").write_text(content)
    with pytest.raises(PlanError, match=rf"plan = .*plan.yaml: {text}"):
        planned(plants[2], plan=str(tmp_path / "plan.yaml"))


def test_files_that_cannot_be_run(plants: dict[int, Path], tmp_path: Path) -> None:
    def refused(content: dict[str, str], text: str) -> None:
        with zipfile.ZipFile(tmp_path / "a.fmu", "w") as archive:
            for name, body in content.items():
                archive.writestr(name, body)
        with pytest.raises(UserError, match=text):
            read_fmu(tmp_path / "a.fmu")

    good = describe(2, ("co_simulation",))
    refused({"modelDescription.xml": good}, "holds no binary for .*, only for nothing")
    refused({"modelDescription.xml": good[:200]}, "modelDescription.xml cannot be read")
    refused({"a.txt": ""}, "modelDescription.xml cannot be read")
    refused({"modelDescription.xml": describe(2, ())}, "neither co-simulation nor model exchange")
    (tmp_path / "b.fmu").write_bytes(plants[2].read_bytes()[:1000])
    with pytest.raises(UserError, match="no FMU, which is a zip file"):
        read_fmu(tmp_path / "b.fmu")
    with pytest.raises(UserError, match="No such file"):
        read_fmu(tmp_path / "c.fmu")
    exchange = build_fmu(tmp_path / "me.fmu", kinds=("model_exchange",))
    assert planned(exchange).kind == "model_exchange"
    with pytest.raises(PlanError, match="fmi_type = co_simulation: .* offers model_exchange only"):
        planned(exchange, fmi_type=FmiType.co_simulation)
    unsaid = describe(2, ("co_simulation",)).replace('min="0" max="1"', "")
    with zipfile.ZipFile(plants[2]) as archive, zipfile.ZipFile(tmp_path / "d.fmu", "w") as other:
        for name in archive.namelist():
            other.writestr(name, unsaid if name.endswith(".xml") else archive.read(name))
    with pytest.raises(PlanError, match="the model description says no min and max of u; .*list=True"):
        planned(tmp_path / "d.fmu")


REASONS = {
    "crash": r"the process died over this case \(SIGSEGV\): about to crash",
    "hang": "not done after 4 s",
    "error": r"fmi3DoStep failed with status 3 \(error\).",
    "fatal": r"fmi2DoStep failed with status 4 \(fatal\)\. No call may follow: the FMU's process was ended",
}


@pytest.mark.parametrize("fault", ["crash", "error", "fatal", pytest.param("hang", marks=pytest.mark.slow)])
def test_an_fmu_that_crashes_hangs_or_gives_up_costs_its_case_only(fault: str, tmp_path: Path) -> None:
    version = 3 if fault == "error" else 2
    fmu = planned(build_fmu(tmp_path / "a.fmu", version, fault=fault), sampling=Sampling.latin_hypercube, cases=4)
    bad = [number for number in range(1, 5) if fmu.plan.parameter_values(number)["gain"] > 1.5]
    assert 0 < len(bad) < 4
    result = generate_cases(tmp_path / "cases", fmu, 4, Running(2, timeout=4.0, attempts=2))
    assert [failure.number for failure in result.failed] == bad
    for failure in result.failed:
        assert re.fullmatch(REASONS[fault], failure.reason), failure.reason
    assert result.written == [number for number in range(1, 5) if number not in bad]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("version", "fault"), [(2, "fatal"), (3, "error")])
def test_what_fails_within_the_solver_is_what_the_fmu_said(version: int, fault: str, tmp_path: Path) -> None:
    """CVode is C code, in which exceptions are lost; the plant crashes if it is called after a fatal error."""
    fmu = planned(
        build_fmu(tmp_path / "a.fmu", version, fault=fault), fmi_type=FmiType.model_exchange,
        inputs={"u": [0, 1], "on": STEADY}, parameter_ranges={"gain": [1, 2]},
    )  # fmt: skip
    runs, gains = fmu.prepare(tmp_path), [fmu.plan.parameter_values(number)["gain"] for number in range(1, 5)]
    good, bad = (1 + next(i for i, gain in enumerate(gains) if (gain > 1.5) == over) for over in (False, True))
    what = "fmi2GetDerivatives failed with status 4" if version == 2 else "fmi3GetContinuousStateDerivatives failed"
    with pytest.raises(ProcessSpent if fault == "fatal" else CaseFailed, match=what):
        runs(bad)
    if fault == "error":
        assert np.isfinite(runs(good).values).all()


def test_an_fmu_that_ends_the_simulation_fails_with_the_time(tmp_path: Path) -> None:
    assert "end" in FAULTS
    fmu = planned(build_fmu(tmp_path / "a.fmu", 3, fault="end"))
    with pytest.raises(CaseFailed, match="the FMU ended the simulation at 1 s"):
        run(fmu, tmp_path)


def test_inputs_without_a_plan_stay(plants: dict[int, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    fmu = planned(plants[2], inputs={"u": [0.5, 1]}, outputs=["x", "der(x)"])
    assert "inputs without a plan stay at their start values: on" in caplog.text
    assert "asks for steps" not in caplog.text
    planned(plants[2], output_step=0.25)
    assert "the FMU asks for steps of 0.1 s, of which output_step = 0.25 s is no multiple" in caplog.text
    values = run(fmu, tmp_path).values
    # Off: nothing drives x, and its derivative is -x / 2.
    np.testing.assert_array_equal(values[:, 2:], np.zeros((201, 2)))
