"""A network run to the end of a case, in standardised units.

Shape letters: B case, H predicted rows, F feature (C control, then P predicted).
"""

from __future__ import annotations

import torch
from torch import Tensor

from surrogate_modeling.networks.base import Network


def roll_out(network: Network, past: Tensor, control: Tensor, cut_gradients: bool = False) -> Tensor:
    """Free run in standardised units: the network feeds on its own outputs to the end.

    Every row fed back carries the controls of its own row. When the last call would reach past the end, the last
    control row is repeated and what is predicted beyond the end is dropped. Differentiable.

    Args:
        network: as :class:`~surrogate_modeling.networks.base.Network`.
        past: (B, in_len, F).
        control: (B, H, C), the rows that follow.
        cut_gradients: rows that are fed back carry no gradient.

    Returns:
        (B, H, P).
    """
    horizon, rows = control.shape[1], network.rows_per_call
    if rows is None or rows == horizon:
        return network(past, control)
    surplus = -horizon % rows
    if surplus:
        control = torch.cat((control, control[:, -1:].expand(-1, surplus, -1)), dim=1)
    predicted = []
    for start in range(0, horizon, rows):
        block = control[:, start : start + rows]
        rows_out = network(past, block)
        predicted.append(rows_out)
        fed_back = rows_out.detach() if cut_gradients else rows_out
        past = torch.cat((past[:, rows:], torch.cat((block, fed_back), dim=-1)), dim=1)
    return torch.cat(predicted, dim=1)[:, :horizon]
