"""Start a training from the weights of another surrogate (``settings.init_from``): what fits is taken.

Weights mean something in standardised units only, so the scaling of the columns that both surrogates have comes with
them. A tensor of the network fits where there is one of its name and shape.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import torch

from surrogate_modeling.cases.units import UnitError, conversion
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.wording import names_and_rest
from surrogate_modeling.config.models import ModelConfig, Modes, SsmConfig
from surrogate_modeling.networks.unit_latent import unit_numbers, weights_for
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.surrogate.parts import TrainedPart, trained_parts

log = logging.getLogger(__name__)
KEY = "settings.init_from"
# What the training cases decide about the structure of a network.
DECIDED = {"ssm": ("oscillations", "integral_time")}
MAX_LISTED = 8


@dataclass(frozen=True)
class WarmStart:
    """A surrogate whose weights a training begins with.

    Attributes:
        name: as the user named it.
        parent: the surrogate.
        part: its networks of the kind that is trained.
    """

    name: str
    parent: Surrogate
    part: TrainedPart

    @classmethod
    def of(cls, name: str, parent: Surrogate, model: ModelConfig) -> WarmStart:
        """Find the networks of a kind in a surrogate.

        Raises:
            UserError: there is none, or a portfolio is to be trained.
        """
        if model.name == "auto":
            raise UserError(
                f"{KEY}={name}: a portfolio (model=auto) starts from closed forms; name one network, such as model=nss,"
                " or adapt the surrogate with pdm run adapt"
            )
        parts = trained_parts(parent)
        fitting = [part for part in parts if part.member.model.name == model.name]
        if not fitting:
            kinds = ", ".join(dict.fromkeys(f"model={part.member.model.name}" for part in parts)) or "none"
            raise UserError(f"{KEY}={name}: no trained network of model={model.name} in it; it has {kinds}")
        same = [part for part in fitting if _alike(model, part.member.model) == part.member.model]
        return cls(name, parent, (same or fitting)[0])

    def structure(self, model: ModelConfig) -> ModelConfig | None:
        """The model with what the parent's cases decided about it; None where it differs in what was typed."""
        other = self.part.member.model
        return other if _alike(model, other) == other else None

    def take_scaling(self, surrogate: Surrogate) -> None:
        """Take the scaling of the columns that both surrogates have; logs the others.

        Args:
            surrogate: with scaling fitted on its own cases, for the other columns.

        Raises:
            UserError: networks are told units there and not here, or other numbers of each.
        """
        there, here = self.parent.description.unit_latents, surrogate.description.unit_latents
        if there != here:
            raise UserError(
                f"{KEY}={self.name}: its networks are told {there} numbers of each unit, those here {here}; "
                + (
                    f"dataset.unit_latents={there} makes"
                    if here or not there
                    else f"units in dataset.groups, training cases of each, and dataset.unit_latents={there} make"
                )
                + " them alike, and pdm run adapt goes on from it in any case"
            )
        ours, theirs = surrogate.description.channels, self.parent.description.channels
        columns, others = (*ours.controls, *ours.predicted), (*theirs.controls, *theirs.predicted)
        scaling, parent, own = surrogate.scaling, self.parent.scaling, list[str]()
        for i, name in enumerate(columns):
            if name not in others:
                own.append(f"{name!r} (new)")
                continue
            j = others.index(name)
            try:
                factor, offset = conversion(theirs.units[name], ours.units[name])
            except UnitError:
                own.append(f"{name!r} ({theirs.units[name]} there, {ours.units[name]} here)")
                continue
            if bool(parent.constant[j]):
                own.append(f"{name!r} (constant there)")
                continue
            scaling.mean[i] = float(parent.level[j]) * factor + offset - float(scaling.offset[i])
            scaling.scale[i] = scaling.divisor[i] = abs(factor) * float(parent.scale[j])
        log.info("%s: scaling of %d of %d columns taken", KEY, len(columns) - len(own), len(columns))
        gone = [repr(name) for name in others if name not in columns]
        for text, names in (("their own scaling have", own), ("not here are", gone)):
            if names:
                log.warning("%s: %s %s", KEY, text, names_and_rest(names, MAX_LISTED))
        self._compare(surrogate, columns, others)

    def _compare(self, surrogate: Surrogate, columns: tuple[str, ...], others: tuple[str, ...]) -> None:
        """Warn of what has the same numbers and another meaning."""
        here, there = surrogate.description, self.parent.description
        if columns != others and len(columns) == len(others):
            moved = [f"{a!r} for {b!r}" for a, b in zip(columns, others, strict=True) if a != b]
            log.warning("%s: weights are taken by the place of the column: %s", KEY, names_and_rest(moved, MAX_LISTED))
        if here.step != there.step:
            log.warning(
                "%s: rows are %g s apart there and %g s here: times that the weights hold in rows are others here", KEY,
                there.step, here.step,
            )  # fmt: skip

    @torch.no_grad()
    def take_weights(self, surrogate: Surrogate, member: int = 0) -> str:
        """Take the weights that fit into the network of a surrogate; logs and returns what was taken.

        Args:
            surrogate: of one network, with its start weights.
            member: number within an ensemble, which takes another of the parent's networks where there are several.
        """
        # Latents go by the name of the unit; those of a unit that is new are the mean unit's.
        places = unit_numbers([*surrogate.description.units, None], self.parent.description.units)
        parent = weights_for(self.part.networks[member % len(self.part.networks)], places, surrogate.network)
        weights, left = surrogate.network.state_dict(), list[str]()
        for name, value in weights.items():
            other = parent.get(name)
            if other is None or other.shape != value.shape:
                shape = "not there" if other is None else f"{tuple(other.shape)} there"
                left.append(f"{name} ({tuple(value.shape)} here, {shape})")
            else:
                value.copy_(other)
        left += [f"{name} (not here)" for name in parent if name not in weights]
        taken = sum(name in parent and parent[name].shape == value.shape for name, value in weights.items())
        text = f"{taken} of {len(weights)} tensors of {self.part.member.model.name} taken from {self.name}"
        log.info("%s: %s", KEY, text)
        if not taken:
            raise UserError(f"{KEY}={self.name}: no tensor of its network fits; compare the keys of model=")
        if left:
            log.warning("%s: not taken: %s", KEY, names_and_rest(left, MAX_LISTED))
        return text


def _alike(model: ModelConfig, other: ModelConfig) -> ModelConfig:
    """The model, with what the cases of another of its kind decided where this is left to the cases."""
    if not isinstance(model, SsmConfig) or not isinstance(other, SsmConfig) or model.modes is Modes.none:
        return model
    if model.oscillations or model.integral_time is not None:
        return model
    return replace(model, **{key: getattr(other, key) for key in DECIDED[model.name]})
