"""ONNX files against the free run and the network, at other sizes than they were traced with."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from exported import CHANNELS, make, with_units  # noqa: E402

from surrogate_modeling.common.errors import UserError  # noqa: E402
from surrogate_modeling.config.commands import Form  # noqa: E402
from surrogate_modeling.config.settings import StartMode  # noqa: E402
from surrogate_modeling.deployment import onnx_export  # noqa: E402
from surrogate_modeling.deployment.export_check import (  # noqa: E402
    Difference,
    prediction_difference,
    random_cases,
)
from surrogate_modeling.deployment.onnx_export import export_onnx, open_onnx, run_onnx  # noqa: E402
from surrogate_modeling.surrogate.model import Surrogate  # noqa: E402
from surrogate_modeling.surrogate.one_unit import UnitSurrogate  # noqa: E402

ROUNDING = 2e-5
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("dot", "dol", "bt")]
SLOW_STEPS = [
    pytest.param(name, 1 if name in ("ssm", "ssm-modes", "trees", "portfolio") else 2, marks=pytest.mark.slow)
    for name in ("dot", "dol", "bt", "lstm", "ssm", "ssm-modes", "trees", "don-stacked", "portfolio")
]

# A surrogate, the files of its start and step, and their difference from it.
Exported = tuple[Surrogate, list[Path], Difference]


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, int], Exported]:
    """Exports a network as start and step, once for all tests: they only read the files."""

    @cache
    def exported(name: str, out_len: int) -> Exported:
        surrogate = make(name, out_len, increment=name == "lstm")
        return surrogate, *export_onnx(surrogate, tmp_path_factory.mktemp("steps") / "a.onnx", Form.step)

    return exported


@pytest.mark.parametrize(("name", "out_len"), [("don", 1), ("don", 3), *SLOW_STEPS])
def test_a_state_is_set_and_moved(steps: Callable[[str, int], Exported], name: str, out_len: int) -> None:
    """By a row, or by as many as the network predicts together; at any batch size, and any number of rows."""
    surrogate, paths, difference = steps(name, out_len)
    assert [path.name for path in paths] == ["a_start.onnx", "a.onnx"]
    assert difference.relative < ROUNDING
    sessions = {"start": open_onnx(paths[0]), "step": open_onnx(paths[1])}
    for batch, rows in ((1, 2), (3, 40)):
        initial, controls = random_cases(surrogate, batch, rows)
        predicted = run_onnx(surrogate, sessions, initial, controls)
        assert predicted.shape == (batch, rows, 3)
        assert prediction_difference(surrogate, predicted, surrogate.free_run(initial, controls)).relative < ROUNDING


@pytest.mark.slow
def test_small_variations_on_a_large_level_go_through_in_double(tmp_path: Path) -> None:
    """1e12 is taken off and added in the graph: float32 would round such a column to steps of 65536."""
    surrogate = make("don", level=1e12)
    for form in (Form.step, Form.trajectory):
        paths, difference = export_onnx(surrogate, tmp_path / "a.onnx", form)
        assert difference.standardised < 1e-5
    initial, controls = random_cases(surrogate, 1, 20)
    (predicted,) = open_onnx(paths[0])(initial, controls)
    np.testing.assert_allclose(predicted, surrogate.free_run(initial, controls), rtol=0, atol=1e-3)
    assert np.ptp(predicted[0, :, 0]) < 1e3 < 9e11 < predicted.min(axis=(0, 1))[0]


@pytest.mark.parametrize(
    "name",
    [
        "don",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in (
                "trees",
                "portfolio",
                "nss",
                "nss-stable",
                "ssm",
                "ssm-modes",
                "ssm-stacked",
                "ssm-blind",
                "ssm-gru",
                "don-stacked",
            )
        ),
        *SLOW,
    ],
)
def test_whole_trajectory_of_any_length(tmp_path: Path, name: str) -> None:
    surrogate = make(name, increment=name.startswith(("ssm", "nss")))
    (path,), _ = export_onnx(surrogate, tmp_path / "a.onnx", Form.trajectory)
    for batch, rows in ((1, 1), (3, 70)):
        initial, controls = random_cases(surrogate, batch, rows)
        predicted = run_onnx(surrogate, {"trajectory": open_onnx(path)}, initial, controls)
        assert predicted.shape == (batch, rows, 3)
        assert prediction_difference(surrogate, predicted, surrogate.free_run(initial, controls)).relative < ROUNDING


@pytest.mark.parametrize("name", ["don", "ssm-stacked"])
@pytest.mark.slow
def test_controls_are_all_that_is_given(tmp_path: Path, name: str) -> None:
    """The past of a start at rest is a row of controls, and a whole trajectory has no other input than controls."""
    surrogate = make(name, start=StartMode.rest, level=1e6 if name == "don" else 0.0)
    none, controls = random_cases(surrogate, 3, 25)
    assert none.shape == (3, 0, 3)
    reference = surrogate.free_run(none, controls)
    steps, _ = export_onnx(surrogate, tmp_path / "a.onnx", Form.step)
    (whole,), _ = export_onnx(surrogate, tmp_path / "t.onnx", Form.trajectory)
    sessions = {"start": open_onnx(steps[0]), "step": open_onnx(steps[1])}
    (from_controls,) = open_onnx(whole)(controls)
    for predicted in (from_controls, run_onnx(surrogate, sessions, none, controls)):
        assert predicted.shape == (3, 25, 3)
        assert prediction_difference(surrogate, predicted, reference).relative < ROUNDING
    assert sessions["start"](controls[:, :1])[0].shape == (3, surrogate.network.state_size)
    known = {entry.key: entry.value for entry in onnx.load(whole).metadata_props}
    assert (known["start"], known["past_columns"]) == ("rest", "controls, in the order of these lists")


@pytest.mark.parametrize("form", [Form.step, Form.trajectory])
@pytest.mark.slow
def test_a_unit_is_baked_in(tmp_path: Path, form: Form) -> None:
    surrogate = with_units(make("don"))
    paths, _ = export_onnx(UnitSurrogate(surrogate, "new"), tmp_path / "a.onnx", form)
    keys = ("start", "step") if form is Form.step else ("trajectory",)
    sessions = dict(zip(keys, map(open_onnx, paths), strict=True))
    initial, controls = random_cases(surrogate, 2, 30)
    predicted = run_onnx(surrogate, sessions, initial, controls)
    reference = surrogate.free_run(initial, controls, unit="new")
    assert prediction_difference(surrogate, predicted, reference).relative < ROUNDING
    metadata = {entry.key: entry.value for entry in onnx.load(paths[-1]).metadata_props}
    assert metadata["unit"] == "new"


def test_metadata_say_what_the_columns_are(
    steps: Callable[[str, int], Exported], monkeypatch: pytest.MonkeyPatch
) -> None:
    surrogate, (_, path), _ = steps("don", 1)
    known = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert json.loads(known["controls"]) == list(CHANNELS.controls)
    assert json.loads(known["predicted"]) == list(CHANNELS.predicted)
    assert json.loads(known["units"]) == CHANNELS.units
    assert (known["step_seconds"], known["in_len"], known["out_len"]) == ("0.5", "4", "1")
    high = json.loads(known["training_high"])
    assert high["圧力.a"] == pytest.approx(float(surrogate.scaling.high[-1]))
    # What differs is refused, and what was there stays.
    before = path.read_bytes()
    monkeypatch.setattr(onnx_export, "_to_onnx", lambda *_: before)
    monkeypatch.setattr(onnx_export, "run_onnx", lambda s, _, initial, controls: s.free_run(initial, controls) + 1)
    with pytest.raises(UserError, match="the ONNX file differs from the surrogate by"):
        export_onnx(surrogate, path, Form.step)
    assert path.read_bytes() == before
    assert {file.name for file in path.parent.iterdir()} == {"a_start.onnx", "a.onnx"}


def test_several_rows_at_once_have_no_trajectory_form(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="out_len=2 rows at once.*form=step"):
        export_onnx(make("don", out_len=2), tmp_path / "a.onnx", Form.trajectory)
    assert torch.is_grad_enabled()
