"""Sums of trees against a plain walk from node to node."""

from pathlib import Path

import numpy as np
import pytest
import torch
from exported import IN_LEN, grow, make
from torch import Tensor

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.models import TreesConfig
from surrogate_modeling.networks import Sizes, build_network
from surrogate_modeling.networks import trees as trees_module
from surrogate_modeling.networks.ensemble import EnsembleNetwork
from surrogate_modeling.networks.trees import Tree, TreeRegression, leaning
from surrogate_modeling.surrogate.model import Surrogate

SIZES = Sizes(2, 3, IN_LEN, 1, 3)


def grown(sizes: Sizes = SIZES) -> TreeRegression:
    network = build_network(TreesConfig(trees=4, depth=3), sizes)
    assert isinstance(network, TreeRegression)
    grow(network)
    return network.eval()


def walked(tree: Tree, row: np.ndarray) -> float:
    node, inner = 0, len(tree.feature)
    while node < inner:
        node = 2 * node + (2 if row[tree.feature[node]] > tree.threshold[node] else 1)
    return float(tree.value[node - inner])


def windows(cases: int = 3, rows: int = 50) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(cases, IN_LEN, 5, generator=generator), torch.randn(cases, rows, 2, generator=generator)


def test_rows_are_sums_of_trees_walked_node_by_node() -> None:
    network, rng = TreeRegression(TreesConfig(trees=3, depth=3), SIZES), np.random.default_rng(1)
    features = rng.normal(size=(40, network.filters.linear)).astype(np.float32)
    expected = np.tile(np.array([0.5, 0.0, -2.0]), (40, 1))
    network.offset.copy_(torch.tensor([0.5, 0.0, -2.0]))
    for column in range(3):
        for number in range(column + 1):
            # A threshold that a feature meets exactly: it goes left.
            at = rng.integers(features.shape[1], size=7).astype(np.int32)
            tree = Tree(at, features[rng.integers(40, size=7), at], rng.normal(size=8).astype(np.float32))
            network.set_tree(column, number, tree)
            expected[:, column] += [walked(tree, row) for row in features]
    np.testing.assert_allclose(network.sums(torch.from_numpy(features)), expected, atol=1e-6)
    assert network.trees_of == [1, 2, 3]
    assert network.parameter_count == 6 * (7 + 8) + 2


def test_an_empty_tree_gives_nothing() -> None:
    network = TreeRegression(TreesConfig(trees=2, depth=2), SIZES)
    assert not network.sums(torch.full((5, network.filters.linear), 1e30)).any()
    assert network.trees_of == [0, 0, 0]
    assert network.parameter_count == 0


def test_a_column_may_depart_from_its_level() -> None:
    network, (past, control) = grown(), windows()
    rows = network(past, control)
    network.departs.zero_()
    alone = network(past, control)
    level = past[..., 3].mean(dim=1)
    torch.testing.assert_close(rows[..., 1] - alone[..., 1], level[:, None].expand(-1, 50))
    assert torch.equal(rows[..., [0, 2]], alone[..., [0, 2]])


@pytest.mark.parametrize("most", [1, 100])
def test_row_by_row_is_all_rows_at_once(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """Also of so many columns that no level is among the features."""
    monkeypatch.setattr("surrogate_modeling.networks.filter_network.MAX_LEVEL_COLUMNS", most)
    network, (past, control) = grown().double(), windows()
    past, control = past.double(), control.double()
    state, rows = network.encode(past), []
    for row in control.split(1, dim=1):
        state, predicted = network.advance(state, row)
        rows.append(predicted)
    torch.testing.assert_close(torch.cat(rows, dim=1), network(past, control))
    assert state.shape == (3, network.state_size)
    assert network.state_size == 2 * 7 + (4 * 8 if most > 1 else 8 + 3)


def test_blocks_of_rows_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    network, inputs = grown(), windows()
    whole = network(*inputs)
    monkeypatch.setattr(trees_module, "NODES_AT_ONCE", 7 * network.total)
    assert torch.equal(network(*inputs), whole)


def test_there_is_a_gradient_by_the_level_only_and_jumps_are_told() -> None:
    network, (past, control) = grown(), windows()
    past.requires_grad_()
    control.requires_grad_()
    by_past, by_control = torch.autograd.grad(network(past, control).sum(), (past, control), allow_unused=True)
    assert by_control is None
    assert by_past[..., 3].all()
    assert not by_past[..., [0, 1, 2, 4]].any()
    assert network.has_jumps
    assert EnsembleNetwork([network, make("don").network]).has_jumps
    assert not make("ssm-stacked").network.has_jumps


def test_ends_of_the_sums_take_any_leaf_that_rounding_can_reach() -> None:
    network = TreeRegression(TreesConfig(trees=2, depth=2), SIZES)
    # Root at 0.5 of feature 0, then at 1 of feature 1 (left) and at 2 of feature 1 (right).
    tree = Tree(
        np.array([0, 1, 1], np.int32), np.array([0.5, 1, 2], np.float32), np.array([1, 20, 300, 4000], np.float32)
    )
    network.set_tree(0, 0, tree)
    network.set_tree(0, 1, Tree(tree.feature, tree.threshold, -tree.value))
    network.offset.copy_(torch.tensor([0.25, 0.0, 0.0]))
    features = torch.zeros(4, network.filters.linear)
    # Far from all; near the root alone; near the left child alone; near the root and the right child.
    features[:, :2] = torch.tensor([[0.0, 0.0], [0.501, 1.5], [0.0, 0.999], [0.499, 2.001]])
    plain = network.sums(features)
    assert plain[:, 0].tolist() == [0.25] * 4
    with leaning(network, 0.01, upper=True):
        highest = network.sums(features)
    with leaning(network, 0.01, upper=False):
        lowest = network.sums(features)
    # Leaves: 1; 20 or 300; 1 or 20; 20, 300 or 4000. Each tree by itself, so that the two do not cancel.
    assert highest[:, 0].tolist() == [0.25, 280.25, 19.25, 3980.25]
    assert lowest[:, 0].tolist() == [0.25, -279.75, -18.75, -3979.75]
    assert torch.equal(network.sums(features), plain)


def test_a_saved_file_holds_the_trees(tmp_path: Path) -> None:
    surrogate = make("trees")
    surrogate.save(tmp_path / "lit_model.pth")
    loaded = Surrogate.load(tmp_path / "lit_model.pth").network
    assert torch.equal(loaded(*windows()), surrogate.network(*windows()))


@pytest.mark.parametrize("feature", [-1, 10**6])
def test_a_file_whose_trees_ask_for_other_features_is_refused(tmp_path: Path, feature: int) -> None:
    surrogate = make("trees")
    surrogate.network.feature[3] = feature
    surrogate.save(tmp_path / "lit_model.pth")
    with pytest.raises(UserError, match=f"damaged .*features .*{feature} "):
        Surrogate.load(tmp_path / "lit_model.pth")
