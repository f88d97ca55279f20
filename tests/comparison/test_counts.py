"""Numbers of training cases of a comparison, by the shares of its split."""

from pathlib import Path

import pytest
from builders import write_cases
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import CONFIG_DIR
from surrogate_modeling.comparison.counts import Learnt, check_counts, count_cases
from surrogate_modeling.comparison.pairs import Pair, compose_pairs
from surrogate_modeling.config.commands import CompareConfig
from surrogate_modeling.config.composition import register_schemas


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cases(tmp_path_factory.mktemp("cases"), 20, 20, longer=0)


def pairs(
    folder: Path, *common: str, model: str = "don", fractions: tuple[float, ...] = (0.25, 0.5, 1.0)
) -> list[Pair]:
    register_schemas()
    GlobalHydra.instance().clear()
    config = CompareConfig(models=[model], recipes=["default"], seeds=[1, 2], fractions=list(fractions))
    given = ["dataset=csv", f"dataset.path={folder}", "dataset.controls=2", "dataset.validation=4", "dataset.test=4"]
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return compose_pairs(config, [*given, *common])


def test_what_is_learnt_from_and_what_it_is_drawn_from(folder: Path) -> None:
    # 12 of 20 cases to train; a random split deals all 20 anew for each seed.
    assert count_cases(pairs(folder)[0], 0.5) == Learnt(6, 6, 20)
    assert count_cases(pairs(folder, "dataset.split=last")[0], 0.5) == Learnt(6, 6, 12)
    # The portfolio also learns from the validation cases.
    assert count_cases(pairs(folder, "dataset.split=last", model="auto")[0], 0.5) == Learnt(8, 6, 16)


def test_fractions_that_do_are_let_pass(folder: Path) -> None:
    check_counts(pairs(folder))
    check_counts(pairs(folder, fractions=(0.01,)))


@pytest.mark.parametrize(
    ("fractions", "said"),
    [
        ((0.1, 0.5, 1.0), "fractions: 0.1 of 12 training cases is 1, and a learning curve begins at 3"),
        ((0.5, 0.51, 1.0), "fractions: 0.51 and 0.5 of 12 training cases are both 6; give fractions farther apart"),
    ],
)
def test_fractions_that_do_not_are_refused(folder: Path, fractions: tuple[float, ...], said: str) -> None:
    with pytest.raises(UserError) as refusal:
        check_counts(pairs(folder, fractions=fractions))
    assert said in str(refusal.value)
