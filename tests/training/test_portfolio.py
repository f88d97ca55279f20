"""A portfolio on a plant whose law is known: who gets the weight, what is kept, and what is said."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lag import CHANNELS, lag_case, make, settings

from surrogate_modeling.adaptation import latents
from surrogate_modeling.adaptation.candidates import as_it_is
from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.split import CaseSplit
from surrogate_modeling.common import early_end
from surrogate_modeling.common.errors import TrainingDiverged, UserError
from surrogate_modeling.config.commands import Config
from surrogate_modeling.config.dataset import DatasetConfig
from surrogate_modeling.config.models import Candidate, DonConfig, PersistenceConfig
from surrogate_modeling.networks.persistence import Persistence
from surrogate_modeling.networks.unit_latent import told_parts
from surrogate_modeling.surrogate.description import Member
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.surrogate.one_unit import UnitSurrogate
from surrogate_modeling.training.attempts import Attempt
from surrogate_modeling.training.baselines import Baseline, fit_linear, fit_quadratic
from surrogate_modeling.training.calibration import add_band
from surrogate_modeling.training.folds import Folds, FoldTraining, make_folds
from surrogate_modeling.training.portfolio import PortfolioModels, fit_portfolio
from surrogate_modeling.training.race import MAX_STARTS, TrainedMember
from surrogate_modeling.training.regression_rows import BaselineData

RECIPE = settings(workers=1)
CLOSED_FORMS = [choice.value for choice in Candidate]
CASES = [lag_case(60, i) for i in range(6)]
SMALL = DonConfig("don", trunk_depth=2, trunk_dim=8, branch_dim=8, width=4)


def portfolio(folder: Path, cases: list[Case] = CASES) -> tuple[FoldTraining, dict[str, Baseline]]:
    """Three folds, and the baselines of their cases."""
    surrogate, _, _ = make(RECIPE)
    surrogate.scaling.fit([case.values for case in cases])
    folds = Folds([cases[0::3], cases[1::3], cases[2::3]])
    data = BaselineData(folds.cases, [], [1], surrogate.scaling, RECIPE.in_len, folds.parts)
    linear = fit_linear(data)
    config = Config(DatasetConfig(path="", controls=1), SMALL, RECIPE)
    training = FoldTraining(config, surrogate, folds, folder, lambda metrics, epoch: None)
    return training, {"linear": linear, "quadratic": fit_quadratic(data, linear)}


def test_a_linear_plant_goes_to_the_linear_members_and_the_others_are_dropped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    training, baselines = portfolio(tmp_path)
    models = PortfolioModels(["persistence", "linear", "quadratic"], [TrainedMember(SMALL, RECIPE)], None)
    with caplog.at_level(logging.INFO):
        result = fit_portfolio(training, models, baselines)
    assert list(result.table.names) == ["persistence", "linear", "quadratic"]
    np.testing.assert_allclose(result.table.weight.sum(axis=0), 1.0)
    assert result.table.weight[0].max() == 0.0
    surrogate = training.surrogate
    assert "persistence" not in [member.name for member in surrogate.description.mixture]
    assert result.fit.least["val_nADE"] < 0.05
    assert "mixture" in caplog.text
    # The regressions are fitted on all cases in the end, so a case is predicted better than when it was left out.
    assert {case.name for case in result.left_out.cases} == {case.name for case in CASES}
    surrogate.save(tmp_path / "a.pth")
    loaded = Surrogate.load(tmp_path / "a.pth")
    assert loaded.description == surrogate.description
    np.testing.assert_array_equal(loaded.predict(CASES)[0], surrogate.predict(CASES)[0])


def test_closed_forms_are_the_same_where_networks_are_told_units(tmp_path: Path) -> None:
    """Each member's errors over cases left out without units, and as members of a surrogate that knows some."""
    cases = [replace(case, unit="ab"[i % 2]) for i, case in enumerate(CASES)]
    training, baselines = portfolio(tmp_path / "plain", cases)
    models = PortfolioModels(["persistence", "linear", "lss"], [], None)
    plain = fit_portfolio(training, models, baselines).table
    training, baselines = portfolio(tmp_path / "told", cases)
    told = Surrogate(replace(training.surrogate.description, units=("a", "b"), unit_latents=2))
    told.scaling.load_state_dict(training.surrogate.scaling.state_dict())
    result = fit_portfolio(replace(training, surrogate=told.eval()), models, baselines)
    assert list(result.table.names) == list(plain.names) == models.closed_forms
    # The linear plant is fitted to rounding of float32, which differs from one processor to another.
    np.testing.assert_allclose(result.table.errors, plain.errors, rtol=1e-3, atol=1e-4)
    # One that was fitted apart, as trees are.
    held = Persistence(PersistenceConfig(), told.description.sizes)
    alone = replace(training, surrogate=told).single(Member("held", PersistenceConfig()), held)
    for rows, case in zip(alone.predict(cases), cases, strict=True):
        np.testing.assert_allclose(rows, np.repeat(case.outputs[3:4], 56, axis=0), rtol=1e-4, atol=1e-5)
    # What was mixed comes back from a file.
    told.save(tmp_path / "told.pth")
    again = Surrogate.load(tmp_path / "told.pth").predict(cases)
    for rows, same in zip(again, told.predict(cases), strict=True):
        np.testing.assert_array_equal(rows, same)


