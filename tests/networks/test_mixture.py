"""The spread of a mixture against its members one by one, as a whole trajectory and row by row."""

import numpy as np
import pytest
import torch
from exported import make

from surrogate_modeling.networks.base import Network
from surrogate_modeling.networks.ensemble import EnsembleNetwork
from surrogate_modeling.networks.mixture import MixtureNetwork
from surrogate_modeling.surrogate.model import Surrogate


def parts(surrogate: Surrogate) -> list[tuple[np.ndarray, list[Network]]]:
    """The weight (P,) of each member, and the networks that it is the mean of."""
    mixture = surrogate.network
    assert isinstance(mixture, MixtureNetwork)
    return [
        (weight.numpy(), member.networks if isinstance(member, EnsembleNetwork) else [member])
        for weight, member in zip(mixture.weight, mixture.networks, strict=True)
    ]


@pytest.mark.parametrize("copies", [True, False])
@torch.no_grad()
def test_the_spread_is_that_of_all_members_by_weight(copies: bool) -> None:
    """Persistence, trees, two networks of one kind and a window network, as of a distribution with these parts."""
    surrogate = make("portfolio")
    sizes = surrogate.description.sizes
    rng = np.random.default_rng(0)
    past = torch.tensor(rng.normal(size=(2, sizes.in_len, sizes.controls + sizes.predicted)), dtype=torch.float32)
    control = torch.tensor(rng.normal(size=(2, 15, sizes.controls)), dtype=torch.float32)
    means, within, weights = [], [], []
    for weight, networks in parts(surrogate):
        runs = np.stack([network.free_run(past, control).double().numpy() for network in networks])
        means.append(runs.mean(axis=0))
        within.append(runs.var(axis=0, ddof=1) if copies and len(runs) > 1 else np.zeros_like(means[-1]))
        weights.append(np.broadcast_to(weight, means[-1].shape))
    mean = np.average(means, axis=0, weights=weights)
    square = np.average((np.array(means) - mean) ** 2 + within, axis=0, weights=weights)
    found, deviation = surrogate.network.free_run_spread(past, control, copies=copies)
    np.testing.assert_allclose(found, mean, atol=1e-5)
    np.testing.assert_allclose(deviation, np.sqrt(square), atol=1e-5)
    state, rows = surrogate.network.encode(past), []
    for t in range(15):
        state, *row = surrogate.network.advance_spread(state, control[:, t : t + 1], copies=copies)
        rows.append(torch.cat(row, dim=-1))
    np.testing.assert_allclose(torch.cat(rows, dim=1), torch.cat((found, deviation), dim=-1), atol=1e-5)


def test_a_spread_of_nothing_has_a_gradient() -> None:
    """A column with one member has no spread; its gradient is 0, not NaN."""
    surrogate = make("ssm-stacked")
    sizes = surrogate.description.sizes
    past = torch.zeros(1, sizes.in_len, sizes.controls + sizes.predicted)
    control = torch.zeros(1, 5, sizes.controls, requires_grad=True)
    deviation = surrogate.network.free_run_spread(past, control)[1]
    assert float(deviation[..., 1].detach().max()) == 0.0 < float(deviation[..., 0].detach().max())
    deviation.sum().backward()
    assert control.grad is not None
    assert control.grad.isfinite().all()
