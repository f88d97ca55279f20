"""Offset and gain of each unit: what differs between vehicles, cells or machines of one kind.

A network gives the mean unit's trajectory. That of a unit is it with an offset and a gain per predicted column, in
standardised units z: z_unit = (1 + gain) z + offset. Both are 0 for a unit that is not known.

Shape letters: U units, B batch, H predicted rows, P predicted columns.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from surrogate_modeling.common.errors import UserError

# The unit of a free run: a name for all its cases, or a name or None (the mean unit) for each.
UnitChoice = str | Sequence[str | None] | None


def listed(unit: UnitChoice) -> list[str | None]:
    """The unit of each case, or one for all."""
    return [unit] if isinstance(unit, str) or unit is None else list(unit)


def require_known(unit: str, names: Sequence[str]) -> None:
    """Check that a unit is known.

    Args:
        unit: its name.
        names: of the units that a surrogate knows.

    Raises:
        UserError: it is not; the message names the nearest.
    """
    if not names:
        raise UserError(f"unit={unit}: this surrogate knows no units; dataset.groups names them for training")
    if unit not in names:
        near = difflib.get_close_matches(unit, names, 1, 0.0)
        raise UserError(
            f"unit={unit}: not among the {len(names)} units of this surrogate"
            + (f"; the nearest is {near[0]!r}" if near else "")
            + ". A new unit is predicted as the mean unit, without this key"
        )


@dataclass(frozen=True)
class UnitEffects:
    """Names of the units, and the offset and the gain of each (U, P), in training standard deviations."""

    names: tuple[str, ...]
    offset: np.ndarray
    gain: np.ndarray

    def of(self, unit: UnitChoice, like: Tensor) -> tuple[Tensor, Tensor]:
        """Offset and gain of the units of a free run, each (1 or B, 1, P); 0 for units that are not known.

        Args:
            unit: one name for all cases, or one for each.
            like: a tensor of the wanted device and type.
        """
        rows = [self.names.index(name) if name in self.names else -1 for name in listed(unit)]
        parts = (np.vstack((part, np.zeros_like(part[:1])))[rows, None] for part in (self.offset, self.gain))
        offset, gain = (torch.as_tensor(part, dtype=like.dtype, device=like.device) for part in parts)
        return offset, gain

    def without(self, names: Sequence[str]) -> UnitEffects | None:
        """These units but for some; None where no other is left."""
        kept = [i for i, name in enumerate(self.names) if name not in names]
        if not kept:
            return None
        return UnitEffects(tuple(self.names[i] for i in kept), self.offset[kept], self.gain[kept])

    def adjusted(self, further: UnitEffects) -> UnitEffects:
        """These units with further effects on what they predict; units that only ``further`` has are new.

        Args:
            further: (1 + gain) z + offset of what these give.
        """
        names = tuple(dict.fromkeys((*self.names, *further.names)))
        offset, gain = np.zeros((2, len(names), self.offset.shape[1]))
        offset[: len(self.names)], gain[: len(self.names)] = self.offset, self.gain
        for name, o, g in zip(further.names, further.offset, further.gain, strict=True):
            u = names.index(name)
            offset[u], gain[u] = (1 + g) * offset[u] + o, (1 + gain[u]) * (1 + g) - 1
        return UnitEffects(names, offset, gain)

    def to_dict(self) -> dict[str, Any]:
        """Plain values to be saved beside the weights."""
        return {
            "names": list(self.names),
            "offset": torch.from_numpy(self.offset),
            "gain": torch.from_numpy(self.gain),
        }

    @classmethod
    def from_dict(cls, saved: dict[str, Any], predicted: int) -> UnitEffects:
        """Make the effects from the values of :meth:`to_dict`.

        Args:
            saved: the values.
            predicted: P.

        Raises:
            UserError: they do not fit each other or the predicted columns.
        """
        names, offset, gain = tuple(saved["names"]), saved["offset"].numpy(), saved["gain"].numpy()
        if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names) or not names:
            raise UserError("the names of the units are not texts that differ")
        if not offset.shape == gain.shape == (len(names), predicted):
            raise UserError("the offsets and gains of the units do not fit the predicted columns")
        if not (np.isfinite(offset).all() and np.isfinite(gain).all()):
            raise UserError("the offsets and gains of the units are not finite")
        return cls(names, offset, gain)
