"""Persistence as a network: the last given row is held to the end.

Shape letters: B batch, T time, F feature (C control, then P predicted).
"""

from __future__ import annotations

from torch import Tensor

from surrogate_modeling.config.models import ModelConfig
from surrogate_modeling.networks.base import State, StateNetwork
from surrogate_modeling.networks.sizes import Sizes


class Persistence(StateNetwork):
    """Holds the predicted columns of the last past row; nothing is fitted.

    Args:
        config: of any network; it has no sizes.
        sizes: of the surrogate.
    """

    def __init__(self, config: ModelConfig, sizes: Sizes) -> None:  # noqa: ARG002 the registry gives it to each
        super().__init__()
        self.predicted = sizes.predicted

    @property
    def state_sizes(self) -> list[int]:
        """Sizes of the parts of the state: the held row."""
        return [self.predicted]

    def start(self, past: Tensor) -> State:
        """The held row (B, P), as a list of one part, after a past window (B, in_len, F)."""
        return [past[:, -1, -self.predicted :]]

    def run(self, state: State, control: Tensor) -> tuple[Tensor, State]:
        """State (B, P) and controls (B, T, C) -> the same row T times (B, T, P), and the state."""
        return state[0][:, None].expand(-1, control.shape[1], -1), state
