"""Members of ensembles: their seeds, and the structure that they share."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import plain_case
from lag import make as lag
from lag import settings

from surrogate_modeling.cases.split import CaseSplit
from surrogate_modeling.common import early_end
from surrogate_modeling.config.models import ModelConfig, NssConfig, SsmConfig
from surrogate_modeling.config.settings import SettingsConfig, StartMode
from surrogate_modeling.networks.sizes import Batch
from surrogate_modeling.surrogate.description import Description
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training import members
from surrogate_modeling.training.checkpoints import FitResult
from surrogate_modeling.training.loaders import WindowData
from surrogate_modeling.training.members import fit_members, member_seed
from surrogate_modeling.training.setup import with_given_starts
from surrogate_modeling.training.windows import WindowDataset

PERIOD, ROWS = 16.0, 150


def test_ensembles_of_different_seeds_share_no_member() -> None:
    seeds = [member_seed(seed, member) for seed in range(100) for member in range(5)]
    assert len(set(seeds)) == 500
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_the_first_member_is_the_network_of_that_seed_and_the_others_do_not_depend_on_their_number() -> None:
    assert member_seed(42, 0) == 42
    assert member_seed(42, 1) == member_seed(42, 1) != member_seed(43, 1)


def ringing_case(number: int) -> np.ndarray:
    """A control in steps, and a mass that rings under it."""
    rng = np.random.default_rng(number)
    control = np.repeat(rng.normal(size=ROWS // 12 + 1), 12)[:ROWS]
    pole, state, rows = np.exp(-1 / 60 + 2j * np.pi / PERIOD), 0j, []
    for u in control:
        state = pole * state + 0.05 * u
        rows.append(state.real)
    return np.column_stack((control, rows)).astype(np.float32)


def test_members_that_were_not_begun_when_training_was_asked_to_end_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Asked within the second of three."""
    recipe = settings(ensemble=3, epochs=2)
    surrogate, data, validation = lag(recipe)
    surrogate = Surrogate(replace(surrogate.description, members=3))
    surrogate.scaling.fit([case.values for case in validation])
    seen: list[str] = []

    def ask(metrics: dict[str, float], epoch: int) -> None:
        seen.append(f"{epoch} {sorted(metrics)[-1]}")
        if epoch == 0 and "member1/val_loss" in metrics:
            early_end.ask(tmp_path, "a test")

    fit_members(surrogate, data, validation, tmp_path / "checkpoints", ask)
    assert seen == ["0 val_loss", "1 val_loss", "0 member1/val_loss", "1 member1/val_loss"]
    assert "the ensemble has 2 of 3 members" in caplog.text
    assert surrogate.description.members == 2
    surrogate.save(tmp_path / "two.pth")
    two = Surrogate.load(tmp_path / "two.pth").predict(validation)
    np.testing.assert_array_equal(two[0], surrogate.predict(validation)[0])


def test_an_ensemble_is_timed_out_where_a_member_was_and_not_by_the_seconds_of_all() -> None:
    patient, late = FitResult({"val_loss": 1.0}, 5, 40.0), FitResult({"val_loss": 3.0}, 9, 60.0, True)
    both = members._together([patient, late])
    assert (both.least, both.epochs, both.seconds, both.timed_out) == ({"val_loss": 2.0}, 9, 100.0, True)
    assert not members._together([patient, patient]).timed_out


def test_the_number_of_a_unit_does_not_decide_a_structure(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.Size] = []

    def choose(model: ModelConfig, whole: Batch, spread: Batch) -> ModelConfig:
        seen.extend((whole.past.shape, spread.past.shape))
        return model

    monkeypatch.setitem(members.CHOICES, "ssm", choose)
    surrogate, data, cases = lag(settings())
    told = WindowDataset([replace(case, unit="a") for case in cases], surrogate.scaling, 4, 8, units=("a", "b"))
    for windows in (data.training, told):
        members.structure(SsmConfig("ssm"), windows)
    assert [shape[1:] for shape in seen] == [(4, 3)] * 4


@pytest.mark.parametrize("members", [1, 2])
def test_all_members_oscillate_where_the_plant_does_and_start_alike(tmp_path: Path, members: int) -> None:
    cases = [plain_case(f"c{i}", np.arange(float(ROWS)), ringing_case(i), 1) for i in range(8)]
    recipe = SettingsConfig(
        start=StartMode.rest, ensemble=members, epochs=1, batch_size=16, horizon=80, windows_per_epoch=32,
        progress_bar=False,
    )  # fmt: skip
    model = SsmConfig("ssm", width=6, states=6, depth=1)
    description = Description(model, cases[0].channels, 1, 1, 1.0, members=members, start=StartMode.rest)
    surrogate = Surrogate(description)
    surrogate.scaling.fit([case.values for case in cases[:6]])
    assert surrogate.first_row is not None
    surrogate.first_row.offset.fill_(0.5)
    given = with_given_starts(surrogate, CaseSplit(cases[:6], cases[6:], []))
    parts = [WindowDataset(p, surrogate.scaling, 1, 80, table=given.table) for p in (given.training, given.validation)]
    fit_members(surrogate, WindowData(*parts, recipe), given.validation, tmp_path, lambda *_: None)
    found = surrogate.description.model
    assert isinstance(found, SsmConfig)
    assert min(abs(period - PERIOD) for period in found.oscillations) < 0.5
    surrogate.save(tmp_path / "a.pth")
    loaded = Surrogate.load(tmp_path / "a.pth")
    assert loaded.description == surrogate.description
    np.testing.assert_allclose(loaded.predict(cases[6:])[0], surrogate.predict(cases[6:])[0], rtol=1e-5, atol=1e-6)


def test_windows_are_gathered_for_networks_that_are_fitted_to_them_only(monkeypatch: pytest.MonkeyPatch) -> None:
    surrogate, data, _ = lag(settings())
    gathered: list[int] = []
    monkeypatch.setattr(WindowDataset, "whole_cases", lambda *_: gathered.append(1))
    model = surrogate.description.model
    for config in (model, NssConfig("nss")):
        assert members.structure(config, data.training) is config
    members.initialise(surrogate, data.training)
    assert gathered == []
