"""A surrogate that predicts one unit whatever is asked, for exports: its latent is fixed, offset and gain scaled in."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.networks.unit_latent import fixed_unit
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.surrogate.scaling import Standardizer


class UnitSurrogate(Surrogate):
    """Surrogate of one unit, a copy; it knows no units any more, and is not saved.

    Args:
        surrogate: that knows units, or none.
        unit: name; None for the mean unit.

    Raises:
        UserError: the unit is not known.
    """

    def __init__(self, surrogate: Surrogate, unit: str | None) -> None:
        if unit is not None:
            surrogate.require_unit(unit)
        units = surrogate.description.units
        super().__init__(replace(surrogate.description, units=(), unit_latents=0))
        for name, part in surrogate.named_children():
            self.add_module(name, deepcopy(part))
        self.band, self.lineage, self.config = surrogate.band, surrogate.lineage, surrogate.config
        if units:
            self.network = fixed_unit(self.network, units.index(unit) if unit in units else len(units))
        self._unit, self._output = unit, deepcopy(self.scaling)
        if surrogate.units is not None:
            offset, gain = (part[0, 0] for part in surrogate.units.of(unit, self.scaling.mean))
            columns = self._predicted_columns
            self._output.mean[columns] += self._output.scale[columns] * offset
            self._output.scale[columns] *= 1 + gain
        self.to(surrogate.device).eval()

    @property
    def output_scaling(self) -> Standardizer:
        """Scaling by which the predicted rows of the unit are restored."""
        return self._output

    @property
    def baked_unit(self) -> str | None:
        """Name of the unit; None for the mean unit."""
        return self._unit

    def save(self, path: Path) -> None:
        """Refuse: :meth:`load` would not know what was fixed.

        Raises:
            UserError: always.
        """
        raise UserError(f"{path}: a surrogate of one unit cannot be saved; save the one that it was made of")
