"""Parameters, controls that are constant within a case, given as one number for each case.

Shape letters: B case, T rows, C control, N parameters that are given as numbers.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.common.errors import UserError

# Name -> a number for all cases, or one for each (B,), in the units of training.
ParameterValues = Mapping[str, float | Sequence[float] | np.ndarray | Tensor]


def with_parameters(controls: Tensor, parameters: ParameterValues | None, channels: Channels) -> Tensor:
    """Put parameters among the controls, in the places that they had in training.

    Args:
        controls: (B, T, C - N) or (T, C - N), the controls that ``parameters`` does not name, in their order.
        parameters: names and values; None: the controls are complete.
        channels: columns of the surrogate.

    Returns:
        (B, T, C) or (T, C), differentiable with respect to both.

    Raises:
        UserError: a name is not a parameter of the surrogate.
        ValueError: a value is not a number, or there is not one for each case; controls with more or fewer columns.
    """
    if parameters is None:
        return controls
    for name in parameters:
        _require(name, channels)
    if controls.ndim not in (2, 3) or controls.shape[-1] != len(channels.controls) - len(parameters):
        others = [name for name in channels.controls if name not in parameters]
        raise ValueError(
            f"controls: shape {tuple(controls.shape)}, expected (cases, rows, {len(others)}), or (rows, {len(others)}) "
            f"of one case: beside the parameters {', '.join(parameters)} they hold {', '.join(others) or 'none'}"
        )
    rest = iter(controls.split(1, dim=-1))
    columns = (
        _column(name, parameters[name], controls) if name in parameters else next(rest) for name in channels.controls
    )
    return torch.cat([*columns], dim=-1)


def _require(name: str, channels: Channels) -> None:
    if name in channels.parameters:
        return
    if not channels.parameters:
        raise UserError(f"parameters: {name!r}: this surrogate has none; dataset.parameters names them for training")
    near = difflib.get_close_matches(name, channels.parameters, 1, 0.0) or list(channels.parameters[:1])
    raise UserError(f"parameters: {name!r} is not among those of this surrogate; the nearest is {near[0]!r}")


def _column(name: str, value: float | Sequence[float] | np.ndarray | Tensor, controls: Tensor) -> Tensor:
    """One parameter in every row, (B, T, 1) or (T, 1)."""
    try:
        numbers = torch.as_tensor(value, dtype=controls.dtype, device=controls.device)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"parameters: {name!r}: {value!r} where a number is expected") from None
    cases = controls.shape[:-2]
    if numbers.shape not in ((), cases):
        raise ValueError(
            f"parameters: {name!r}: shape {tuple(numbers.shape)}, expected a number"
            + (f", or one for each of the {len(controls)} cases" if cases else "")
        )
    if not numbers.isfinite().all():
        raise ValueError(f"parameters: {name!r}: {value!r} is not finite")
    return numbers.reshape(*numbers.shape, *(1,) * (controls.ndim - numbers.ndim)).expand(*controls.shape[:-1], 1)
