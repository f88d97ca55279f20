"""The trained networks within a surrogate, and others in their place."""

import numpy as np
import pytest
from lag import CHANNELS, lag_case, make, settings

from surrogate_modeling.config.models import DonConfig, PersistenceConfig
from surrogate_modeling.networks.ensemble import EnsembleNetwork
from surrogate_modeling.surrogate.description import Description, Member, make_network
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.surrogate.parts import single, trained_parts, with_networks

DON = DonConfig("don", trunk_depth=2, trunk_dim=8, branch_dim=8, width=4)


def mixture(weights: list[list[float]]) -> Surrogate:
    """Persistence, a linear model that has the network of another kind, and two networks; weights (3, 2)."""
    made = make(settings())[0]
    description = made.description
    held = make_network(Description(PersistenceConfig(), CHANNELS, 4, 1, 1.0))
    linear, *pair = (make_network(description) for _ in range(3))
    members = [
        (Member("persistence", PersistenceConfig()), held),
        (Member("lss", DON), linear),
        (Member("don", DON, 2), EnsembleNetwork(pair)),
    ]
    made.mix(members, np.array(weights))
    return made


def test_of_a_mixture_closed_forms_and_what_has_no_weight_are_not_trained() -> None:
    (part,) = trained_parts(mixture([[0.5, 0.2], [0.25, 0.3], [0.25, 0.5]]))
    assert (part.member.name, len(part.networks)) == ("don", 2)
    # The only target is the second column.
    assert part.weight == pytest.approx(0.5)
    assert trained_parts(mixture([[0.5, 0.7], [0.25, 0.3], [0.25, 0.0]])) == []


def test_other_networks_take_the_place_of_the_trained_ones_alone() -> None:
    before = mixture([[0.5, 0.2], [0.25, 0.3], [0.25, 0.5]])
    (part,) = trained_parts(before)
    cases = [lag_case(30, 9)]
    rows = [single(before, part.member, network).eval().predict(cases)[0] for network in part.networks]
    after = with_networks(before, {"don": part.networks[1:]})
    assert after.description.mixture[2].copies == 1
    # Without the first of the two networks, its share is the other's: w (a + b) / 2 -> w b.
    expected = before.predict(cases)[0] + np.array([0.25, 0.5]) * (rows[1] - rows[0]) / 2
    np.testing.assert_allclose(after.predict(cases)[0], expected, rtol=1e-5, atol=1e-6)
    assert before.description.mixture[2].copies == 2


def test_an_ensemble_may_lose_members() -> None:
    made = make(settings())[0]
    (alone,) = trained_parts(made)
    assert (alone.member.name, alone.member.copies) == ("network", 1)
    twice = with_networks(made, {"network": [alone.networks[0]] * 2})
    assert twice.description.members == 2
    cases = [lag_case(30, 9)]
    np.testing.assert_allclose(twice.predict(cases)[0], made.eval().predict(cases)[0], rtol=1e-6)
