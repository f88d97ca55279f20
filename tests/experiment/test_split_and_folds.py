"""What a run trains, by its configuration and the number of its cases."""

from dataclasses import replace

import pytest
from builders import case_set_of, composed, make_case

from surrogate_modeling.cases.split import CaseSplit
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.commands import Config
from surrogate_modeling.config.composition import to_config
from surrogate_modeling.experiment.split_and_folds import (
    as_learnt,
    dataset_of,
    folds_of,
    portfolio_models,
    units_to_learn,
)

DATASET = ["dataset=csv", "dataset.path=x", "dataset.controls=2"]
CASES = [make_case(f"c{i}", 60, i) for i in range(8)]


def config(*overrides: str) -> Config:
    return to_config(composed(*DATASET, *overrides))


def test_few_cases_are_all_trained_on_and_it_is_said(caplog: pytest.LogCaptureFixture) -> None:
    made = config()
    assert dataset_of(made, case_set_of(CASES)) is made.dataset
    assert dataset_of(made, case_set_of(CASES[:4])).validation == 0
    assert "only 4 cases" in caplog.text
    debug = replace(made, settings=replace(made.settings, is_debug=True))
    assert dataset_of(debug, case_set_of(CASES[:4])) is debug.dataset


def test_a_portfolio_of_records_cuts_no_stretch_off_for_validation(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert dataset_of(config("dataset.split=time"), case_set_of(CASES)).validation > 0
    assert dataset_of(config("dataset.split=time", "model=auto"), case_set_of(CASES)).validation == 0
    assert "parts of each record are left out in turn" in caplog.text


def test_folds_are_of_the_portfolio_and_of_runs_without_validation_cases(caplog: pytest.LogCaptureFixture) -> None:
    split = CaseSplit(CASES[:5], CASES[5:7], CASES[7:])
    assert folds_of(config(), split) is None
    assert folds_of(config("model=auto", "model.folds=3"), split).parts  # type: ignore[union-attr]
    assert len(folds_of(config("model=auto", "model.folds=3"), split).cases) == 7  # type: ignore[union-attr]
    folds_of(config("model=auto", "settings=stable"), split)
    assert "settings.stack has no effect with model=auto" in caplog.text
    alone = replace(split, validation=[])
    assert len(folds_of(config("model=ssm"), alone).parts) == 5  # type: ignore[union-attr]
    with pytest.raises(UserError, match="ensemble=3"):
        folds_of(config("model=ssm", "settings.ensemble=3"), alone)


def test_with_folds_the_cases_to_validate_are_learnt_from_and_none_of_the_test() -> None:
    split = CaseSplit(CASES[:5], CASES[5:7], CASES[7:])
    assert as_learnt(config("model=ssm"), split) is split
    learnt = as_learnt(config("model=auto"), split)
    assert (learnt.training, learnt.validation, learnt.test) == (CASES[:7], [], CASES[7:])
    alone = replace(split, validation=[])
    assert as_learnt(config("model=ssm"), alone) == alone


def test_units_are_left_out_as_a_whole_where_a_test_case_is_of_a_new_one() -> None:
    """Five cases are of u0 and one of u1: two parts have five and one by unit, three and three by case."""
    cases = [replace(case, unit="u1" if i == 5 else "u0") for i, case in enumerate(CASES)]
    auto = config("model=auto", "model.folds=2")
    for unit, sizes in (("new", [1, 5]), ("u1", [3, 3])):
        split = CaseSplit(cases[:6], [], [cases[6], replace(cases[7], unit=unit)])
        assert sorted(len(part) for part in folds_of(auto, split).parts) == sizes  # type: ignore[union-attr]


def test_numbers_are_learnt_of_units_that_are_trained_on_and_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    a, b = (lambda case, unit=unit: replace(case, unit=unit) for unit in "ab")  # type: ignore[misc]
    split = CaseSplit([a(CASES[0]), b(CASES[1])], [a(CASES[2])], [b(CASES[3]), CASES[4]])
    assert units_to_learn(config(), split) == ["a", "b"]
    for off in ("dataset.unit_effects=false", "dataset.unit_latents=0"):
        assert units_to_learn(config(off), split) == []
    assert units_to_learn(config(), replace(split, training=[a(CASES[0])])) == []
    assert "has no effect" not in caplog.text
    # Of b there is a validation case only, which a portfolio is trained on in turn.
    late = CaseSplit([a(CASES[0]), replace(CASES[1], unit="c")], [b(CASES[2])], [b(CASES[3])])
    assert units_to_learn(config("model=auto"), late) == ["a", "c", "b"]
    assert units_to_learn(config(), late) == []
    assert "there are cases to validate or test of b, and none to train on" in caplog.text


def test_models_of_a_portfolio_and_of_one_network() -> None:
    models = portfolio_models(config("model=auto", "model.members=[linear,nss,don]", "settings.max_minutes=7"))
    assert models.closed_forms == ["linear"]
    assert [(member.label, member.model.name) for member in models.networks] == [
        ("nss", "nss"), ("nss-large", "nss"), ("don", "don")
    ]  # fmt: skip
    assert (models.networks[1].model.states, models.networks[1].settings) == (24, models.networks[0].settings)
    assert models.minutes == 7
    assert [str(member.settings.criterion) for member in models.networks] == ["l1", "l1", "smoothl1"]
    alone = portfolio_models(config("model=ssm", "settings=stable", "settings.max_minutes=7"))
    assert (alone.closed_forms, alone.minutes) == (["quadratic"], None)
    assert alone.networks[0].settings.max_minutes == 7


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("model.members=[linear,nonsense]", "nonsense: no such member"),
        ("model.members=[nss,nss]", "none twice"),
        ("+model.recipes.nss.learning_rate=1", "model.recipes.nss: Key 'learning_rate'"),
        ("model.recipes.nss.lr=0", "settings.lr=0"),
        ("+model.larger.nss.size=1", "model.larger.nss: Key 'size'"),
        ("+model.larger.mlp.size=1", "model.larger.mlp: no such network"),
        ("model.folds=1", "model.folds=1: must be at least 2"),
    ],
)
def test_what_cannot_be_a_portfolio_is_refused_before_data_is_read(override: str, said: str) -> None:
    with pytest.raises(UserError, match=said.replace("[", r"\[")):
        config("model=auto", override)
