"""Ensembles against their members one by one: free run, spread, saving, and the forms that are exported."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import make_band
from exported import row_by_row

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.commands import Form
from surrogate_modeling.config.models import DonConfig, ModelConfig, SsmConfig
from surrogate_modeling.config.settings import Feedback, Output
from surrogate_modeling.deployment.fmu.export import export_fmu
from surrogate_modeling.deployment.onnx_export import export_onnx
from surrogate_modeling.networks.ensemble import EnsembleNetwork
from surrogate_modeling.surrogate import batching
from surrogate_modeling.surrogate.description import Description
from surrogate_modeling.surrogate.model import Surrogate

CHANNELS = Channels(("u",), ("a", "b"), ("a",), {"u": "-", "a": "K", "b": "bar"})
DON = DonConfig("don", trunk_depth=2, trunk_dim=8, branch_dim=8, width=4)
SSM = SsmConfig("ssm", width=4, states=4, depth=1)
IN_LEN, ROWS = 4, 12


def make(model: ModelConfig, members: int = 3, **changes: object) -> Surrogate:
    torch.manual_seed(1)
    made = Surrogate(Description(model, CHANNELS, IN_LEN, members=members, **{"out_len": 1, "step": 1.0, **changes}))  # type: ignore[arg-type]
    made.scaling.fit([np.random.default_rng(0).normal([0, 300, 5], [1, 20, 2], (50, 3)).astype(np.float32)])
    return made.eval()


def singles(ensemble: Surrogate) -> list[Surrogate]:
    """Each member as a surrogate of its own."""
    assert isinstance(ensemble.network, EnsembleNetwork)
    made = []
    for network in ensemble.network.networks:
        one = Surrogate(replace(ensemble.description, members=1))
        one.network, one.scaling = network, ensemble.scaling
        made.append(one.eval())
    return made


def inputs(cases: int = 2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    initial = rng.normal([300, 5], [20, 2], (cases, IN_LEN, 2)).astype(np.float32)
    return initial, rng.normal(size=(cases, IN_LEN + ROWS, 1)).astype(np.float32)


@pytest.mark.parametrize("model", [DON, SSM])
@pytest.mark.parametrize(
    ("output", "feedback"), [(Output.absolute, Feedback.all), (Output.increment, Feedback.targets)]
)
def test_mean_and_spread_over_the_members_own_trajectories(
    model: ModelConfig, output: Output, feedback: Feedback
) -> None:
    ensemble = make(model, output=output, feedback=feedback)
    initial, controls = inputs()
    each = np.stack([one.free_run(initial, controls) for one in singles(ensemble)])
    assert each.std(axis=0).min() > 0
    np.testing.assert_allclose(ensemble.free_run(initial, controls), each.mean(axis=0), rtol=1e-5)
    with torch.no_grad():
        mean, spread = ensemble.free_run_spread(torch.tensor(initial), torch.tensor(controls))
    np.testing.assert_allclose(mean, each.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(spread, each.std(axis=0, ddof=1), rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("model", [DON, SSM])
def test_a_band_that_leaves_out_the_copies_is_as_wide_as_that_of_one_network(model: ModelConfig) -> None:
    """As of an ensemble trained further, each member without other cases: errors of 2 and 3, factors 2 and 1."""
    ensemble = make(model)
    ensemble.band = replace(make_band([0], [[2, 3]], [2, 1]), of_copies=False)
    initial, controls = inputs()
    mean, lower, upper = ensemble.free_run_band(initial, controls)
    np.testing.assert_allclose(
        mean, np.mean([one.free_run(initial, controls) for one in singles(ensemble)], axis=0), rtol=1e-5
    )
    np.testing.assert_allclose((upper - lower) / 2, np.broadcast_to([4, 3], mean.shape), rtol=1e-4)
    network, past = ensemble.network, torch.zeros(1, IN_LEN, 3)
    with torch.no_grad():
        _, rows, deviation = network.advance_spread(network.encode(past), torch.zeros(1, 5, 1), copies=False)
        torch.testing.assert_close(rows, network.free_run(past, torch.zeros(1, 5, 1)), rtol=1e-5, atol=1e-6)
    assert not deviation.any()


@pytest.mark.parametrize("model", [DON, SSM])
@pytest.mark.parametrize("output", list(Output))
def test_row_by_row_equals_the_whole_trajectory(model: ModelConfig, output: Output) -> None:
    """What ONNX and the FMU run: a state set by the first rows and moved by each control."""
    ensemble = make(model, output=output)
    initial, controls = map(torch.tensor, inputs())
    with torch.no_grad():
        whole = ensemble.free_run(initial, controls)
    np.testing.assert_allclose(row_by_row(ensemble, initial, controls), whole, rtol=1e-5)


def test_several_rows_at_once_are_stepped_together() -> None:
    ensemble = make(DON, out_len=3)
    initial, controls = inputs()
    each = np.stack([one.free_run(initial, controls) for one in singles(ensemble)])
    np.testing.assert_allclose(ensemble.free_run(initial, controls), each.mean(axis=0), rtol=1e-5)
    stepped = row_by_row(ensemble, *map(torch.tensor, inputs()))
    np.testing.assert_allclose(stepped, each.mean(axis=0), rtol=1e-5)


def test_saved_members_and_band_come_back(tmp_path: Path) -> None:
    ensemble = make(SSM)
    ensemble.band = make_band([0, 5], [[1, 2], [3, 4]], [2, 1])
    ensemble.save(tmp_path / "lit_model.pth")
    loaded = Surrogate.load(tmp_path / "lit_model.pth")
    assert loaded.description == ensemble.description
    for one, other in zip(ensemble.free_run_band(*inputs()), loaded.free_run_band(*inputs()), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_band_of_one_network_grows_as_calibrated() -> None:
    """Factors 2 and 1 on errors of 1 to 3 and 2 to 4 from row 0 to row 5, no spread."""
    single = make(SSM, members=1)
    initial, controls = inputs()
    with pytest.raises(UserError, match="no uncertainty band"):
        single.free_run_band(initial, controls)
    single.band = make_band([0, 5], [[1, 2], [3, 4]], [2, 1])
    mean, lower, upper = single.free_run_band(initial[0], controls[0])
    np.testing.assert_allclose(mean, single.free_run(initial[0], controls[0]), rtol=1e-6)
    np.testing.assert_allclose((upper - lower)[[0, 5, 9]] / 2, [[2, 2], [6, 4], [6, 4]], rtol=1e-4)
    np.testing.assert_allclose(upper + lower, 2 * mean, rtol=1e-6)


@pytest.mark.parametrize("members", [1, 3])
def test_bands_in_batches_are_those_of_one_case_at_a_time(members: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cases of five lengths; a batch holds 60 rows, those filled up counted, so that memory is bounded."""
    ensemble = make(SSM, members=members)
    ensemble.band = make_band([0, 5], [[1, 2], [3, 4]], [2, 1])
    rng = np.random.default_rng(2)
    lengths = [20, 7, 30, 7, 12, 59, 20, 8]
    values = [rng.normal([0, 300, 5], [1, 20, 2], (length, 3)).astype(np.float32) for length in lengths]
    cases = [Case(f"c{i}", np.arange(len(rows), dtype=float), rows, CHANNELS) for i, rows in enumerate(values)]
    whole = [ensemble.free_run_band(rows[:IN_LEN, 1:], rows[:, :1]) for rows in values]
    sizes, plain = [], Surrogate.free_run_spread

    def watched(self: Surrogate, initial: torch.Tensor, controls: torch.Tensor, *more: object) -> object:
        """Of one batch."""
        sizes.append(controls.shape[0] * controls.shape[1])
        return plain(self, initial, controls, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(batching, "ROWS_PER_BATCH", 60)
    monkeypatch.setattr(Surrogate, "free_run_spread", watched)
    assert ensemble.band is not None
    batched = [ensemble.band.bounds(mean, spread) for mean, spread in zip(*ensemble.predict_spread(cases), strict=True)]
    assert len(sizes) == 4
    assert max(sizes) <= 60
    for case, one, other in zip(cases, batched, whole, strict=True):
        assert one.mean.shape == (len(case.values) - IN_LEN, 2)
        for edge, expected in zip(one, other, strict=True):
            np.testing.assert_allclose(edge, expected, rtol=1e-5)


@pytest.mark.parametrize("model", [pytest.param(DON, marks=pytest.mark.slow), SSM])
def test_an_fmu_gives_the_mean(tmp_path: Path, model: ModelConfig) -> None:
    """The exporter itself compares the FMU with the free run over whole trajectories, and refuses a difference."""
    pytest.importorskip("fmpy")
    difference = export_fmu(make(model), tmp_path / "e.fmu")
    assert difference is not None
    assert difference.relative < 1e-4
    assert (tmp_path / "e.fmu").exists()


@pytest.mark.slow
@pytest.mark.parametrize("model", [DON, SSM])
@pytest.mark.parametrize("form", list(Form))
def test_onnx_gives_the_mean(tmp_path: Path, model: ModelConfig, form: Form) -> None:
    """As for the FMU."""
    pytest.importorskip("onnxscript")
    files, difference = export_onnx(make(model), tmp_path / "e.onnx", form)
    assert difference.relative < 1e-4
    assert all(file.exists() for file in files)
