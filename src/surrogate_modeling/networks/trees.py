"""Boosted regression trees on filtered controls as a network that carries a state.

Each predicted column is a sum of trees of its own (gradient boosting: Friedman 2001, Annals of Statistics 29), of its
value or of its departure from the level of the past window. All trees have one depth, and a node's children follow from
its place, as in a binary heap: a forward pass is a few gathers per level. Shallower branches go left to their leaf.

Shape letters: B batch, T time, R rows, P predicted, N features of the filters, M trees of all columns, D depth.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from surrogate_modeling.config.models import TreesConfig
from surrogate_modeling.networks.base import State
from surrogate_modeling.networks.filter_network import FilterNetwork
from surrogate_modeling.networks.filters import TIME_CONSTANTS
from surrogate_modeling.networks.sizes import Sizes

# A threshold that no feature exceeds; a saved file holds finite numbers only.
NEVER = float(np.finfo(np.float32).max)
# Nodes that are visited at once: they stay in the cache of a core. A GPU is busy only with more of them.
NODES_AT_ONCE = 2**18
GPU_NODES_AT_ONCE = 2**26


@dataclass(frozen=True)
class Tree:
    """One tree as a binary heap: the children of node i are 2 i + 1 (at most the threshold) and 2 i + 2 (above it).

    Attributes:
        feature: (2^D - 1,), position of the feature that a node asks.
        threshold: (2^D - 1,) float32.
        value: (2^D,) float32, of the leaves from left to right.
    """

    feature: np.ndarray
    threshold: np.ndarray
    value: np.ndarray

    @classmethod
    def empty(cls, depth: int) -> Tree:
        """A tree that gives 0."""
        inner = 2**depth - 1
        return cls(np.zeros(inner, np.int32), np.full(inner, NEVER, np.float32), np.zeros(inner + 1, np.float32))


class TreeRegression(FilterNetwork):
    """Sum of boosted trees for every predicted column, on the features of :class:`FilterNetwork` without products.

    Trees are piecewise constant: the prediction has no gradient with respect to the controls.

    Args:
        config: number of trees per column, and their depth.
        sizes: of the surrogate; all predicted columns of the past window are read.
    """

    jumps = True
    # See leaning.
    slack, upper = 0.0, False
    feature: Tensor
    threshold: Tensor
    value: Tensor
    offset: Tensor
    departs: Tensor

    def __init__(self, config: TreesConfig, sizes: Sizes) -> None:
        super().__init__(sizes, TIME_CONSTANTS)
        self.trees, self.depth = config.trees, config.depth
        self.total = sizes.predicted * config.trees
        inner = 2**config.depth - 1
        # All roots first, then all nodes of the next level, ...; those of one tree side by side.
        self.register_buffer("feature", torch.zeros(self.total * inner, dtype=torch.int32))
        self.register_buffer("threshold", torch.full((self.total * inner,), NEVER))
        self.register_buffer("value", torch.zeros(self.total * (inner + 1)))
        self.register_buffer("offset", torch.zeros(sizes.predicted))
        # 1 where a column's departure from its level is predicted, else 0.
        self.register_buffer("departs", torch.zeros(sizes.predicted))
        self.register_load_state_dict_post_hook(_check_features)

    @property
    def parameter_count(self) -> int:
        """Number of leaves, thresholds and offsets that are used."""
        return sum(int(part.count_nonzero()) for part in (self.value, self.threshold != NEVER, self.offset))

    @property
    def trees_of(self) -> list[int]:
        """Number of trees of each column; the rest up to ``trees`` give 0."""
        used = self.value.view(self.sizes.predicted, self.trees, -1).any(dim=2)
        return (used * torch.arange(1, self.trees + 1, device=used.device)).amax(dim=1).tolist()

    def set_tree(self, column: int, number: int, tree: Tree) -> None:
        """Set a tree of a predicted column.

        Args:
            column: position of the column.
            number: of the tree among those of the column.
            tree: of the depth of this network.
        """
        place = column * self.trees + number
        for first in (2**d - 1 for d in range(self.depth)):
            nodes = slice(self.total * first + place * (first + 1), self.total * first + (place + 1) * (first + 1))
            self.feature[nodes] = torch.from_numpy(tree.feature[first : 2 * first + 1])
            self.threshold[nodes] = torch.from_numpy(tree.threshold[first : 2 * first + 1])
        leaves = 2**self.depth
        self.value[place * leaves : (place + 1) * leaves] = torch.from_numpy(tree.value)

    def run(self, state: State, control: Tensor) -> tuple[Tensor, State]:
        """State parts (B, S_i) and controls (B, T, C) -> rows (B, T, P) and the state after the last."""
        features, after = self.filters.linear_features(control.transpose(0, 1), state[:3])
        rows = self.sums(features.flatten(0, 1)).unflatten(0, features.shape[:2])
        rows = rows + self.departs * self.level(state)
        return rows.transpose(0, 1), [*after, *state[3:]]

    def sums(self, features: Tensor) -> Tensor:
        """Features (R, N) -> offsets and sums of the trees (R, P), some rows at a time."""
        if torch.compiler.is_compiling():
            return self._sums(features)
        at_once = GPU_NODES_AT_ONCE if features.is_cuda else NODES_AT_ONCE
        if self.slack:
            rows = max(1, at_once // len(self.value))
            return torch.cat([self._ends(part) for part in features.split(rows)])
        return torch.cat([self._sums(part) for part in features.split(max(1, at_once // self.total))])

    def _sums(self, features: Tensor) -> Tensor:
        rows, width = features.shape
        # Of 32 bits, and flat: half the time of indices of 64 bits, a third of that of gathering along a dimension.
        node = 2 * torch.arange(self.total, dtype=torch.int32, device=features.device)
        root = features.index_select(1, self.feature[: self.total]) > self.threshold[: self.total]
        node = (node + root.int()).flatten()
        start = width * torch.arange(rows, dtype=torch.int32, device=features.device)[:, None]
        every = features.flatten()
        for first in (2**d - 1 for d in range(1, self.depth)):
            level = slice(self.total * first, self.total * (2 * first + 1))
            asked = self.feature[level].index_select(0, node).view(rows, self.total) + start
            above = every.index_select(0, asked.flatten()) > self.threshold[level].index_select(0, node)
            node = 2 * node + above.int()
        values = self.value.index_select(0, node).view(rows, self.sizes.predicted, self.trees)
        return values.sum(dim=-1) + self.offset

    def _ends(self, features: Tensor) -> Tensor:
        """Sums (R, P) of the largest, or smallest, leaf of each tree that is reached within ``slack``."""
        sign = 1.0 if self.upper else -1.0
        best = (sign * self.value).expand(len(features), -1)
        for first in reversed([2**d - 1 for d in range(self.depth)]):
            level = slice(self.total * first, self.total * (2 * first + 1))
            asked, threshold = features.index_select(1, self.feature[level]), self.threshold[level]
            left, right = best.unflatten(1, (-1, 2)).unbind(dim=-1)
            best = torch.maximum(
                left.masked_fill(asked > threshold + self.slack, -torch.inf),
                right.masked_fill(asked <= threshold - self.slack, -torch.inf),
            )
        return sign * best.unflatten(1, (self.sizes.predicted, self.trees)).sum(dim=-1) + self.offset


@contextmanager
def leaning(network: nn.Module, slack: float, *, upper: bool) -> Iterator[None]:
    """Within it, a comparison of the trees of a network goes either way where it is closer than ``slack``.

    Each tree gives the largest, or the smallest, of the leaves that are then reached: the sums are an end of what they
    can be if features are rounded by so much.

    Args:
        network: that holds trees.
        slack: in training standard deviations, as the features.
        upper: the largest, not the smallest.
    """
    trees = [part for part in network.modules() if isinstance(part, TreeRegression)]
    for part in trees:
        part.slack, part.upper = slack, upper
    try:
        yield
    finally:
        for part in trees:
            part.slack = 0.0


def _check_features(network: TreeRegression, _: object) -> None:
    """Refuse trees that were loaded and ask for features that there are not: exports would read past their arrays."""
    low, high = network.feature.aminmax()
    if low < 0 or high >= network.filters.linear:
        raise RuntimeError(f"the trees ask for features {int(low)} to {int(high)} of {network.filters.linear}")
