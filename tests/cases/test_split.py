"""Splits by case."""

from itertools import pairwise

import pytest
from builders import case_set_of, make_case
from hypothesis import given
from hypothesis import strategies as st

from surrogate_modeling.cases.split import CaseSplit, reduced_split, split_cases
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.dataset import DatasetConfig, Split

CASES = [make_case(f"c{i}", 12, i) for i in range(10)]


def names(split: CaseSplit) -> tuple[list[str], list[str], list[str]]:
    training, validation, test = (
        [case.name for case in part] for part in (split.training, split.validation, split.test)
    )
    return training, validation, test


def config(**options: object) -> DatasetConfig:
    return DatasetConfig(path="x", controls=2, **options)  # type: ignore[arg-type]


def test_last_cases_by_count() -> None:
    split = split_cases(case_set_of(CASES), config(split=Split.last, validation=2, test=3), seed=0)
    assert names(split) == (["c0", "c1", "c2", "c3", "c4"], ["c5", "c6"], ["c7", "c8", "c9"])


def test_fractions_are_rounded_and_at_least_one_case() -> None:
    split = split_cases(case_set_of(CASES), config(split=Split.last, validation=0.26, test=0.01), seed=0)
    assert names(split) == ([f"c{i}" for i in range(6)], ["c6", "c7", "c8"], ["c9"])


@given(st.integers(3, 40), st.integers(0, 2**32 - 1), st.floats(0.01, 0.3), st.integers(1, 3))
def test_a_random_split_deals_every_case_once(count: int, seed: int, validation: float, test: int) -> None:
    cases = [make_case(f"c{i}", 11) for i in range(count)]
    sizes = config(validation=validation, test=test)
    wanted = max(1, round(validation * count))
    if wanted + test >= count:
        with pytest.raises(UserError, match="leave none to train on"):
            split_cases(case_set_of(cases), sizes, seed)
        return
    split = names(split_cases(case_set_of(cases), sizes, seed))
    assert [len(part) for part in split] == [count - wanted - test, wanted, test]
    assert sorted(name for part in split for name in part) == sorted(case.name for case in cases)
    assert split == names(split_cases(case_set_of(cases), sizes, seed))


def test_the_seed_decides() -> None:
    splits = [names(split_cases(case_set_of(CASES), config(validation=2, test=2), seed)) for seed in range(5)]
    assert len({str(split) for split in splits}) > 1
    # In each part the cases keep the order of their names.
    assert all(part == sorted(part) for split in splits for part in split)


def test_named_cases_in_the_order_given() -> None:
    options = {"split": Split.named, "validation_cases": ["c3"], "test_cases": ["c9", "c0"]}
    split = names(split_cases(case_set_of(CASES), config(**options), seed=0))
    assert split == (["c1", "c2", "c4", "c5", "c6", "c7", "c8"], ["c3"], ["c9", "c0"])


@pytest.mark.parametrize(
    ("validation", "test", "said"),
    [
        (["c1", "x"], ["y"], "dataset.validation_cases: no such case: x"),
        (["c1"], ["c2.csv"], "dataset.test_cases: no such case: c2.csv"),
        (["c1", "c2"], ["c2"], "both name c2"),
        (["c1", "c1"], ["c2"], "dataset.validation_cases: c1 named twice"),
        (["c1"], ["c2", "c3", "c2"], "dataset.test_cases: c2 named twice"),
        ([f"c{i}" for i in range(9)], ["c9"], "none is left to train on"),
    ],
)
def test_named_splits_that_cannot_be(validation: list[str], test: list[str], said: str) -> None:
    with pytest.raises(UserError) as caught:
        split_cases(case_set_of(CASES), config(split=Split.named, validation_cases=validation, test_cases=test), seed=0)
    assert said in str(caught.value)


def test_a_smaller_fraction_is_part_of_a_larger_and_others_stay() -> None:
    split = split_cases(case_set_of(CASES), config(validation=1, test=1), seed=3)
    parts = [names(reduced_split(split, fraction, 3)) for fraction in (0.01, 0.25, 0.5, 0.75, 1.0)]
    # Of 8 training cases, one at least.
    assert [len(training) for training, _, _ in parts] == [1, 2, 4, 6, 8]
    assert all(set(small[0]) < set(large[0]) for small, large in pairwise(parts))
    assert all(part[1:] == names(split)[1:] for part in parts)
    assert parts[-1] == names(split)
    assert all(training == sorted(training) for training, _, _ in parts)
    assert len({str(names(reduced_split(split, 0.5, seed))) for seed in range(5)}) > 1


def test_a_fraction_of_validation_cases_too_where_they_are_learnt_from() -> None:
    split = split_cases(case_set_of(CASES), config(validation=4, test=2), seed=3)
    small, large = (reduced_split(split, fraction, 1, with_validation=True) for fraction in (0.25, 0.5))
    assert [len(part) for part in names(small)] == [1, 1, 2]
    assert [len(part) for part in names(large)] == [2, 2, 2]
    assert set(names(small)[1]) < set(names(large)[1])
    without = split_cases(case_set_of(CASES), config(validation=0, test=2), seed=3)
    assert [len(part) for part in names(reduced_split(without, 0.5, 1, with_validation=True))] == [4, 0, 2]
