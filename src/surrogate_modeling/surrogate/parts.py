"""The networks within a surrogate that were trained, and a surrogate with others in their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import cast

from surrogate_modeling.networks import Network
from surrogate_modeling.networks.ensemble import EnsembleNetwork
from surrogate_modeling.networks.mixture import MixtureNetwork
from surrogate_modeling.surrogate.description import Member, of_member
from surrogate_modeling.surrogate.model import Surrogate

# The linear state space of a portfolio, which has the network of another kind and is fitted in closed form.
FITTED_MEMBERS = ("lss",)


@dataclass(frozen=True)
class TrainedPart:
    """Networks of one kind: an ensemble, the folds of a portfolio's member, or one alone.

    Attributes:
        member: name, sizes and number.
        networks: of them.
        weight: their mean weight in the targets; 1 where nothing is mixed.
    """

    member: Member
    networks: list[Network]
    weight: float = 1.0


def trained_parts(surrogate: Surrogate) -> list[TrainedPart]:
    """The trained networks of a surrogate: of a mixture without the members in closed form, or without weight."""
    description = surrogate.description
    if not description.mixture:
        alone = Member("network", description.model, description.members)
        return [] if description.model.closed_form else [TrainedPart(alone, surrogate.network.copies)]
    mixture = cast(MixtureNetwork, surrogate.network)
    weights = mixture.weight[:, description.channels.target_indices].mean(dim=1).tolist()
    return [
        TrainedPart(member, network.copies, weight)
        for member, network, weight in zip(description.mixture, mixture.networks, weights, strict=True)
        if not member.model.closed_form and member.name not in FITTED_MEMBERS and weight > 0
    ]


def single(surrogate: Surrogate, member: Member, network: Network) -> Surrogate:
    """A surrogate of one network, a copy, with the scaling of another."""
    alone = Surrogate(of_member(surrogate.description, replace(member, copies=1)))
    for name, part in surrogate.named_children():
        if name != "network":
            alone.add_module(name, deepcopy(part))
    alone.network = deepcopy(network)
    return alone.to(surrogate.device)


def with_networks(surrogate: Surrogate, networks: Mapping[str, Sequence[Network]]) -> Surrogate:
    """A copy of a surrogate with other networks in the place of its trained ones; weights of a mixture stay.

    Args:
        surrogate: to copy.
        networks: by the name of the member; of "network" where the surrogate is no mixture.
    """
    made, description = deepcopy(surrogate), surrogate.description
    made.band = None
    if not description.mixture:
        (own,) = networks.values()
        made.network = _joined(own).to(surrogate.device).eval()
        made.description = replace(description, members=len(own))
        return made
    mixture = cast(MixtureNetwork, surrogate.network)
    members = [
        (replace(member, copies=len(networks[member.name])), _joined(networks[member.name]))
        if member.name in networks else (member, network)
        for member, network in zip(description.mixture, mixture.networks, strict=True)
    ]  # fmt: skip
    made.mix(members, mixture.weight.cpu().numpy())
    return made


def _joined(networks: Sequence[Network]) -> Network:
    return deepcopy(networks[0]) if len(networks) == 1 else EnsembleNetwork([deepcopy(each) for each in networks])
