"""Split cases into training, validation and test: whole cases, or stretches of them in time order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from surrogate_modeling.cases.case import Case, CaseSet, RowTable
from surrogate_modeling.cases.stretches import Cut, cut_records
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.wording import counted
from surrogate_modeling.config.dataset import DatasetConfig, Split


@dataclass(frozen=True)
class CaseSplit:
    """Training, validation (model selection) and test cases; ``table`` is the array of their rows if they share one."""

    training: list[Case]
    validation: list[Case]
    test: list[Case]
    table: RowTable | None = None


def split_cases(case_set: CaseSet, config: DatasetConfig, seed: int, *, given: int = 1, least: int = 2) -> CaseSplit:
    """Split the cases as configured.

    Args:
        case_set: cases in natural name order.
        config: ``split``, sizes, and names for ``split=named``.
        seed: of the random split.
        given: rows that a prediction starts from, which ``split=time`` leaves out between two stretches.
        least: rows that a stretch of ``split=time`` needs.

    Raises:
        UserError: a named case is not there or named twice, nothing is left to train on, or a record is too short.
    """
    cases = case_set.cases
    if config.split is Split.time:
        return _time_split(case_set, config, given, least)
    if config.split is Split.named:
        split = _named_split(cases, config.validation_cases or [], config.test_cases or [])
        return replace(split, table=case_set.table)
    sizes = {key: _count(getattr(config, key), len(cases)) for key in ("validation", "test")}
    count = len(cases) - sizes["validation"] - sizes["test"]
    if count < 1:
        raise UserError(
            f"dataset.validation={config.validation}, dataset.test={config.test}: {sizes['validation']} and "
            f"{sizes['test']} of {counted(len(cases), 'case')} leave none to train on"
        )
    order = list(range(len(cases)))
    if config.split is Split.random:
        order = np.random.default_rng(seed).permutation(len(cases)).tolist()
    parts = order[:count], order[count : count + sizes["validation"]], order[count + sizes["validation"] :]
    training, validation, test = ([cases[i] for i in sorted(part)] for part in parts)
    return CaseSplit(training, validation, test, case_set.table)


def reduced_split(split: CaseSplit, fraction: float, seed: int, *, with_validation: bool = False) -> CaseSplit:
    """Leave out training cases, drawn at random; of one seed, a smaller fraction is part of a larger one.

    Args:
        split: of all cases; its test cases stay, and so do its validation cases.
        fraction: of the training cases that is kept, at least one.
        seed: of the draw.
        with_validation: draw from the validation cases too, for surrogates that learn from both.
    """
    if fraction == 1:
        return split
    # Not the stream that dealt the cases out: with it the draw would follow from the deal.
    streams = np.random.SeedSequence([seed, len(split.training)]).spawn(2)
    parts = [split.training, split.validation] if with_validation else [split.training]
    kept = [_drawn(part, fraction, np.random.default_rng(stream)) for part, stream in zip(parts, streams, strict=False)]
    return replace(split, training=kept[0], validation=kept[1] if with_validation else split.validation)


def _drawn(cases: list[Case], fraction: float, rng: np.random.Generator) -> list[Case]:
    """The first cases of a random order, in the order of their names."""
    count = max(1, round(fraction * len(cases))) if cases else 0
    return [cases[i] for i in sorted(rng.permutation(len(cases))[:count].tolist())]


def _time_split(case_set: CaseSet, config: DatasetConfig, given: int, least: int) -> CaseSplit:
    """Cut every record in time order; those named as test cases are the test, whole."""
    whole = config.test_cases or []
    parts = _named_split(case_set.cases, [], whole)
    cut = Cut(config.validation, 0.0 if whole else config.test, given, least)
    training, validation, test = cut_records(parts.training, cut)
    table = case_set.table and case_set.table.including((*training, *validation, *test))
    return CaseSplit(training, validation, [*test, *parts.test], table)


def _count(size: int | float, cases: int) -> int:
    return int(size) if isinstance(size, int) or size == 0 else max(1, round(size * cases))


def _named_split(cases: Sequence[Case], validation: list[str], test: list[str]) -> CaseSplit:
    by_name = {case.name: case for case in cases}
    for key, names in (("validation_cases", validation), ("test_cases", test)):
        unknown = [name for name in names if name not in by_name]
        if unknown:
            raise UserError(
                f"dataset.{key}: no such case: {', '.join(unknown)}; a case is named as its file without .csv"
            )
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise UserError(f"dataset.{key}: {', '.join(twice)} named twice")
    both = set(validation) & set(test)
    if both:
        raise UserError(f"dataset.validation_cases and dataset.test_cases both name {', '.join(sorted(both))}")
    training = [case for case in cases if case.name not in {*validation, *test}]
    if not training:
        raise UserError("dataset.validation_cases and dataset.test_cases name every case; none is left to train on")
    return CaseSplit(training, [by_name[name] for name in validation], [by_name[name] for name in test])