def test_networks_that_are_told_units_are_mixed_saved_and_adapted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of unit "b" there are two cases, both in one part: the network without that part does not know it."""
    cases = [replace(case, unit="b" if i in (1, 4) else "a") for i, case in enumerate(CASES)]
    training, baselines = portfolio(tmp_path, cases)
    told = Surrogate(replace(training.surrogate.description, units=("a", "b"), unit_latents=2))
    told.scaling.load_state_dict(training.surrogate.scaling.state_dict())
    models = PortfolioModels([], [TrainedMember(SMALL, replace(RECIPE, epochs=1))], None)
    result = fit_portfolio(replace(training, surrogate=told.eval()), models, baselines)
    networks = told_parts(told.network)
    assert [network.known.tolist() for network in networks] == [[True, True], [True, False], [True, True]]
    left_out = {case.name: rows for case, rows in zip(result.left_out.cases, result.left_out.rows, strict=True)}
    alone = replace(training, surrogate=told).single(Member("don", SMALL), networks[1])
    nameless = [replace(cases[i], unit=None) for i in (1, 4)]
    for case, rows in zip(nameless, alone.predict(nameless), strict=True):
        np.testing.assert_allclose(left_out[case.name], rows, rtol=1e-5)
    told.save(tmp_path / "told.pth")
    loaded = Surrogate.load(tmp_path / "told.pth")
    for unit in ("a", "b", None):
        named = [replace(case, unit=unit) for case in cases]
        again, one = loaded.predict(named), UnitSurrogate(loaded, unit).predict(cases)
        for rows, same, baked in zip(told.predict(named), again, one, strict=True):
            np.testing.assert_array_equal(same, rows)
            np.testing.assert_allclose(baked, rows, rtol=1e-5)
    monkeypatch.setattr(latents, "ITERATIONS", 1)
    found = latents.with_latents(as_it_is(loaded, [replace(case, unit="c") for case in cases[:3]]))
    assert found is not None
    assert found.changed == ("latent of unit 'c': 2 numbers in each of 3 networks",)


def test_left_out_runs_are_those_of_models_that_have_not_seen_the_case(tmp_path: Path) -> None:
    """By hand: the linear baseline fitted with the same choices on the other cases."""
    training, baselines = portfolio(tmp_path)
    result = fit_portfolio(training, PortfolioModels(["linear"], [], None), baselines)
    assert result.table.weight.tolist() == [[1.0, 1.0]]
    baseline = baselines["linear"]
    kept = BaselineData(training.folds.kept(0), training.folds.parts[0], [1], training.surrogate.scaling, RECIPE.in_len)
    by_name = {case.name: rows for case, rows in zip(result.left_out.cases, result.left_out.rows, strict=True)}
    alone = fit_linear(kept)
    if (alone.time_constants, alone.penalty) == (baseline.time_constants, baseline.penalty):
        for case, rows in zip(training.folds.parts[0], alone.predict(training.folds.parts[0]), strict=True):
            np.testing.assert_allclose(by_name[case.name], rows, atol=1e-5)
    final = training.surrogate.predict(CASES[:1])[0]
    assert np.abs(final - by_name["case0"]).max() > 0.0


def asking_portfolio(folder: Path, after: str) -> tuple[FoldTraining, dict[str, Baseline]]:
    """One that is asked to end in the first epoch of a training, by its name and fold."""
    training, baselines = portfolio(folder / "checkpoints")

    def ask(metrics: dict[str, float], epoch: int) -> None:
        if f"{after}/val_loss" in metrics:
            early_end.ask(folder, "a test")

    return replace(training, on_epoch=ask), baselines


def test_a_portfolio_that_is_asked_to_end_mixes_what_is_there(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Two networks alone, asked within the second fold of the first; fold 0 is what both were judged on."""
    training, baselines = asking_portfolio(tmp_path, "one/fold1")
    networks = [TrainedMember(SMALL, replace(RECIPE, lr=1e-3), name) for name in ("one", "two")]
    result = fit_portfolio(training, PortfolioModels([], networks[:1], None), baselines)
    assert [member.copies for member in training.surrogate.description.mixture] == [2]
    # Asked during fold 1, which was finished: fold 2 was not begun.
    assert {case.name for case in result.left_out.cases} == {"case0", "case3", "case1", "case4"}
    # Before it begins: one network must be trained, for an epoch on one fold.
    training, baselines = asking_portfolio(tmp_path / "early", "none")
    (tmp_path / "early").mkdir()
    early_end.ask(tmp_path / "early", "a test")
    with caplog.at_level(logging.INFO):
        result = fit_portfolio(training, PortfolioModels([], networks, None), baselines)
    assert list(result.table.names) == ["one"]
    assert result.fit.epochs == 1
    assert "training was asked to end: there was no time to try two" in caplog.text


