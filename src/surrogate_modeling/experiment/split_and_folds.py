"""The split of the cases, the folds that are left out in turn, and the models that are fitted on them."""

from __future__ import annotations

import logging
from dataclasses import replace

from surrogate_modeling.cases.case import CaseSet
from surrogate_modeling.cases.groups import unit_names
from surrogate_modeling.cases.split import CaseSplit, reduced_split, split_cases
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.wording import names_and_rest
from surrogate_modeling.config.commands import Config
from surrogate_modeling.config.composition import larger_model, member_settings
from surrogate_modeling.config.dataset import DatasetConfig, Split
from surrogate_modeling.config.models import MODEL_SCHEMAS, AutoConfig, Candidate
from surrogate_modeling.training.folds import Folds, make_folds
from surrogate_modeling.training.portfolio import PortfolioModels
from surrogate_modeling.training.race import TrainedMember

log = logging.getLogger(__name__)
# With fewer cases, a validation case is more of them than training can spare.
MIN_CASES = 5
FOLDS = 5
MAX_LISTED = 8
CLOSED_FORMS = [choice.value for choice in Candidate]


def dataset_of(config: Config, case_set: CaseSet) -> DatasetConfig:
    """The dataset's configuration; without validation cases where parts of the training cases are left out in turn."""
    dataset, count = config.dataset, len(case_set.cases)
    if dataset.split is Split.time and isinstance(config.model, AutoConfig) and dataset.validation:
        log.info("split=time with model=auto: parts of each record are left out in turn, none is cut off to validate")
        return replace(dataset, validation=0)
    whole_cases = dataset.split in (Split.random, Split.last)
    if not whole_cases or dataset.validation == 0 or count >= MIN_CASES or config.settings.is_debug:
        return dataset
    log.warning(
        "only %d cases: none is kept for validation, parts of them are left out in turn (dataset.validation=0)", count
    )
    return replace(dataset, validation=0)


def split_of(config: Config, case_set: CaseSet) -> CaseSplit:
    """The cases that a run trains on, validates and tests with.

    Args:
        config: of the run, with the dataset of :func:`dataset_of`.
        case_set: of all cases.

    Raises:
        UserError: as :func:`surrogate_modeling.cases.split.split_cases`.
    """
    dataset, settings = config.dataset, config.settings
    rows = settings.in_len + settings.out_len
    split = split_cases(case_set, dataset, settings.seed, given=settings.in_len, least=rows)
    both = has_folds(config, split)
    return reduced_split(split, dataset.training_fraction, settings.seed, with_validation=both)


def has_folds(config: Config, split: CaseSplit) -> bool:
    """Whether parts of the training and validation cases are left out in turn, so that all of them are learnt from."""
    return isinstance(config.model, AutoConfig) or not split.validation


def as_learnt(config: Config, split: CaseSplit) -> CaseSplit:
    """The split by what is learnt from: with folds the validation cases are training cases as well.

    What is fitted once for all networks then knows the part that a network is judged on: by the range of its columns,
    and with ``settings.start=rest`` by its first rows.
    """
    if not has_folds(config, split):
        return split
    return replace(split, training=[*split.training, *split.validation], validation=[])


def folds_of(config: Config, split: CaseSplit) -> Folds | None:
    """Folds of the training and validation cases; None where one network is trained on the former alone.

    Raises:
        UserError: settings that have no meaning with folds, or a record too short to be cut.
    """
    model, settings = config.model, config.settings
    if not has_folds(config, split):
        return None
    if settings.on_several_devices:
        raise UserError(
            "settings.devices, settings.launched_by: with model=auto or dataset.validation=0 many small networks are "
            "trained, which gain nothing from several devices; leave both out"
        )
    if settings.ensemble > 1:
        raise UserError(
            f"settings.ensemble={settings.ensemble}: with model=auto or dataset.validation=0 every fold trains a "
            "network, and their mean is the prediction; set it to 1"
        )
    if settings.stack and isinstance(model, AutoConfig):
        log.warning("settings.stack has no effect with model=auto, which has the regressions among its members")
    count = model.folds if isinstance(model, AutoConfig) else FOLDS
    cases, by_unit = as_learnt(config, split).training, _predicts_new_units(config, split)
    return make_folds(cases, settings, count, split.table, by_unit=by_unit)


def _predicts_new_units(config: Config, split: CaseSplit) -> bool:
    """Whether some test case is of a unit that no other case is of: what is left out should be like what is asked."""
    known = {case.unit for case in (*split.training, *split.validation)}
    return config.dataset.unit_effects and any(case.unit not in known for case in split.test)


def units_to_learn(config: Config, split: CaseSplit) -> list[str]:
    """Names of the units that networks learn numbers of; none where a case that judges would be of none of them."""
    dataset = config.dataset
    units = unit_names(as_learnt(config, split).training)
    if not dataset.unit_effects or not dataset.unit_latents or len(units) < 2:
        return []
    judging = {case.unit for case in (*split.validation, *split.test) if case.unit is not None}
    if new := sorted(judging - set(units)):
        log.warning(
            "dataset.unit_latents has no effect: there are cases to validate or test of %s, and none to train on; a "
            "split that has some of each unit on both sides changes that%s",
            names_and_rest(new, MAX_LISTED, "more units"),
            "" if has_folds(config, split) else ", and so may model=auto, which also trains on the validation cases",
        )  # fmt: skip
        return []
    log.info(
        "networks are told the unit of a case, one of %d, by %d learnt numbers: name it for predictions, too; groups "
        "that are no units, or units that nobody can name, ask for dataset.unit_latents=0", len(units),
        dataset.unit_latents,
    )  # fmt: skip
    return units


def portfolio_models(config: Config) -> PortfolioModels:
    """What the portfolio of a run tries; for one network that network, with ``settings.stack`` also a regression."""
    model, settings = config.model, config.settings
    if not isinstance(model, AutoConfig):
        return PortfolioModels(["quadratic"] if settings.stack else [], [TrainedMember(model, settings)], None)
    networks = []
    # The last ones are the first to go where time is short.
    for name in (member for member in model.members if member not in CLOSED_FORMS):
        recipe = member_settings(config, name)
        if settings.is_debug:
            recipe = replace(recipe, epochs=min(recipe.epochs, settings.epochs))
        networks.append(TrainedMember(MODEL_SCHEMAS[name](name), recipe))
        if name in model.larger and not settings.is_debug:
            networks.append(TrainedMember(larger_model(model, name), recipe, f"{name}-large"))
    return PortfolioModels([name for name in model.members if name in CLOSED_FORMS], networks, settings.max_minutes)
