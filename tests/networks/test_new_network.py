"""A network that nothing in the source knows is trained, saved, loaded, mixed and exported without a change elsewhere."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import make_case, make_channels
from exported import mix_with_regression
from torch import Tensor, nn

from surrogate_modeling.config.commands import Form
from surrogate_modeling.config.models import MODEL_SCHEMAS, ModelConfig
from surrogate_modeling.config.schema import ranged
from surrogate_modeling.config.settings import Feedback, Output, SettingsConfig
from surrogate_modeling.deployment.export_check import random_cases
from surrogate_modeling.deployment.fmu.export import export_fmu
from surrogate_modeling.deployment.onnx_export import export_onnx
from surrogate_modeling.networks import NETWORKS, Network, Sizes, WindowNetwork
from surrogate_modeling.surrogate.description import Description
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.baselines import fit_linear
from surrogate_modeling.training.fit import seed_run
from surrogate_modeling.training.loaders import WindowData
from surrogate_modeling.training.members import fit_members
from surrogate_modeling.training.regression_rows import BaselineData
from surrogate_modeling.training.windows import WindowDataset

IN_LEN = 4
CASES = [make_case(f"c{i}", 60, i) for i in range(5)]


@dataclass
class LagConfig(ModelConfig):
    """Of both networks."""

    slowness: float = ranged(5.0, low=1.0)


class Lag(Network):
    """Each column follows a linear map of the controls with a first-order lag; its state is the last row."""

    def __init__(self, config: LagConfig, sizes: Sizes) -> None:
        super().__init__()
        self.start, self.goal = nn.Linear(sizes.features, sizes.predicted), nn.Linear(sizes.controls, sizes.predicted)
        self.pace = nn.Parameter(torch.full((sizes.predicted,), 1.0 / config.slowness))

    @property
    def state_size(self) -> int:
        return len(self.pace)

    def encode(self, past: Tensor) -> Tensor:
        return self.start(past[:, -1])

    def advance(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        rows = [state]
        for row in control.unbind(dim=1):
            rows.append(rows[-1] + self.pace * (self.goal(row) - rows[-1]))
        return rows[-1], torch.stack(rows[1:], dim=1)


class NextRow(WindowNetwork):
    """A linear map of the past window and the control."""

    def __init__(self, config: LagConfig, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.row = nn.Linear(sizes.in_len * sizes.features + sizes.controls, sizes.predicted)
        nn.init.normal_(self.row.weight, std=0.1 / config.slowness)

    def forward(self, past: Tensor, control: Tensor) -> Tensor:
        return self.row(torch.cat((past.flatten(1), control[:, 0]), dim=-1))[:, None]


@pytest.fixture(params=[Lag, pytest.param(NextRow, marks=pytest.mark.slow)])
def model(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> LagConfig:
    monkeypatch.setitem(NETWORKS, "lag", request.param)
    monkeypatch.setitem(MODEL_SCHEMAS, "lag", LagConfig)
    return LagConfig("lag", slowness=8.0)


def trained(model: LagConfig, folder: Path, **changes: object) -> Surrogate:
    settings = SettingsConfig(in_len=IN_LEN, horizon=8, epochs=2, lr=0.01, progress_bar=False, **changes)  # type: ignore[arg-type]
    seed_run(0)
    recipe = settings.output, settings.feedback, settings.ensemble
    surrogate = Surrogate(Description(model, make_channels(["p"]), IN_LEN, 1, 1.0, *recipe))
    surrogate.scaling.fit(case.values for case in CASES[:3])
    sets = (WindowDataset(part, surrogate.scaling, IN_LEN, settings.loss_rows) for part in (CASES[:3], CASES[3:4]))
    before = [parameter.clone() for parameter in surrogate.parameters()]
    fit_members(surrogate, WindowData(*sets, settings), CASES[3:4], folder, lambda values, epoch: None)
    assert not any(torch.equal(*pair) for pair in zip(before, surrogate.parameters(), strict=True))
    return surrogate


def check_saved_and_exported(surrogate: Surrogate, folder: Path) -> None:
    """Each exporter compares whole free runs itself, and refuses a difference."""
    surrogate.save(folder / "lit_model.pth")
    loaded = Surrogate.load(folder / "lit_model.pth")
    cases = random_cases(surrogate, 2, 30)
    np.testing.assert_array_equal(loaded.free_run(*cases), surrogate.free_run(*cases))
    pytest.importorskip("onnxscript")
    pytest.importorskip("fmpy")
    assert export_fmu(loaded, folder / "a.fmu") is not None
    for form in Form:
        export_onnx(loaded, folder / f"{form.value}.onnx", form)
    assert {path.name for path in folder.glob("*.onnx")} == {"step.onnx", "step_start.onnx", "trajectory.onnx"}


def test_a_new_network_is_trained_saved_and_exported(model: LagConfig, tmp_path: Path) -> None:
    surrogate = trained(model, tmp_path, output=Output.increment, feedback=Feedback.targets)
    assert surrogate.network.parameter_count == sum(p.numel() for p in surrogate.parameters())
    check_saved_and_exported(surrogate, tmp_path)


@pytest.mark.slow
def test_a_new_network_in_an_ensemble_and_a_stack(model: LagConfig, tmp_path: Path) -> None:
    surrogate = trained(model, tmp_path, ensemble=2)
    initial, controls = map(torch.tensor, random_cases(surrogate, 2, 30))
    mean, spread = surrogate.free_run_spread(initial, controls)
    torch.testing.assert_close(mean, surrogate.free_run(initial, controls))
    assert float(spread.min()) > 0
    baseline = fit_linear(BaselineData(CASES[:3], CASES[3:4], [1], surrogate.scaling, IN_LEN))
    mix_with_regression(surrogate, baseline.network, np.array([0.5, 1.0]))
    check_saved_and_exported(surrogate, tmp_path)
