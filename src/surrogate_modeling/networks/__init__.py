"""The networks by name; a saved surrogate stores the name, so that it outlives a move of the class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from surrogate_modeling.config.models import ModelConfig
from surrogate_modeling.networks.base import Network, StateNetwork, WindowNetwork
from surrogate_modeling.networks.deeponet import build_dol, build_don, build_dot
from surrogate_modeling.networks.mode_choice import choose_modes
from surrogate_modeling.networks.nonlinear_state_space import NonlinearStateSpace
from surrogate_modeling.networks.persistence import Persistence
from surrogate_modeling.networks.recurrent import BaselineLstm
from surrogate_modeling.networks.regression import FilterRegression
from surrogate_modeling.networks.sizes import Batch, Sizes
from surrogate_modeling.networks.state_space import StateSpace
from surrogate_modeling.networks.transformer import BaselineTransformer
from surrogate_modeling.networks.trees import TreeRegression
from surrogate_modeling.networks.wrappers import IncrementOutput, SelectedFeedback

NETWORKS: dict[str, Callable[[Any, Sizes], Network]] = {
    "dot": build_dot,
    "dol": build_dol,
    "don": build_don,
    "bt": BaselineTransformer,
    "lstm": BaselineLstm,
    "ssm": StateSpace,
    "nss": NonlinearStateSpace,
    # What a portfolio is before it is fitted.
    "auto": Persistence,
    "persistence": Persistence,
    "regression": FilterRegression.build,
    "trees": TreeRegression,
}
# Of networks whose structure depends on the training cases: the configuration with what one window per case and
# windows spread over all cases decide (see :meth:`Network.initialise`).
CHOICES: dict[str, Callable[[Any, Batch, Batch], ModelConfig]] = {"ssm": choose_modes}

__all__ = [
    "CHOICES", "NETWORKS", "IncrementOutput", "Network", "SelectedFeedback", "Sizes", "StateNetwork", "WindowNetwork",
    "build_network",
]  # fmt: skip


def build_network(config: ModelConfig, sizes: Sizes) -> Network:
    """Build the network ``config.name`` with fresh weights from torch's global generator."""
    return NETWORKS[config.name](config, sizes)
