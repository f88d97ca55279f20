"""Training on: share of old windows, folds, and what of a plant that changed is learned."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lag import lag_case, make, settings

from surrogate_modeling.adaptation import tuning as tuning_module
from surrogate_modeling.adaptation.candidates import as_it_is
from surrogate_modeling.adaptation.mixing_in import WindowMix
from surrogate_modeling.adaptation.old_cases import OldCases
from surrogate_modeling.adaptation.tuning import CannotTune, Tuning
from surrogate_modeling.cases.case import Case
from surrogate_modeling.config.adapt_keys import AdaptConfig, How
from surrogate_modeling.config.commands import Config
from surrogate_modeling.config.dataset import DatasetConfig
from surrogate_modeling.config.models import PersistenceConfig, RegressionConfig
from surrogate_modeling.config.settings import SettingsConfig
from surrogate_modeling.networks import Network
from surrogate_modeling.networks.ensemble import EnsembleNetwork
from surrogate_modeling.networks.mixture import MixtureNetwork
from surrogate_modeling.networks.unit_latent import UnitLatent
from surrogate_modeling.surrogate.description import Member, make_network, of_member
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.checkpoints import FitResult
from surrogate_modeling.training.loaders import WindowSampler

RECIPE = settings(horizon=12, windows_per_epoch=64, batch_size=16, lr=0.01)


def run_config(recipe: SettingsConfig) -> Config:
    return Config(DatasetConfig(path="x", controls=1), make(recipe)[0].description.model, recipe)


def new_case(seed: int) -> Case:
    """The plant of :func:`lag_case` with another relation of its outputs: y = x + 2."""
    case = lag_case(60, seed)
    values = case.values.copy()
    values[:, 2] = values[:, 1] + 2
    return replace(case, values=values, name=f"new{seed}")


def tuning(tmp_path: Path, surrogate: Surrogate, old: OldCases, **keys: object) -> Tuning:
    config = AdaptConfig(surrogate="s", cases="c", how=How.finetune, progress_bar=False, **keys)  # type: ignore[arg-type]
    return Tuning(surrogate, [new_case(seed) for seed in (20, 21, 22)], old, config, tmp_path, lambda *_: None)


@pytest.fixture
def surrogate() -> Surrogate:
    made = make(RECIPE)[0]
    made.config = run_config(RECIPE).flat()
    return made.eval()


def test_units_that_no_window_is_of_keep_their_latents(tmp_path: Path) -> None:
    """Weight decay draws all to 0; of the old units "a" has an old case, "b" has none."""
    recipe = replace(RECIPE, weight_decay=1.0)
    plain = make(recipe)[0]
    made = Surrogate(replace(plain.description, units=("a", "b"), unit_latents=2))
    made.scaling.load_state_dict(plain.scaling.state_dict())
    made.config, network = run_config(recipe).flat(), made.network
    assert isinstance(network, UnitLatent)
    torch.nn.init.normal_(network.table)
    network.known[:] = True
    old = OldCases([replace(lag_case(60, 0), unit="a")], [replace(lag_case(60, 1), unit="a")])
    config = AdaptConfig(surrogate="s", cases="c", how=How.finetune, progress_bar=False, epochs=2, kept_out=1)
    given = [replace(new_case(seed), unit="new") for seed in (20, 21, 22)]
    tuned = Tuning(made.eval(), given, old, config, tmp_path, lambda *_: None).run()
    assert tuned is not None
    after = tuned.surrogate.network
    assert isinstance(after, UnitLatent)
    assert tuned.surrogate.known_units == ("a", "b", "new")
    before = network.table.detach()
    torch.testing.assert_close(after.table[1], before[1], rtol=0, atol=0)
    # What had windows moved otherwise than towards 0: that of "a", that of the new unit, which began at the mean's.
    for place, begun in ((0, before[0]), (2, before[2])):
        assert not torch.allclose(after.table[place] / begun, (after.table[place] / begun)[:1], rtol=1e-3)


@pytest.mark.parametrize("first_share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(("count", "rows"), [(4, 200), (1, 1000), (30, 20)])
def test_windows_have_the_share_of_old_ones(surrogate: Surrogate, count: int, rows: int, first_share: float) -> None:
    """However many old cases there are, however long, and however many windows start with a case."""
    old = OldCases([lag_case(rows, i) for i in range(count)], [lag_case(200, 98), lag_case(200, 99)])
    new, left_out = [new_case(20)], [new_case(21)]
    recipe = replace(RECIPE, first_share=first_share, windows_per_epoch=4000)
    for share in (0.2, 0.5, 0.9):
        data, validation = WindowMix(old, share, recipe).windows(surrogate, run_config(recipe), new, left_out)
        assert [case.name for case in validation] == ["new21", "case98"]
        order = WindowSampler(data.training, data.settings, rehearsal=data.rehearsal).order()
        # The new case comes first in the table, with 60 rows; the share of 4000 draws has a deviation of 0.008.
        starts = data.training.starts[order].numpy()
        assert np.mean(starts >= 60) == pytest.approx(share, abs=0.03)
        # No case is left out.
        assert len(data.training.cases_of(order).unique()) == count + 1


def test_an_epoch_has_as_many_new_windows_as_there_are(surrogate: Surrogate) -> None:
    """60 rows hold 60 - 4 - 12 / 2 + 1 = 51 windows of 12 rows, the last ones cut by half; as many old ones."""
    old = OldCases([lag_case(200, 0)], [lag_case(200, 98)])
    new, left_out = [new_case(20)], [new_case(21)]
    recipe = replace(RECIPE, windows_per_epoch=None)
    data, _ = WindowMix(old, 0.5, recipe).windows(surrogate, run_config(recipe), new, left_out)
    assert data.settings.windows_per_epoch == 102
    data, validation = WindowMix(old, 0.0, RECIPE).windows(surrogate, run_config(RECIPE), new, left_out)
    assert [case.name for case in validation] == ["new21"]
    assert len(data.training.first_windows) == 1


def test_one_network_is_tuned_in_turn_and_learns_what_changed(tmp_path: Path, surrogate: Surrogate) -> None:
    fits = tuning(tmp_path, surrogate, OldCases(), epochs=12, lr_share=1.0)
    assert (len(fits.folds), fits.side_by_side) == (3, False)
    before = as_it_is(surrogate, fits.given)
    found = fits.run()
    assert found is not None
    assert [case.name for case in found.left_out.cases] == ["new20", "new21", "new22"]
    assert found.nade < 0.7 * before.nade
    unseen = [new_case(30)]
    assert as_it_is(found.surrogate, unseen).nade < 0.7 * as_it_is(surrogate, unseen).nade
    # Scaling is as it was, and the range has grown.
    np.testing.assert_array_equal(found.surrogate.scaling.mean, surrogate.scaling.mean)
    highest = max(case.values[:, 2].max() for case in fits.given)
    assert float(found.surrogate.scaling.high[2]) >= highest - 1e-6
    assert found.surrogate.position(new_case(20)).rows.max() < surrogate.position(new_case(20)).rows.max() + 1e-6


def test_networks_side_by_side_each_leave_out_another_case(tmp_path: Path, surrogate: Surrogate) -> None:
    """A portfolio of a closed form and two networks: that and the weights stay."""
    held = Member("persistence", PersistenceConfig())
    pair = EnsembleNetwork([deepcopy(surrogate.network), deepcopy(surrogate.network)])
    model = surrogate.description.model
    portfolio, weight = deepcopy(surrogate), np.array([[0.25, 0.4], [0.75, 0.6]])
    portfolio.mix(
        [(held, make_network(of_member(surrogate.description, held))), (Member("don", model, 2), pair)], weight
    )
    fits = tuning(tmp_path, portfolio, OldCases(), epochs=2)
    assert sorted(map(len, fits.folds)) == [1, 2]
    found = fits.run()
    assert found is not None
    assert found.surrogate.description == portfolio.description
    mixture = found.surrogate.network
    assert isinstance(mixture, MixtureNetwork)
    np.testing.assert_allclose(mixture.weight, weight, rtol=1e-6)
    assert not found.copies_spread
    # Each case is predicted by the network that has not seen it, and the two were fitted to different cases.
    assert [rows.shape for rows in found.left_out.rows] == [(56, 2)] * 3
    assert "don (2 networks), mean weight 0.60 are trained further" in fits.plan()
    assert fits.plan().endswith("; persistence and the weights of the mixture stay as they are")


def test_the_spread_of_networks_side_by_side_does_not_count_where_the_band_is_set(
    tmp_path: Path, surrogate: Surrogate
) -> None:
    """Four networks and three cases: two of the networks, one of other weights, leave out the same one."""
    four, first = deepcopy(surrogate), surrogate.network
    four.network = EnsembleNetwork([deepcopy(first) for _ in range(4)])
    four.description = replace(surrogate.description, members=4)
    with torch.no_grad():
        for weight in four.network.networks[3].parameters():
            weight.mul_(1.5)
    found = tuning(tmp_path, four, OldCases(), epochs=2).run()
    assert found is not None
    found.calibrate()
    assert found.surrogate.band is not None
    assert [spread.max() for spread in found.left_out.spreads] == [0.0] * 3
    assert [spread.max() for spread in found.surrogate.predict_spread([new_case(30)])[1]] == [0.0]
    assert found.surrogate.predict_spread([new_case(30)], copies=True)[1][0].max() > 0.01


def test_what_has_no_trained_network_is_refused(tmp_path: Path, surrogate: Surrogate) -> None:
    model = RegressionConfig(products=0)
    member = Member("linear", model)
    network: Network = make_network(of_member(surrogate.description, member))
    closed = make(RECIPE)[0]
    closed.config = surrogate.config
    closed.mix([(member, network)], np.ones((1, 2)))
    with pytest.raises(CannotTune, match="closed forms alone; how=unit adapts it"):
        tuning(tmp_path, closed, OldCases())
    surrogate.config = {}
    with pytest.raises(CannotTune, match="does not say with which settings"):
        tuning(tmp_path, surrogate, OldCases())


def test_a_surrogate_that_diverges_on_the_new_cases_is_said(
    tmp_path: Path, surrogate: Surrogate, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What is infinite before training further and in every epoch is not among the least values."""
    monkeypatch.setattr(tuning_module, "fit", lambda *_: FitResult({"val_loss": 1.0}, 3))
    assert tuning(tmp_path, surrogate, OldCases()).run() is None
    assert "diverged, before training further and after" in caplog.text