def test_closed_forms_need_no_network_when_training_is_asked_to_end(tmp_path: Path) -> None:
    training, baselines = asking_portfolio(tmp_path, "none")
    early_end.ask(tmp_path, "a test")
    models = PortfolioModels(["linear", "persistence", "trees"], [TrainedMember(SMALL, RECIPE)], None)
    result = fit_portfolio(training, models, baselines)
    assert list(result.table.names) == ["linear"]
    assert len(result.left_out.cases) == len(CASES)


def test_every_closed_form_is_judged_saved_and_fitted_on_all_cases(tmp_path: Path) -> None:
    """Each alone: the mixture is that member, and a surrogate in a file predicts the same."""
    for name in CLOSED_FORMS:
        training, baselines = portfolio(tmp_path)
        result = fit_portfolio(training, PortfolioModels([name], [], None), baselines)
        assert len(result.left_out.cases) == len(CASES)
        assert [(m.name, m.copies) for m in training.surrogate.description.mixture] == [(name, 1)]
        training.surrogate.save(tmp_path / "a.pth")
        loaded = Surrogate.load(tmp_path / "a.pth")
        np.testing.assert_array_equal(loaded.predict(CASES)[0], training.surrogate.predict(CASES)[0])


def test_a_single_record_is_fitted_whole_in_the_end(tmp_path: Path) -> None:
    """The linear member is the baseline of the same choices on the uncut record, and blocks are judged without it."""
    training, _ = portfolio(tmp_path)
    record = lag_case(400, 9)
    folds = make_folds([record], RECIPE, 4, None)
    data = BaselineData([record], [], [1], training.surrogate.scaling, RECIPE.in_len, folds.parts, folds.stretches)
    linear = fit_linear(data)
    result = fit_portfolio(replace(training, folds=folds), PortfolioModels(["linear"], [], None), {"linear": linear})
    assert len(result.left_out.cases) == 4
    # The band rests on one case, not on four.
    add_band(training.surrogate, CaseSplit([], [], []), result.left_out)
    assert training.surrogate.band is not None
    assert training.surrogate.band.level == 0.5
    np.testing.assert_allclose(training.surrogate.predict([record])[0], linear.predict([record])[0], atol=1e-4)


def test_networks_of_all_folds_are_one_member(tmp_path: Path) -> None:
    training, baselines = portfolio(tmp_path)
    result = fit_portfolio(training, PortfolioModels([], [TrainedMember(SMALL, RECIPE)], None), baselines)
    surrogate = training.surrogate
    assert [(m.name, m.copies) for m in surrogate.description.mixture] == [("don", 3)]
    assert result.fit.epochs == RECIPE.epochs
    assert (tmp_path / "don/fold2/best.ckpt").exists()


def test_too_little_time_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    training, baselines = portfolio(tmp_path)
    members = [TrainedMember(SMALL, RECIPE), TrainedMember(replace(SMALL, width=5), RECIPE)]
    fit_portfolio(training, PortfolioModels([], members, 0.1), baselines)
    assert "no time to try don" in caplog.text


