"""The training of a round: the recipe of the first, all cases, the same test."""

from dataclasses import replace
from pathlib import Path

import pytest
from builders import composed
from lag import CHANNELS, lag_case, make, settings

from surrogate_modeling.cases.fingerprint import file_fingerprint
from surrogate_modeling.cases.writer import write_case
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.composition import to_config
from surrogate_modeling.config.dataset import Split
from surrogate_modeling.config.plan_keys import PlanConfig, Update
from surrogate_modeling.planning.training import copy_cases, first_cases, training_config
from surrogate_modeling.surrogate.lineage import LineageStep
from surrogate_modeling.surrogate.model import Surrogate

CONFIG = PlanConfig("s", output="o")


@pytest.fixture
def surrogate(tmp_path: Path) -> Surrogate:
    """Trained on c0 and c1, chosen by c2, tested on c3; the folder holds a file that came later."""
    made, _, _ = make(settings())
    for number in range(4):
        case = lag_case(20, number)
        write_case(tmp_path / "old" / f"c{number}.csv", CHANNELS.units, case.time, case.values)
    files = sorted((tmp_path / "old").iterdir())
    (tmp_path / "old" / "c9.csv").write_text("later")
    parts: dict[str, dict[str, str | None]] = {
        "training": {"c0": "a", "c1": None}, "validation": {"c2": None}, "test": {"c3": None},
    }  # fmt: skip
    made.lineage = (LineageStep("trained", str(tmp_path / "old"), "*.csv", 4, file_fingerprint(files), parts),)
    keys = ["dataset=csv", f"dataset.path={tmp_path}/old", "dataset.controls=[u]", "model=nss", "settings=nss"]
    made.config = to_config(composed(*keys, "settings.register_model=m", "settings.is_save_model=True")).flat()
    return made


def test_all_cases_of_the_training_are_copied_and_stay(surrogate: Surrogate, tmp_path: Path) -> None:
    found = first_cases(surrogate, CONFIG)
    assert (found.validation, found.test) == (["c2"], ["c3"])
    copy_cases(found, tmp_path / "all")
    assert sorted(path.name for path in (tmp_path / "all").iterdir()) == ["c0.csv", "c1.csv", "c2.csv", "c3.csv"]
    assert (tmp_path / "all" / "c1.csv").read_bytes() == (tmp_path / "old" / "c1.csv").read_bytes()
    (tmp_path / "all" / "c1.csv").write_text("as it was")
    copy_cases(found, tmp_path / "all")
    assert (tmp_path / "all" / "c1.csv").read_text() == "as it was"


def test_a_round_is_trained_like_the_first_on_all_cases(surrogate: Surrogate, tmp_path: Path) -> None:
    config = PlanConfig("s", output="o", max_minutes=2.0, mlflow_exp_name="mine")
    made = training_config(surrogate, tmp_path / "before.pth", first_cases(surrogate, CONFIG), config, tmp_path / "all")
    first = to_config(composed("dataset=csv", "dataset.path=x", "dataset.controls=1", "model=nss", "settings=nss"))
    assert made.model == first.model
    assert (made.dataset.path, made.dataset.controls, made.dataset.targets) == (str(tmp_path / "all"), ["u"], ["y"])
    assert (made.dataset.split, made.dataset.validation_cases, made.dataset.test_cases) == (Split.named, ["c2"], ["c3"])
    assert (made.settings.epochs, made.settings.lr) == (first.settings.epochs, first.settings.lr)
    assert (made.settings.init_from, made.settings.register_model) == (None, None)
    assert (made.settings.max_minutes, made.settings.mlflow_exp_name) == (2.0, "mine")
    config = replace(config, update=Update.further)
    made = training_config(surrogate, tmp_path / "before.pth", first_cases(surrogate, CONFIG), config, tmp_path / "all")
    assert made.settings.init_from == str(tmp_path / "before.pth")
    assert made.settings.epochs == round(first.settings.epochs / 3)
    assert made.settings.lr == pytest.approx(0.3 * first.settings.lr)


def test_without_validation_cases_there_are_none_in_a_round(surrogate: Surrogate, tmp_path: Path) -> None:
    found = replace(first_cases(surrogate, CONFIG), validation=[])
    made = training_config(surrogate, tmp_path / "b", found, PlanConfig("s", output="o"), tmp_path / "all")
    assert (made.dataset.validation, made.dataset.validation_cases) == (0, None)


def test_stretches_of_records_are_refused(surrogate: Surrogate) -> None:
    (step,) = surrogate.lineage
    parts = {**step.parts, "test": {"c3 (10 to 19 s)": None}}
    surrogate.lineage = (replace(step, parts=parts),)
    with pytest.raises(UserError, match="trained on stretches of records"):
        first_cases(surrogate, CONFIG)
    surrogate.lineage = (replace(step, parts={**step.parts, "test": {}}),)
    with pytest.raises(UserError, match="no test cases, on which the error is measured"):
        first_cases(surrogate, CONFIG)


def test_a_portfolio_has_no_weights_to_go_on_from(surrogate: Surrogate) -> None:
    surrogate.config = {**surrogate.config, "model.name": "auto"}
    assert first_cases(surrogate, CONFIG).test == ["c3"]
    with pytest.raises(UserError, match="update=further: model=auto starts from closed forms"):
        first_cases(surrogate, replace(CONFIG, update=Update.further))


def test_units_are_refused_because_new_cases_have_none(surrogate: Surrogate) -> None:
    surrogate.config = {**surrogate.config, "dataset.groups": "units.csv"}
    with pytest.raises(UserError, match="trained with dataset.groups, and new cases have no unit"):
        first_cases(surrogate, CONFIG)
