"""What every network owes: shapes, and a dependence on each past row, each column and the control."""

from collections.abc import Callable

import pytest
import torch
from plain import PlainDeepONet
from torch import Tensor
from torch.nn.functional import l1_loss, mse_loss, smooth_l1_loss

from surrogate_modeling.config.models import MODEL_SCHEMAS, UNTRAINED, ModelConfig
from surrogate_modeling.networks import NETWORKS, IncrementOutput, Network, SelectedFeedback, Sizes, build_network

SMALL = {
    "dot": dict(heads=2, fc_dim=24, trunk_depth=2, trunk_dim=12, branch_dim=9, width=5, emb_dropout=0.0),
    "dol": dict(trunk_depth=2, trunk_dim=7, branch_dim=9, width=5, dropout=0.0),
    "don": dict(trunk_depth=2, trunk_dim=11, branch_dim=9, width=5),
    "bt": dict(dim=12, depth=2, heads=3, fc_dim=16, emb_dropout=0.0),
    "lstm": dict(dim=9, depth=2, dropout=0.0),
    "ssm": dict(width=8, states=6, depth=2, dropout=0.0),
    "nss": dict(states=5, width=6),
}


def small(name: str, **changes: object) -> ModelConfig:
    return MODEL_SCHEMAS[name](**{"name": name, **SMALL[name], **changes})  # type: ignore[arg-type]


def test_every_network_is_tested() -> None:
    assert set(NETWORKS) == set(MODEL_SCHEMAS)
    assert set(SMALL) == set(NETWORKS) - set(UNTRAINED)


@pytest.mark.parametrize("name", SMALL)
def test_a_network_that_fits_weights_beforehand_says_so(name: str) -> None:
    """Those that write ``initialise`` and do not hand it on to one inside."""
    network = build_network(small(name), Sizes(controls=2, predicted=3, in_len=6, out_len=1, fed_back=3))
    parts = [part for part in network.modules() if isinstance(part, Network) and not hasattr(part, "network")]
    assert network.has_closed_form == any(type(part).initialise is not Network.initialise for part in parts)


@pytest.mark.parametrize("out_len", [1, 3])
@pytest.mark.parametrize("name", SMALL)
def test_output_depends_on_every_past_row_and_its_control(name: str, out_len: int) -> None:
    torch.manual_seed(0)
    sizes = Sizes(controls=2, predicted=3, in_len=6, out_len=out_len, fed_back=3)
    network = build_network(small(name), sizes).double().train()
    past = torch.randn(64, 6, 5, dtype=torch.double, requires_grad=True)
    control = torch.randn(64, out_len, 2, dtype=torch.double, requires_grad=True)
    output = network(past, control)
    assert output.shape == (64, out_len, 3)
    for row in range(out_len):
        for column in range(3):
            by_past, by_control = torch.autograd.grad(output[:, row, column].sum(), (past, control), retain_graph=True)
            assert (by_past.abs().sum(dim=0) > 0).all(), f"row {row}, column {column} ignores part of the past"
            assert (by_control[:, row].abs().sum(dim=0) > 0).all(), f"row {row}, column {column} ignores its control"


@pytest.mark.parametrize("loss", [mse_loss, l1_loss, smooth_l1_loss])
@pytest.mark.parametrize("name", SMALL)
def test_a_silenced_column_stays_zero_in_training(name: str, loss: Callable[..., Tensor]) -> None:
    torch.manual_seed(0)
    sizes = Sizes(controls=2, predicted=3, in_len=6, out_len=1, fed_back=3)
    network = SelectedFeedback(build_network(small(name), sizes), sizes)
    past, control, truth = torch.randn(64, 6, 5), torch.randn(64, 1, 2), torch.randn(64, 1, 3)
    truth[..., 1] = 0.0
    network.silence(torch.tensor([1]))
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.1, weight_decay=0.1)
    before = network(past, control)
    for _step in range(3):
        optimiser.zero_grad()
        loss(network(past, control), truth).backward()
        optimiser.step()
    after = network(past, control)
    assert not after[..., 1].any()
    assert (after != before).any(dim=0).tolist() == [[True, False, True]]


@pytest.mark.parametrize("name", ["dot", "dol", "don"])
def test_deeponet_is_the_sum_over_the_width_of_trunk_times_branch(name: str) -> None:
    torch.manual_seed(2)
    sizes = Sizes(2, 3, 4, 2, 3)
    network = build_network(small(name), sizes).eval()
    torch.nn.init.normal_(network.bias)
    past, control = torch.randn(2, 4, 5), torch.randn(2, 2, 2)
    output = network(past, control).detach()
    trunk = torch.relu(network.head(network.trunk(past)))
    branch = network.branch(control)
    for b in range(2):
        for row in range(2):
            for p in range(3):
                by_hand = network.bias[p].item()
                for w in range(5):
                    by_hand += float(trunk[b, row, p * 5 + w]) * float(branch[b, row, p * 5 + w])
                assert float(output[b, row, p]) == pytest.approx(by_hand, abs=1e-5)


@pytest.mark.parametrize("out_len", [1, 3])
@pytest.mark.parametrize("name", ["dot", "dol", "don"])
def test_what_is_not_read_is_not_missed(name: str, out_len: int) -> None:
    torch.manual_seed(4)
    network = build_network(small(name), Sizes(2, 3, 6, out_len, 3)).train()
    torch.nn.init.normal_(network.bias)
    past, control = torch.randn(7, 6, 5, requires_grad=True), torch.randn(7, out_len, 2)
    ours, plain = network(past, control), PlainDeepONet(network)(past, control)
    torch.testing.assert_close(ours, plain, rtol=1e-5, atol=1e-5)
    gradients = [torch.autograd.grad(output.pow(2).sum(), past)[0] for output in (ours, plain)]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("dot", dict(branch_depth=1, trunk_depth=1)),
        ("dot", dict(trunk_dim=7, heads=7)),
        ("dol", dict(trunk_depth=1, branch_depth=1, dropout=0.5)),
        ("don", dict(trunk_depth=1, branch_depth=1, width=1)),
        ("bt", dict(depth=1, dim=9, heads=1)),
        ("lstm", dict(depth=1, dim=1, dropout=0.5)),
    ],
)
def test_any_depth_and_odd_sizes(name: str, changes: dict[str, object], recwarn: pytest.WarningsRecorder) -> None:
    network = build_network(small(name, **changes), Sizes(1, 1, 3, 1, 1))
    assert network(torch.randn(2, 3, 2), torch.randn(2, 1, 1)).shape == (2, 1, 1)
    assert not recwarn.list


def test_selected_feedback_hides_the_other_columns() -> None:
    torch.manual_seed(0)
    inner = build_network(small("don"), Sizes(2, 3, 4, 1, 1))
    network = SelectedFeedback(inner, Sizes(2, 3, 4, 1, 1, (1,)))
    past, control = torch.randn(5, 4, 5), torch.randn(5, 1, 2)
    changed = past.clone()
    changed[..., [2, 4]] += 1.0
    assert torch.equal(network(past, control), network(changed, control))
    changed[..., 3] += 1.0
    assert not torch.equal(network(past, control), network(changed, control))


def test_increment_output_adds_to_the_last_past_row() -> None:
    inner = build_network(small("don"), Sizes(2, 3, 4, 2, 3))
    past, control = torch.randn(5, 4, 5), torch.randn(5, 2, 2)
    expected = inner(past, control) + past[:, 3:4, 2:]
    torch.testing.assert_close(IncrementOutput(inner, Sizes(2, 3, 4, 2, 3))(past, control), expected)
