"""The numbers of training cases of a comparison, and their check before a learning curve is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.comparison.pairs import Pair
from surrogate_modeling.config.dataset import Split
from surrogate_modeling.experiment.dataset import load_cases_once
from surrogate_modeling.experiment.split_and_folds import dataset_of, has_folds, split_of

LEAST_CASES = 3


@dataclass(frozen=True)
class Learnt:
    """Numbers of cases that a network learns from, that the baselines do, and that both are drawn from."""

    network: int
    baselines: int
    pool: int


def count_cases(pair: Pair, fraction: float) -> Learnt:
    """How many cases a training learns from, with a fraction of them.

    Raises:
        UserError: the cases cannot be split as configured.
    """
    case_set = load_cases_once(pair.config)
    dataset = replace(dataset_of(pair.config, case_set), training_fraction=fraction)
    config = replace(pair.config, dataset=dataset)
    split = split_of(config, case_set)
    kept, folds = len(split.training), has_folds(config, split)
    # A random split deals all cases anew for each seed; any other leaves the same ones to train on.
    others = 0 if dataset.split is Split.random else len(split.test) + (0 if folds else len(split.validation))
    return Learnt(kept + len(split.validation) * folds, kept, max(len(case_set.cases) - others, kept))


def check_counts(pairs: Sequence[Pair]) -> None:
    """Check that the fractions of a learning curve are different numbers of cases, and none too small.

    Args:
        pairs: every training.

    Raises:
        UserError: one is too small, or two are the same; what to give instead.
    """
    if len({pair.fraction for pair in pairs}) == 1:
        return
    seen: dict[tuple[str, str], dict[int, float]] = {}
    for pair in (pair for pair in pairs if pair.seed == pairs[0].seed):
        count, whole = (count_cases(pair, fraction).network for fraction in (pair.fraction, 1.0))
        others = seen.setdefault((pair.model, pair.recipe), {})
        if count < LEAST_CASES:
            least = LEAST_CASES / whole
            remedy = (
                f"give {least:.2g} or more" if least < 0.2 else "more cases are needed before a curve says anything"
            )
            raise UserError(
                f"fractions: {pair.fraction:g} of {whole} training cases is {count}, and a learning curve begins at "
                f"{LEAST_CASES}; {remedy}"
            )
        if count in others:
            raise UserError(
                f"fractions: {others[count]:g} and {pair.fraction:g} of {whole} training cases are both {count}; "
                "give fractions farther apart"
            )
        others[count] = pair.fraction
