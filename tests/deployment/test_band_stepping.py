"""Exports that carry a band: ONNX files and FMUs against the bands of the surrogate, at other sizes and lengths."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import make_band
from exported import CHANNELS, make, with_units

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.commands import Form
from surrogate_modeling.config.settings import StartMode
from surrogate_modeling.deployment.band_stepping import BandedFreeRun, BandedStep, CountingStart, edge_names
from surrogate_modeling.deployment.export_check import given_rows, random_cases
from surrogate_modeling.deployment.fmu.export import export_fmu, run_fmu
from surrogate_modeling.deployment.onnx_export import export_onnx, open_onnx, run_onnx
from surrogate_modeling.surrogate.band import BandScope
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.surrogate.one_unit import UnitSurrogate

NAMES = tuple(f"{name}_{edge}" for edge in ("lower", "upper") for name in CHANNELS.predicted)


def banded(name: str, copies: bool = True, **settings: object) -> Surrogate:
    """With knots that rows fall between, on and beyond; of whole trajectories the errors are those of the next knot."""
    surrogate = make(name, **settings)  # type: ignore[arg-type]
    band = make_band([0, 1, 3.5, 20], [[0.1, 1, 1], [2, 2, 10], [3, 2, 30], [4, 1, 40]], [1, 2, 3])
    surrogate.band = replace(band, of_copies=copies)
    return surrogate


def expected(surrogate: Surrogate, initial: np.ndarray, controls: np.ndarray, scope: BandScope) -> np.ndarray:
    return np.concatenate(surrogate.free_run_band(initial, controls, scope=scope), axis=-1)


@pytest.mark.parametrize("scope", list(BandScope))
@pytest.mark.parametrize(("name", "copies"), [("ssm", True), ("portfolio", True), ("portfolio", False), ("don", True)])
@torch.no_grad()
def test_row_by_row_gives_the_band_of_the_whole_trajectory(name: str, copies: bool, scope: BandScope) -> None:
    """The modules that are exported, without their export: some portfolios count the spread within an ensemble."""
    surrogate = banded(name, copies)
    initial, controls = random_cases(surrogate, 2, 40)
    start, step = CountingStart(surrogate), BandedStep(surrogate, scope)
    state = start(torch.from_numpy(given_rows(surrogate, initial, controls)))
    rows = []
    for t in range(surrogate.description.in_len, controls.shape[1]):
        state, *parts = step(state, torch.from_numpy(controls[:, t]))
        rows.append(torch.cat(parts, dim=-1))
    scale = np.tile(surrogate.predicted_scale, 3)
    reference = expected(surrogate, initial, controls, scope)
    np.testing.assert_allclose(torch.stack(rows, dim=1).numpy() / scale, reference / scale, atol=2e-5)


def test_without_a_band_or_with_such_names_there_is_none_to_export(tmp_path: Path) -> None:
    assert edge_names(CHANNELS) == NAMES
    surrogate = make("ssm")
    with pytest.raises(UserError, match="band=all: this surrogate has no uncertainty band"):
        BandedFreeRun(surrogate, BandScope.all)
    with pytest.raises(UserError, match="band=row: this surrogate has no uncertainty band"):
        export_fmu(surrogate, tmp_path / "a.fmu", scope=BandScope.row)
    channels = replace(CHANNELS, controls=("u", "p 1_upper"))
    channels.units["p 1_upper"] = "-"
    try:
        with pytest.raises(UserError, match="there is a column of the name 'p 1_upper'"):
            edge_names(channels)
    finally:
        del channels.units["p 1_upper"]


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
@pytest.mark.parametrize(
    ("name", "copies", "version", "start", "scope"),
    [
        ("ssm", True, 3.0, StartMode.rest, BandScope.row),
        *(
            pytest.param(*rest, marks=pytest.mark.slow)
            for rest in (
                ("portfolio", False, 2.0, StartMode.rows, BandScope.all),
                ("portfolio", True, 3.0, StartMode.rows, BandScope.trajectory),
                ("ssm-stacked", True, 2.0, StartMode.rows, BandScope.row),
                ("don", True, 2.0, StartMode.rest, BandScope.all),
                ("trees", True, 2.0, StartMode.rows, BandScope.all),
            )
        ),
    ],
)
def test_an_fmu_has_two_outputs_more_for_each_column(
    tmp_path: Path, name: str, copies: bool, version: float, start: StartMode, scope: BandScope
) -> None:
    fmpy = pytest.importorskip("fmpy")
    surrogate = banded(name, copies, **({} if name == "portfolio" else {"start": start}))
    path = tmp_path / "a.fmu"
    difference = export_fmu(surrogate, path, version=version, scope=scope)
    assert difference is not None
    assert difference.relative < 2e-5
    variables = {item.name: item for item in fmpy.read_model_description(str(path)).modelVariables}
    assert {variables[edge].causality for edge in NAMES} == {"output"}
    assert [variables[edge].unit for edge in NAMES] == [CHANNELS.units[c] for c in CHANNELS.predicted] * 2
    # Once more here, without the exporter's own comparison, beyond the last knot.
    initial, controls = random_cases(surrogate, 1, 70)
    found = run_fmu(surrogate, path, initial[0], controls[0], banded=True)
    if name != "trees":
        scale = np.tile(surrogate.predicted_scale, 3)
        reference = expected(surrogate, initial, controls, scope)[0]
        np.testing.assert_allclose(found / scale, reference / scale, atol=2e-5 * np.ptp(reference / scale))
    # Before the first step the outputs are given, and so are their edges.
    step = surrogate.description.step
    first = fmpy.simulate_fmu(str(path), stop_time=step, step_size=step, output_interval=step)[0]
    edges = np.array([first[edge] for edge in NAMES])
    np.testing.assert_array_equal(edges, np.tile([first[column] for column in CHANNELS.predicted], 2))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "form", "out_len", "start"),
    [
        ("don", Form.trajectory, 1, StartMode.rest),
        ("don", Form.step, 2, StartMode.rows),
        ("portfolio", Form.step, 1, StartMode.rows),
        ("portfolio", Form.trajectory, 1, StartMode.rows),
        ("ssm", Form.trajectory, 1, StartMode.rest),
    ],
)
def test_onnx_files_have_outputs_lower_and_upper(
    tmp_path: Path, name: str, form: Form, out_len: int, start: StartMode
) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    surrogate = banded(name, copies=False, out_len=out_len, **({} if name == "portfolio" else {"start": start}))
    paths, difference = export_onnx(surrogate, tmp_path / "a.onnx", form, (), BandScope.trajectory)
    assert difference.relative < 2e-5
    keys = ("start", "step") if form is Form.step else ("trajectory",)
    initial, controls = random_cases(surrogate, 1, 50)
    found = run_onnx(surrogate, dict(zip(keys, map(open_onnx, paths), strict=True)), initial, controls)
    scale = np.tile(surrogate.predicted_scale, 3)
    reference = expected(surrogate, initial, controls, BandScope.trajectory)
    np.testing.assert_allclose(found / scale, reference / scale, atol=2e-5 * np.ptp(reference / scale))
    model = onnx.load(paths[-1])
    assert [output.name for output in model.graph.output][-3:] == ["predicted", "lower", "upper"]
    known = {entry.key: entry.value for entry in model.metadata_props}
    assert (*json.loads(known["lower"]), *json.loads(known["upper"])) == NAMES
    assert (known["band"], known["band_level"], known["band_cases"]) == ("trajectory", "0.9", "12")


@torch.no_grad()
def test_a_unit_that_is_baked_in_keeps_its_band() -> None:
    surrogate = with_units(banded("don"))
    initial, controls = random_cases(surrogate, 2, 20)
    unit = UnitSurrogate(surrogate, "new")
    module = BandedStep(unit, BandScope.all)
    state = CountingStart(unit)(torch.from_numpy(given_rows(surrogate, initial, controls)))
    _, *parts = module(state, torch.from_numpy(controls[:, surrogate.description.in_len]))
    for part, rows in zip(parts, surrogate.free_run_band(initial, controls, unit="new", scope="all"), strict=True):
        np.testing.assert_allclose(part, rows[:, 0], rtol=1e-5)