def test_a_network_that_helps_nowhere_gives_its_time_to_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    training, baselines = portfolio(tmp_path)
    with caplog.at_level(logging.INFO):
        result = fit_portfolio(
            training, PortfolioModels(["linear"], [TrainedMember(SMALL, replace(RECIPE, lr=1e-9))], None), baselines
        )
    assert "don would take 0.0 % off the mixture's error on the first fold" in caplog.text
    assert list(result.table.names) == ["linear"]
    assert not (tmp_path / "don/fold1").exists()


def test_of_two_networks_of_a_kind_the_better_on_the_first_fold_goes_on(tmp_path: Path) -> None:
    training, baselines = portfolio(tmp_path)
    idle = replace(RECIPE, lr=1e-9)
    members = [TrainedMember(SMALL, idle), TrainedMember(replace(SMALL, width=5), RECIPE, "don-large")]
    fit_portfolio(training, PortfolioModels([], members, None), baselines)
    assert [(m.name, m.model.width, m.copies) for m in training.surrogate.description.mixture] == [("don-large", 5, 3)]
    assert not (tmp_path / "don/fold1").exists()


def test_time_that_is_left_trains_from_other_starts_and_the_mean_counts(tmp_path: Path) -> None:
    training, _ = portfolio(tmp_path)
    short = replace(RECIPE, epochs=1)
    result = fit_portfolio(training, PortfolioModels([], [TrainedMember(SMALL, short)], 5.0), {})
    (member,) = training.surrogate.description.mixture
    assert member.copies == 3 * MAX_STARTS
    # By hand: three networks have not seen the cases of the first fold, those numbered 0, 3 and 6.
    networks = list(training.surrogate.network.networks[0].networks)
    assert not torch.equal(*(next(networks[i].parameters()) for i in (0, 3)))
    alone = [training.single(Member("don", SMALL), networks[i]).predict(CASES[:1])[0] for i in (0, 3, 6)]
    by_name = {case.name: rows for case, rows in zip(result.left_out.cases, result.left_out.rows, strict=True)}
    np.testing.assert_allclose(by_name["case0"], np.mean(alone, axis=0), atol=1e-5)


@pytest.mark.slow
def test_processes_side_by_side_give_what_one_after_another_gives(tmp_path: Path) -> None:
    weights: list[dict[str, torch.Tensor]] = []
    for workers in (1, 2):
        training, _ = portfolio(tmp_path / str(workers))
        own = replace(training.config, settings=replace(RECIPE, workers=workers))
        seen: list[str] = []
        training = replace(training, config=own, on_epoch=lambda metrics, epoch, seen=seen: seen.extend(metrics))
        fit_portfolio(training, PortfolioModels([], [TrainedMember(SMALL, RECIPE)], None), {})
        weights.append(training.surrogate.network.state_dict())
        assert {name.rsplit("/", 1)[0] for name in seen} == {f"don/fold{k}" for k in range(3)}
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value)


def test_a_training_that_diverges_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    training, baselines = portfolio(tmp_path)
    wild = replace(RECIPE, lr=1e12, epochs=9)
    result = fit_portfolio(training, PortfolioModels(["linear"], [TrainedMember(SMALL, wild)], None), baselines)
    assert list(result.table.names) == ["linear"]
    with pytest.raises(TrainingDiverged, match="cases left out diverged: don; a lower settings.lr"):
        fit_portfolio(training, PortfolioModels([], [TrainedMember(SMALL, wild)], None), baselines)


def test_a_member_that_diverged_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training, baselines = portfolio(tmp_path)
    monkeypatch.setattr(Attempt, "is_finite", property(lambda attempt: attempt.name != "linear"))
    result = fit_portfolio(training, PortfolioModels(["persistence", "linear"], [], None), baselines)
    assert list(result.table.names) == ["persistence"]
    monkeypatch.setattr(Attempt, "is_finite", False)
    with pytest.raises(UserError, match="diverged: persistence"):
        fit_portfolio(training, PortfolioModels(["persistence"], [], None), baselines)


def test_persistence_holds_the_last_given_row(tmp_path: Path) -> None:
    training, baselines = portfolio(tmp_path)
    fit_portfolio(training, PortfolioModels(["persistence"], [], None), baselines)
    rows = training.surrogate.predict(CASES[:1])[0]
    held = CASES[0].outputs[RECIPE.in_len - 1]
    np.testing.assert_allclose(rows, np.tile(held, (56, 1)), atol=1e-5)
    assert len(CHANNELS.predicted) == 2
