"""The trainings of a comparison: every model with every recipe, and each pair with every seed.

An entry of ``models``, ``recipes`` or ``pairs`` is the name of a YAML, and overrides that hold for it alone; its text
is what the table calls it.
"""

from __future__ import annotations

import copy
import hashlib
import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hydra import compose
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.commands import CompareConfig, Config
from surrogate_modeling.config.composition import to_config
from surrogate_modeling.config.identity import decisive
from surrogate_modeling.config.refusals import configuration_message

OWNED = {
    "settings": 'give the recipes as recipes=[stable,"stable settings.lr=0.001"]',
    "settings.seed": "give seeds=[...]",
    "settings.max_minutes": "give minutes=...",
    "dataset.training_fraction": "give fractions=[...]",
}
# Of these, what an entry says would be overwritten.
LISTED = ("settings.seed", "dataset.training_fraction")


# Compared and hashed by identity: a configuration has no hash.
@dataclass(frozen=True, eq=False)
class Pair:
    """One training: a model with a recipe, and a seed.

    Attributes:
        model: entry of ``models``, as typed.
        recipe: entry of ``recipes``.
        seed: of the run.
        config: checked.
        composed: the tree it was made from.
    """

    model: str
    recipe: str
    seed: int
    config: Config
    composed: DictConfig

    def __str__(self) -> str:
        part = f", {100 * self.fraction:.3g} % of the cases" if self.fraction < 1 else ""
        return f"{self.model}, {self.recipe}, seed {self.seed}{part}"

    @property
    def fraction(self) -> float:
        """Of the training cases."""
        return self.config.dataset.training_fraction

    def digest(self, fingerprint: str) -> str:
        """Stands for everything the result depends on.

        Args:
            fingerprint: of the cases.
        """
        text = json.dumps([decisive(self.config.flat()), fingerprint], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def passed_on(typed: Iterable[str]) -> list[str]:
    """Of the overrides of the command those that hold for every training: of ``dataset`` and ``settings``.

    Raises:
        UserError: one of them is chosen per training.
    """
    kept = []
    for override in typed:
        key = _key(override)
        if key in OWNED:
            raise UserError(f"{override}: {OWNED[key]}")
        if is_common(override):
            kept.append(override)
    return kept


def is_common(override: str) -> bool:
    """Whether an override holds for every training: one of ``dataset`` or ``settings``."""
    return _key(override).split(".")[0] in ("dataset", "settings")


def _key(override: str) -> str:
    return override.split("=", 1)[0].lstrip("+~")


def compose_pairs(config: CompareConfig, common: Sequence[str]) -> list[Pair]:
    """Every training, its configuration checked, in the order of models, recipes, further pairs, fractions and seeds.

    The largest fraction comes first: it is the comparison.

    Args:
        config: of the command.
        common: overrides that hold for all.

    Raises:
        UserError: a pair does not compose; which, and why.
    """
    wanted = [(model, recipe) for model in config.models for recipe in config.recipes]
    wanted += [_split(entry) for entry in config.pairs]
    repeated = sorted({f"{model} with {recipe}" for model, recipe in wanted if wanted.count((model, recipe)) > 1})
    if repeated or len(set(config.seeds)) < len(config.seeds):
        raise UserError(f"given more than once: {', '.join(repeated) or 'seeds'}")
    return [pair for model, recipe in wanted for pair in _compose(model, recipe, config, common)]


def refuse_twins(digests: Mapping[Pair, str]) -> None:
    """Refuse entries in other words that are one training: they would count as two seeds of one row.

    Args:
        digests: of every pair.

    Raises:
        UserError: which they are.
    """
    first: dict[str, Pair] = {}
    for pair, digest in digests.items():
        twin = first.setdefault(digest, pair)
        if twin is not pair:
            raise UserError(
                f"{twin.model} with {twin.recipe}, and {pair.model} with {pair.recipe}, are the same training: they "
                "differ in nothing that changes its result; give one of them"
            )


def _compose(model: str, recipe: str, config: CompareConfig, common: Sequence[str]) -> list[Pair]:
    """With every fraction and seed; composed once, because that takes a tenth of a second."""
    overrides = []
    for key, group, entry in (("models", "model", model), ("recipes", "settings", recipe)):
        words = words_of(entry)
        if not words:
            raise UserError(f"{key}: an empty entry; the name of a file in hydra/{group}/ is expected")
        overrides += [f"{group}={words[0]}"]
    # Overrides of one entry come last and win over those of all.
    own = [*words_of(model)[1:], *words_of(recipe)[1:]]
    for override in own:
        if (key := _key(override)) in LISTED:
            raise UserError(f"{model} with {recipe}: {override}: one entry cannot have its own; {OWNED[key]} for all")
    minutes = [] if config.minutes is None else [f"settings.max_minutes={config.minutes}"]
    try:
        composed = compose("config", [*overrides, *common, *minutes, *own])
        fractions = sorted(config.fractions, reverse=True)
        return [_with(model, recipe, composed, seed, part) for part in fractions for seed in config.seeds]
    except UserError as error:
        message = str(error)
    except (HydraException, OmegaConfBaseException) as error:
        message = configuration_message(error)
    raise UserError(f"{model} with {recipe}: {message}")


def _with(model: str, recipe: str, composed: DictConfig, seed: int, fraction: float) -> Pair:
    own = copy.deepcopy(composed)
    own.settings.seed, own.dataset.training_fraction = seed, fraction
    return Pair(model, recipe, seed, to_config(own), own)


def _split(entry: str) -> tuple[str, str]:
    """An entry of ``pairs``: the second word that is no override is the recipe, and begins what is its own."""
    words = words_of(entry)
    second = next((i for i, word in enumerate(words) if i and "=" not in word), 0)
    if not second:
        raise UserError(f"pairs: {entry!r}: a model and a recipe, each with its overrides, are expected")
    return shlex.join(words[:second]), shlex.join(words[second:])


def words_of(entry: str) -> list[str]:
    """The words of an entry of ``models``, ``recipes`` or ``pairs``.

    Raises:
        UserError: quotes that do not end.
    """
    try:
        return shlex.split(entry)
    except ValueError as error:
        raise UserError(f"{entry!r}: {error}") from None
