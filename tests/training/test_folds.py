"""Folds: every case left out once, units whole, a record in blocks, and networks that have not seen their fold."""

import pickle
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import make_case
from lag import lag_case, make, settings

from surrogate_modeling.cases.case import Case, RowTable
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.commands import Config
from surrogate_modeling.config.dataset import DatasetConfig
from surrogate_modeling.training.folds import Folds, FoldTraining, make_folds

RECIPE = settings()


def test_every_case_is_left_out_once_whatever_the_order() -> None:
    cases = [make_case(f"c{i}", 30, i) for i in range(7)]
    folds = make_folds(cases, RECIPE, 3, None)
    assert sorted(map(len, folds.parts)) == [2, 2, 3]
    assert sorted(case.name for case in folds.cases) == [case.name for case in cases]
    for k, part in enumerate(folds.parts):
        assert {c.name for c in folds.kept(k)} == {c.name for c in cases} - {c.name for c in part}
    again = make_folds(cases, RECIPE, 3, None)
    assert [[c.name for c in part] for part in again.parts] == [[c.name for c in part] for part in folds.parts]
    assert len(make_folds(cases[:2], RECIPE, 5, None).parts) == 2


def test_cases_of_one_unit_stay_together() -> None:
    cases = [replace(make_case(f"c{i}", 30, i), unit=f"u{i // 3}") for i in range(12)]
    folds = make_folds(cases, RECIPE, 2, None)
    assert [len({case.unit for case in part}) for part in folds.parts] == [2, 2]
    assert all(len(part) == 6 for part in folds.parts)
    # Groups that are no units are dealt case by case: of 12 cases each part of 2 gets some of at least 3 of 4 groups.
    mixed = make_folds(cases, RECIPE, 2, None, by_unit=False)
    assert min(len({case.unit for case in part}) for part in mixed.parts) >= 3
    one = [replace(case, unit="u") for case in cases]
    assert len(make_folds(one, RECIPE, 4, None).parts) == 4


def test_of_a_single_record_one_block_is_left_out_in_turn() -> None:
    """400 rows less 3 gaps of 4 are 4 blocks of 97; what is left ends 4 rows before the block and begins 4 after."""
    record = lag_case(400, 0)
    folds = make_folds([record], RECIPE, 4, RowTable(record.values, {record.name: 0}))
    assert [[(case.time[0], case.time[-1]) for case in part] for part in folds.parts] == [
        [(303, 399)], [(202, 298)], [(101, 197)], [(0, 96)],
    ]  # fmt: skip
    assert [(case.time[0], case.time[-1]) for case in folds.kept(2)] == [(0, 96), (202, 399)]
    assert [(case.time[0], case.time[-1]) for case in folds.kept(0)] == [(0, 298)]
    assert folds.cases == [record]
    assert folds.table is not None
    for case in (*folds.left_out, *folds.kept(1)):
        np.testing.assert_array_equal(folds.table.rows_of(case.name, len(case.time)), case.values)
    several = make_folds([lag_case(400, 0), lag_case(400, 1)], RECIPE, 3, None)
    assert [[case.name.split(" ")[0] for case in part] for part in several.parts] == [["case0", "case1"]] * 3
    with pytest.raises(UserError, match="too few for 5 blocks"):
        make_folds([lag_case(60, 0)], RECIPE, 5, None)


def test_what_is_sent_to_a_process_are_the_rows_once() -> None:
    """Of 3 columns and the time a row has 20 bytes; the same blocks and stretches are cut there, without a copy."""
    cases = [lag_case(20_000, 0), lag_case(20_000, 1)]
    table = RowTable.of([*cases, lag_case(50_000, 2)])
    shared = [replace(case, values=table.rows_of(case.name, 20_000)) for case in cases]
    folds = make_folds(shared, RECIPE, 5, table)
    packed = pickle.dumps(folds)
    assert 800_000 < len(packed) < 810_000
    sent = pickle.loads(packed)
    for mine, other in zip((*folds.parts, *folds.stretches), (*sent.parts, *sent.stretches), strict=True):
        assert [case.name for case in mine] == [case.name for case in other]
        for case, again in zip(mine, other, strict=True):
            np.testing.assert_array_equal(case.values, again.values)
            assert any(np.shares_memory(again.values, record.values) for record in sent.records)
    whole = make_folds([replace(case, unit=case.name) for case in shared], RECIPE, 5, table)
    assert 800_000 < len(pickle.dumps(whole)) < 810_000
    assert [[case.name for case in part] for part in pickle.loads(pickle.dumps(whole)).parts] == [
        [case.name for case in part] for part in whole.parts
    ]


def test_the_free_run_over_a_block_starts_with_its_record() -> None:
    """A model that counts the rows since its start: in the block from row 101 on, of which 4 are given, from 105 on."""

    def count(cases: Sequence[Case]) -> list[np.ndarray]:
        return [np.arange(RECIPE.in_len, len(case.time))[:, None] for case in cases]

    folds = make_folds([lag_case(400, 0), lag_case(400, 1)], RECIPE, 4, None)
    of_first, of_second = folds.free_runs(2, count)
    np.testing.assert_array_equal(of_first[:, 0], np.arange(105, 198))
    np.testing.assert_array_equal(of_second, of_first)
    whole = make_folds([lag_case(400, i) for i in range(4)], RECIPE, 4, None)
    np.testing.assert_array_equal(whole.free_runs(1, count)[0][:, 0], np.arange(4, 400))


def test_a_network_is_fitted_without_its_fold(tmp_path: Path) -> None:
    """A case of the fold is changed beyond recognition: the trained weights stay, its own free run does not."""
    surrogate, _, _ = make(RECIPE)
    config = Config(DatasetConfig(path="", controls=1), surrogate.description.model, RECIPE)
    weights, seen, metrics = [], [], list[str]()
    for strange in (False, True):
        cases = [lag_case(60, i) for i in range(4)]
        if strange:
            cases[0] = replace(cases[0], values=cases[0].values + 7.0)
        recipe = replace(config, settings=replace(RECIPE, patience=10))
        training = FoldTraining(
            recipe, surrogate, Folds([cases[:1], cases[1:]]), tmp_path / str(strange),
            lambda values, _: metrics.extend(values),
        )  # fmt: skip
        alone = training.start(surrogate.description.model, 0)
        training.fit("don", alone, recipe.settings, 0)
        assert {name.rsplit("/", 1)[0] for name in metrics} == {"don/fold0"}
        last = sorted((tmp_path / str(strange) / "don/fold0").glob("epoch=2*.ckpt"))[0]
        state = torch.load(last, weights_only=True)["state_dict"]
        weights.append([value for key, value in state.items() if key.startswith("surrogate.network")])
        seen.append(alone.predict(cases[:1])[0])
    torch.testing.assert_close(weights[0], weights[1])
    assert np.abs(seen[0] - seen[1]).max() > 0.1
