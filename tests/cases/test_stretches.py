"""Records cut into stretches in time order."""

import logging
from dataclasses import replace

import numpy as np
import pytest
from builders import CONTROLS, case_set_of, make_case

from surrogate_modeling.cases.case import CaseSet, RowTable
from surrogate_modeling.cases.split import split_cases
from surrogate_modeling.cases.stretches import Cut, blocks, cut_records, without_block
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.dataset import DatasetConfig, Split


def config(**options: object) -> DatasetConfig:
    return DatasetConfig(path="x", controls=CONTROLS, split=Split.time, **options)  # type: ignore[arg-type]


def in_one_array(*rows: int) -> CaseSet:
    """Cases ``a``, ``b``, ... that are views of one array, as read from a folder."""
    cases = [make_case(chr(ord("a") + i), count, i, step=0.5) for i, count in enumerate(rows)]
    table = RowTable.of(cases)
    cases = [replace(case, values=table.rows_of(case.name, len(case.time)), unit="one") for case in cases]
    return replace(case_set_of(cases), table=table)


def test_each_record_is_cut_in_time_order_with_gaps(caplog: pytest.LogCaptureFixture) -> None:
    """100 rows: 20 to test and 10 to validate at the end, two gaps of 5; 40 rows: 8, 4 and the same gaps."""
    case_set = in_one_array(100, 40)
    with caplog.at_level(logging.INFO):
        split = split_cases(case_set, config(validation=0.1, test=0.2), seed=0, given=5, least=4)
    names = [[case.name for case in part] for part in (split.training, split.validation, split.test)]
    assert names == [
        ["a (0 to 29.5 s)", "b (0 to 8.5 s)"],
        ["a (32.5 to 37 s)", "b (11.5 to 13 s)"],
        ["a (40 to 49.5 s)", "b (16 to 19.5 s)"],
    ]
    record = case_set.cases[0]
    np.testing.assert_array_equal(split.validation[0].values, record.values[65:75])
    np.testing.assert_array_equal(split.test[0].time, record.time[80:])
    assert split.test[0].unit == "one"
    assert "rows of 2 records: 78 to train, 14 to validate, 28 to test; 20 lost in gaps of 5 rows" in caplog.text
    assert "b: 18 to train, 4 to validate, 8 to test" in caplog.text


def test_the_rows_of_stretches_are_found_in_the_shared_array() -> None:
    split = split_cases(in_one_array(100, 40), config(validation=0.1, test=0.2), seed=0, given=5, least=4)
    assert split.table is not None
    for case in (*split.training, *split.validation, *split.test, *blocks(split.training[1], 2, 2, 3)):
        rows = split.table.including([case]).rows_of(case.name, len(case.time))
        assert np.shares_memory(rows, case.values)
        np.testing.assert_array_equal(rows, case.values)


def test_named_records_are_the_test_and_stay_whole() -> None:
    split = split_cases(in_one_array(100, 40), config(validation=0.1, test_cases=["b"]), seed=0, given=5, least=4)
    assert [case.name for case in split.training] == ["a (0 to 42 s)"]
    assert [case.name for case in split.validation] == ["a (45 to 49.5 s)"]
    assert [(case.name, len(case.time)) for case in split.test] == [("b", 40)]


def test_records_that_are_too_short_are_named_with_their_rows() -> None:
    with pytest.raises(UserError) as caught:
        split_cases(in_one_array(100, 40, 30), config(validation=0.1, test=0.2), seed=0, given=5, least=4)
    assert str(caught.value).startswith("dataset.split=time: 1 of 3 records are too short; a stretch needs at least 4 ")
    assert str(caught.value).endswith("\n  'c': 11 to train, 3 to validate, 6 to test of its 30 rows")
    with pytest.raises(UserError, match="'a': 0 to train, 6 to validate, 6 to test of its 10 rows"):
        split_cases(in_one_array(10), config(validation=0.6, test=0.6), seed=0, given=1, least=1)


def test_a_share_of_nothing_gives_no_stretch() -> None:
    training, validation, test = cut_records([make_case("a", 50)], Cut(0.0, 0.2, 5, 4))
    assert [len(case.time) for case in (*training, *test)] == [35, 10]
    assert validation == []


def test_blocks_share_a_record_evenly_with_gaps() -> None:
    """32 rows less two gaps of 3 are 26: blocks of 8, 9 and 9."""
    case = make_case("a", 32)
    found = blocks(case, 3, gap=3, least=8)
    assert [(int(block.time[0]), int(block.time[-1])) for block in found] == [(0, 7), (11, 19), (23, 31)]
    assert [block.name for block in found] == ["a (0 to 7 s)", "a (11 to 19 s)", "a (23 to 31 s)"]
    np.testing.assert_array_equal(found[1].values, case.values[11:20])
    with pytest.raises(UserError, match="'a' has 32 rows: too few for 3 blocks of at least 9 rows .* 33 are needed"):
        blocks(case, 3, gap=3, least=9)


def test_what_is_left_without_a_block_keeps_its_distance() -> None:
    """Rows 11 to 19 are left out, with 3 on both sides; what is shorter than 8 rows is of no use."""
    case = make_case("a", 32)
    first, middle, _ = blocks(case, 3, gap=3, least=8)
    left = without_block(case, middle, gap=3, least=8)
    assert [(int(part.time[0]), int(part.time[-1])) for part in left] == [(0, 7), (23, 31)]
    np.testing.assert_array_equal(left[1].values, case.values[23:])
    assert [part.name for part in without_block(case, middle, gap=3, least=9)] == ["a (23 to 31 s)"]
    assert [part.name for part in without_block(case, first, gap=3, least=9)] == ["a (11 to 31 s)"]


def test_a_stretch_of_a_stretch_keeps_the_name_of_the_record() -> None:
    first, _ = blocks(make_case("a", 20), 2, gap=0, least=1)
    assert [block.name for block in blocks(first, 2, gap=0, least=1)] == ["a (0 to 4 s)", "a (5 to 9 s)"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"validation": 3}, "dataset.validation=3: with dataset.split=time, must be a fraction"),
        ({"test": 1}, "dataset.test=1: with dataset.split=time, must be a fraction"),
        ({"validation_cases": ["a"]}, "dataset.split=time: cuts the validation out of each record"),
    ],
)
def test_keys_that_do_not_fit(options: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        config(**options)


def test_stretches_of_fast_records_have_names_of_their_own() -> None:
    """Rows a millisecond apart after 1.7e9 s, whole seconds of which are the same."""
    case = replace(make_case("a", 40), time=1_700_000_000 + np.arange(40) / 1000)
    assert [block.name for block in blocks(case, 2, gap=0, least=8)] == [
        "a (1700000000 to 1700000000.019 s)", "a (1700000000.02 to 1700000000.039 s)",
    ]  # fmt: skip
