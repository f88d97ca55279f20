"""Networks that are told the unit: against the inner network given the latents by hand."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from surrogate_modeling.config.models import DonConfig, NssConfig, SsmConfig
from surrogate_modeling.networks import Network, Sizes, build_network
from surrogate_modeling.networks.ensemble import EnsembleNetwork
from surrogate_modeling.networks.persistence import Persistence
from surrogate_modeling.networks.sizes import Batch
from surrogate_modeling.networks.unit_latent import (
    HIDDEN_SHARE,
    UnitBlind,
    UnitLatent,
    fixed_unit,
    unit_numbers,
    with_unit_numbers,
)

B, IN_LEN, H, C, P, K = 4, 3, 7, 2, 3, 2
NAMES = ("north", "south", "west")
SIZES = Sizes(C + K, P, IN_LEN, 1, P)
KINDS: dict[str, Callable[[], Network]] = {
    "don": lambda: build_network(DonConfig("don", trunk_dim=8, branch_dim=8, width=4), SIZES),
    "ssm": lambda: build_network(SsmConfig("ssm", width=4, states=4, depth=1), SIZES),
    "nss": lambda: build_network(NssConfig("nss", states=4, width=4), SIZES),
}


def made(kind: str) -> UnitLatent:
    torch.manual_seed(0)
    network = UnitLatent(KINDS[kind](), C, len(NAMES), K)
    with torch.no_grad():
        for each in network.parameters():
            each.normal_(std=0.3)
    network.known[:2] = True  # of west there was no training case
    return network.eval()


def windows() -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.randn(B, IN_LEN, C + P), torch.randn(B, H, C)


def beside(rows: Tensor, latent: Tensor) -> Tensor:
    return torch.stack(
        [
            torch.stack([torch.cat((row[:C], own, row[C:])) for row in case])
            for case, own in zip(rows, latent, strict=True)
        ]
    )


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_each_case_has_the_latent_of_its_unit(kind: str) -> None:
    network, (past, control) = made(kind), windows()
    numbers = unit_numbers(["south", "west", None, "north"], NAMES)
    latent = network.table[[1, 3, 3, 0]]
    expected = network.network.free_run(beside(past, latent), beside(control, latent))
    given = with_unit_numbers(past, numbers.float())
    torch.testing.assert_close(network.free_run(given, control), expected)
    state, stepped = network.encode(given), []
    assert state.shape == (B, network.state_size)
    for row in control.split(1, dim=1):
        state, rows = network.advance(state, row)
        stepped.append(rows)
    torch.testing.assert_close(torch.cat(stepped, dim=1), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_a_network_of_one_unit_is_told_no_number(kind: str) -> None:
    network, (past, control) = made(kind), windows()
    for number, name in ((1, "south"), (2, None), (3, None)):
        numbers = unit_numbers([name] * B, NAMES).float()
        expected = network.free_run(with_unit_numbers(past, numbers), control)
        alone = network.fixed(number)
        torch.testing.assert_close(alone.free_run(past, control), expected)
        torch.testing.assert_close(
            alone(past, control[:, :1]), network(with_unit_numbers(past, numbers), control[:, :1])
        )


@torch.no_grad()
def test_all_members_become_those_of_one_unit() -> None:
    past, control = windows()
    several = EnsembleNetwork([made("nss"), UnitBlind(Persistence(None, Sizes(C, P, IN_LEN, 1, P)))])
    given = with_unit_numbers(past, torch.tensor([1.0]))
    expected = several.free_run(given, control)
    torch.testing.assert_close(fixed_unit(several, 1).free_run(past, control), expected)


def test_units_are_hidden_from_some_windows_in_training_only() -> None:
    network, (past, _) = made("don"), windows()
    many = with_unit_numbers(past[:1].expand(10_000, -1, -1), torch.tensor([1.0]))
    assert bool((network.split(many)[1] == network.table[1]).all())
    hidden = (network.train().split(many)[1] == network.table[3]).all(dim=1).float().mean()
    # Four standard deviations of a share of 0.15 among 10,000.
    assert abs(float(hidden) - HIDDEN_SHARE) < 0.0143


def test_compiling_one_compiles_the_calls_of_its_free_run() -> None:
    for network in (made("don"), UnitBlind(KINDS["don"]())):
        network.compile(backend="eager")
        assert network.network._compiled_call_impl is not None
        assert network._compiled_call_impl is None


def test_only_units_of_the_training_cases_are_known_after_the_start() -> None:
    network, (past, control) = made("nss"), windows()
    network.known[:] = False
    numbers = unit_numbers(["west", "west", None, "north"], NAMES).float()
    batch = Batch(with_unit_numbers(past, numbers), control, torch.randn(B, H, P), torch.ones(B, H))
    network.initialise(batch, batch)
    assert network.known.tolist() == [True, False, True]


def test_latents_are_trained_and_those_of_absent_units_are_not() -> None:
    network, (past, control) = made("don"), windows()
    given = with_unit_numbers(past, unit_numbers(["south", "south", "west", "south"], NAMES).float())
    network.free_run(given, control).square().mean().backward()
    gradient = network.table.grad
    assert gradient is not None
    assert gradient.abs().sum(dim=1).gt(0).tolist() == [False, True, False, True]
