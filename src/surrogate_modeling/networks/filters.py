"""Low-pass filters of the controls, and decaying values of the past window: the inputs of a state-space network.

Shape letters: B batch, T time, F feature (C control, then L fed back), K time constants, Q products, N features. Time
comes first inside: (T, B, ...).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from surrogate_modeling.networks.base import State
from surrogate_modeling.networks.scan import leaky_scan
from surrogate_modeling.networks.sizes import Sizes

# Of the linear and quadratic regressions, in rows.
TIME_CONSTANTS = (2.0, 5.0, 15.0, 50.0, 150.0, 500.0, 1500.0)
# At most so many products of two signals; with more controls, averages over fewer time constants are multiplied.
MAX_PRODUCTS = 900


class Filters(nn.Module):
    """Exponential averages of the controls over fixed time constants, and the decaying level of the past window.

    Features of a row, side by side: the controls, their averages and, if wanted, their integrals (``of_controls`` in
    all); the level, that is the mean of the past window and a 1, and its decays exp(-t / tau); products of two signals
    among the controls and their averages.

    Args:
        sizes: of the network.
        time_constants: in rows.
        products: positions (2, Q) of the signals that are multiplied; None for no products.
        integral_time: rows that integrals of the controls and of 1 from the start on are divided by, which keeps them
            near 1 over as many; None for no integrals.
    """

    rate: Tensor
    left: Tensor
    right: Tensor

    def __init__(
        self,
        sizes: Sizes,
        time_constants: list[float],
        products: Tensor | None = None,
        integral_time: float | None = None,
    ) -> None:
        super().__init__()
        self.integral_time, self.integrals = integral_time, 0 if integral_time is None else sizes.controls + 1
        self.controls, self.fed_back = sizes.controls, sizes.fed_back
        self.register_buffer("rate", 1.0 / torch.tensor(time_constants))
        self.of_controls = sizes.controls * (1 + len(time_constants)) + self.integrals
        self.linear = self.of_controls + (sizes.fed_back + 1) * (1 + len(time_constants))
        # Feature level_at[i] is the level of predicted column level_of[i].
        self.level_at = list(range(self.of_controls, self.of_controls + sizes.fed_back))
        self.constant_at = self.of_controls + sizes.fed_back
        self.level_of = list(range(sizes.fed_back) if sizes.fed_back_at is None else sizes.fed_back_at)
        left, right = torch.zeros(2, 0, dtype=torch.long) if products is None else products
        self.register_buffer("left", left.clone())
        self.register_buffer("right", right.clone())
        self.features = self.linear + len(left)

    @property
    def state_sizes(self) -> list[int]:
        """Sizes of the parts of the state."""
        averages, levels = self.controls * len(self.rate), self.fed_back + 1
        return [averages, levels, levels * len(self.rate), *([self.integrals] if self.integrals else [])]

    def start(self, past: Tensor) -> State:
        """State after a past window (B, in_len, F)."""
        mean = past.mean(dim=1)
        level = fn.pad(mean[:, self.controls :], (0, 1), value=1.0)
        integrals = [past.new_zeros(past.shape[0], self.integrals)] if self.integrals else []
        return [mean[:, : self.controls].repeat(1, len(self.rate)), level, level.repeat(1, len(self.rate)), *integrals]

    @property
    def fading(self) -> slice:
        """Positions of the decays of the past window, 1 and exp(-t / tau), where no level is among the features."""
        return slice(self.of_controls, self.linear)

    def forward(self, control: Tensor, state: State) -> tuple[Tensor, State]:
        """Control (T, B, C) -> features (T, B, N) and the state after the last row."""
        features, after = self.linear_features(control, state)
        return self.with_products(features), after

    def linear_features(self, control: Tensor, state: State) -> tuple[Tensor, State]:
        """Features without the products (T, B, N - Q) and the state after the last row; see :meth:`forward`."""
        signals, after = self.signals(control, state)
        _, level, decaying = state[:3]
        rows, levels = len(control), level.shape[1]
        since = torch.arange(1, rows + 1, dtype=control.dtype, device=control.device)[:, None]
        decayed = torch.exp(-since * self.rate).repeat_interleave(levels, dim=-1)[:, None] * decaying
        return torch.cat((signals, level.expand(rows, -1, -1), decayed), dim=-1), after

    def with_products(self, features: Tensor) -> Tensor:
        """Append the products: features (..., N - Q) -> (..., N)."""
        if not len(self.left):
            return features
        # Half the time of indexing with brackets.
        products = features.index_select(-1, self.left) * features.index_select(-1, self.right)
        return torch.cat((features, products), dim=-1)

    def positions(self, kept: list[int]) -> Tensor:
        """Positions of the features of controls, levels and some time constants; of the constant 1 its decays only.

        Args:
            kept: places of the time constants.
        """
        levels = self.fed_back + 1
        decays = self.of_controls + levels
        blocks = [torch.arange(decays + i * levels, decays + (i + 1) * levels) for i in kept]
        return torch.cat((self.signal_positions(kept), torch.tensor(self.level_at, dtype=torch.long), *blocks))

    def signal_positions(self, kept: list[int]) -> Tensor:
        """Positions of the features that are controls or their averages over some time constants."""
        return _signal_positions(self.controls, [0, *(1 + i for i in kept)])

    def up_to_levels(self, control: Tensor, state: State) -> Tensor:
        """Control (T, B, C) -> the leading features of :meth:`forward`: controls, averages, and levels."""
        return torch.cat((self.signals(control, state)[0], state[1].expand(len(control), -1, -1)), dim=-1)

    def signals(self, control: Tensor, state: State) -> tuple[Tensor, State]:
        """Control (T, B, C) -> controls and averages (T, B, of_controls), and the state after the last row."""
        average, level, decaying = state[:3]
        rows = len(control)
        move = (1.0 - torch.exp(-self.rate)).repeat_interleave(self.controls).expand(rows, average.shape[0], -1)
        averages = leaky_scan(move, control.repeat(1, 1, len(self.rate)), average)
        decay = torch.exp(-rows * self.rate).repeat_interleave(level.shape[1])
        after = [averages[-1], level, decay * decaying]
        if self.integral_time is None:
            return torch.cat((control, averages), dim=-1), after
        added = fn.pad(control, (0, 1), value=1.0) / self.integral_time
        integrals = state[3] + (added if rows == 1 else added.cumsum(dim=0))
        return torch.cat((control, averages, integrals), dim=-1), [*after, integrals[-1]]


def spread_products(controls: int, time_constants: int) -> Tensor:
    """All products (2, Q) of two signals among the controls and averages over spread time constants; see MAX_PRODUCTS.

    Args:
        controls: C.
        time_constants: how many.
    """
    signals = _spread_signals(controls, time_constants)
    return signals[torch.triu_indices(len(signals), len(signals))]


def _spread_signals(controls: int, time_constants: int) -> Tensor:
    kept = time_constants
    while kept and _pairs(controls * (1 + kept)) > MAX_PRODUCTS:
        kept -= 1
    if not kept:
        return torch.arange(controls if _pairs(controls) <= MAX_PRODUCTS else 0)
    # From the middle of even shares, so that one time constant is a medium one. In integers of Python: a saved file is
    # checked against a network on torch's meta device, whose tensors have no values.
    return _signal_positions(controls, [0, *(1 + (2 * i + 1) * time_constants // (2 * kept) for i in range(kept))])


def _signal_positions(controls: int, blocks: list[int]) -> Tensor:
    return (torch.tensor(blocks)[:, None] * controls + torch.arange(controls)).flatten()


def _pairs(signals: int) -> int:
    return signals * (signals + 1) // 2
