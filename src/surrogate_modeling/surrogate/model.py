"""Surrogate: network, scaling, and the names and units of its columns in one module; the product of a run.

Everything outside speaks physical units. Free run exists here and nowhere else: testing, prediction, export checks
and benchmarks call it.

Shape letters: B case, T all rows of a case, G given rows of the predicted columns (in_len, or 0 with
``settings.start=rest``), H = T - in_len predicted rows, F feature (C control, then P predicted).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from surrogate_modeling.cases.case import Case
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.models import ModelConfig
from surrogate_modeling.config.settings import StartMode
from surrogate_modeling.networks import Network
from surrogate_modeling.networks.mixture import MixtureNetwork
from surrogate_modeling.networks.unit_latent import (
    blind,
    told_parts,
    unit_numbers,
    with_unit_numbers,
)
from surrogate_modeling.surrogate.band import Band, Banded, BandScope, existing, scope_of
from surrogate_modeling.surrogate.batching import run_batches
from surrogate_modeling.surrogate.description import Description, Member, make_network
from surrogate_modeling.surrogate.device import rows_at_once
from surrogate_modeling.surrogate.first_row import FirstRow, start_window
from surrogate_modeling.surrogate.lineage import LineageStep
from surrogate_modeling.surrogate.parameters import ParameterValues, with_parameters
from surrogate_modeling.surrogate.saved_file import SavedSurrogate, read_saved, write_saved
from surrogate_modeling.surrogate.scaling import Standardizer
from surrogate_modeling.surrogate.training_range import Position, TrainingRange
from surrogate_modeling.surrogate.units import UnitChoice, UnitEffects, listed, require_known

Rows = TypeVar("Rows", np.ndarray, Tensor)


class Surrogate(nn.Module):
    """Surrogate model: initial rows and a control schedule in, the whole trajectory out, in physical units."""

    def __init__(self, description: Description) -> None:
        super().__init__()
        self.description = description
        self.network = make_network(description)
        sizes = description.sizes.controls, description.sizes.predicted
        self.scaling = Standardizer(sum(sizes), description.channels.offsets)
        self.first_row = FirstRow(*sizes) if description.start is StartMode.rest else None
        self.training_range = TrainingRange(*sizes)
        self.band: Band | None = None
        self.units: UnitEffects | None = None
        # Trainings and adaptations, and the configuration of the latest training; empty until it is saved or loaded.
        self.lineage: tuple[LineageStep, ...] = ()
        self.config: dict[str, Any] = {}

    @property
    def device(self) -> torch.device:
        """Device that the weights are on."""
        return self.scaling.mean.device

    @property
    def predicted_scale(self) -> np.ndarray:
        """Training standard deviations of the predicted columns (P,), in their units."""
        return self.scaling.scale[self.description.sizes.controls :].cpu().numpy()

    @property
    def output_scaling(self) -> Standardizer:
        """Scaling by which predicted rows are restored: that of the unit in a surrogate of one unit."""
        return self.scaling

    @property
    def baked_unit(self) -> str | None:
        """Name of the unit in a surrogate of one unit."""
        return None

    def free_run(
        self, initial: Rows, controls: Rows, unit: UnitChoice = None, *, parameters: ParameterValues | None = None
    ) -> Rows:
        """Predict a batch of cases of one length, or one case, from their first rows to their last.

        Args:
            initial: (B, G, P) or (G, P), predicted columns of the first rows.
            controls: (B, T, C) or (T, C), controls of all rows, T > in_len.
            unit: the unit of all cases, or of each; None for the mean unit, which a new one in a list is too.
            parameters: name and number, or a number for each case, of parameters that ``controls`` then lacks; in the
                units of training.

        Returns:
            (B, T - in_len, P) or (T - in_len, P), row in_len of the case first; an array for arrays, a tensor for
            tensors, then differentiable with respect to the controls, the initial rows and the parameters.

        Raises:
            UserError: a single unit, or a parameter, that is not known.
            ValueError: shapes that do not fit this surrogate.
        """
        if not isinstance(controls, Tensor):
            with torch.no_grad():
                given = self._tensor(initial), self._tensor(controls)
                return self.free_run(*given, unit, parameters=parameters).cpu().numpy()
        controls = with_parameters(controls, parameters, self.description.channels)
        if controls.ndim == 2:
            return self.free_run(initial[None], controls[None], unit)[0]
        rows = self.network.free_run(*self._start(initial, controls, unit))
        return self._restored(rows, unit)[0]

    def _restored(self, rows: Tensor, unit: UnitChoice) -> tuple[Tensor, Tensor]:
        """Predicted rows (B, H, P) of the units in physical units, and the scale of each column there."""
        columns = self._predicted_columns
        scale = self.output_scaling.scale[columns].abs()
        if self.units is not None:
            offset, gain = self.units.of(unit, rows)
            rows, scale = rows + gain * rows + offset, (1 + gain).abs() * scale
        return self.output_scaling.restore(rows, columns), scale

    @property
    def known_units(self) -> tuple[str, ...]:
        """Names of the units that are predicted other than the mean unit."""
        return tuple(dict.fromkeys((*self.description.units, *(self.units.names if self.units is not None else ()))))

    def require_unit(self, unit: str) -> None:
        """Check that a unit is known.

        Raises:
            UserError: it is not, or this surrogate knows no units.
        """
        require_known(unit, self.known_units)

    def know(self, names: Sequence[str]) -> None:
        """Let the networks that are told units know these, too; where one does not yet, as the mean unit at first."""
        old = self.description.units
        units = (*old, *(name for name in dict.fromkeys(names) if name not in old))
        for part in told_parts(self.network):
            part.add(len(units) - len(old))
            part.know([units.index(name) for name in names])
        self.description = replace(self.description, units=units)

    def free_run_spread(
        self, initial: Tensor, controls: Tensor, unit: UnitChoice = None, copies: bool | None = None
    ) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the members' trajectories; 0 for a single network.

        Args:
            initial: (B, G, P).
            controls: (B, T, C).
            unit: as in :meth:`free_run`.
            copies: whether the spread within an ensemble counts; None: as in the band.

        Returns:
            Two of (B, H, P), physical units.

        Raises:
            ValueError: shapes that do not fit this surrogate.
        """
        if copies is None:
            copies = self.band is None or self.band.of_copies
        mean, deviation = self.network.free_run_spread(*self._start(initial, controls, unit), copies=copies)
        mean, scale = self._restored(mean, unit)
        return mean, (deviation * scale).expand_as(mean)

    def free_run_band(
        self,
        initial: Rows,
        controls: Rows,
        unit: UnitChoice = None,
        *,
        parameters: ParameterValues | None = None,
        scope: BandScope | str = BandScope.row,
    ) -> Banded:
        """Free run with the 90 % band that is to hold ``scope``; other arguments as in :meth:`free_run`.

        Raises:
            UserError: the surrogate has no band, or there is no such scope.
            ValueError: shapes that do not fit this surrogate.
        """
        band, scope = existing(self.band), scope_of(scope)
        if not isinstance(controls, Tensor):
            with torch.no_grad():
                given = self._tensor(initial), self._tensor(controls)
                banded = self.free_run_band(*given, unit, parameters=parameters, scope=scope)
            return Banded(*(rows.cpu().numpy() for rows in banded))
        controls = with_parameters(controls, parameters, self.description.channels)
        if controls.ndim == 2:
            return Banded(*(rows[0] for rows in self.free_run_band(initial[None], controls[None], unit, scope=scope)))
        return band.bounds(*self.free_run_spread(initial, controls, unit), scope)

    @property
    def _predicted_columns(self) -> slice:
        return slice(self.description.sizes.controls, None)

    def _start(self, initial: Tensor, controls: Tensor, unit: UnitChoice) -> tuple[Tensor, Tensor]:
        """Past window (B, in_len, F), for networks with units (B, in_len, F + 1), and the controls after it (B, H, C).

        Both are standardised.

        Raises:
            UserError: a single unit that is not known.
            ValueError: shapes that do not fit this surrogate.
        """
        if isinstance(unit, str):
            self.require_unit(unit)
        self.description.require_shapes(initial, controls)
        sizes = self.description.sizes
        past, ahead = controls.tensor_split((sizes.in_len,), dim=1)
        if self.description.given_rows:
            past = torch.cat((past, initial), dim=-1)
        ahead = self.scaling.standardise(ahead, slice(0, sizes.controls))
        past = start_window(past, self.scaling, self.first_row)
        if names := self.description.units:
            past = with_unit_numbers(past, unit_numbers(listed(unit), names).to(past))
        return past, ahead

    def predict(self, cases: Sequence[Case]) -> list[np.ndarray]:
        """Free run of cases of any lengths, many at once.

        Args:
            cases: values (T, F) with all controls and at least the first G rows of the predicted columns; those of a
                unit that is not known, or of none, are predicted as the mean unit.

        Returns:
            Per case (T - in_len, P) float32, in the order given.
        """
        return [rows for (rows,) in self._batched(cases, lambda *given: (self.free_run(*given),))]

    def predict_spread(
        self, cases: Sequence[Case], copies: bool | None = None
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Free run of cases: as :meth:`free_run_spread`, (H, P) each per case."""
        pairs = self._batched(
            cases, lambda initial, controls, unit: self.free_run_spread(initial, controls, unit, copies)
        )
        return [mean for mean, _ in pairs], [spread for _, spread in pairs]

    def position(self, case: Case) -> Position:
        """Distance of a case from the training cases."""
        return self.training_range.position(case, self.scaling, self.description.given_rows)

    def rebuild(self, model: ModelConfig) -> None:
        """Replace the network by one of another structure, with fresh weights."""
        self.description = replace(self.description, model=model)
        self.network = make_network(self.description)

    def mix(self, members: Sequence[tuple[Member, Network]], weight: np.ndarray) -> None:
        """Replace the network by a mixture of networks.

        Args:
            members: each with its network, in standardised units.
            weight: of each member in each predicted column (M, P); 0 or above, 1 in total.
        """
        networks = [deepcopy(network).float() for _, network in members]
        if self.description.units:
            networks = [blind(network) for network in networks]
        mixture = MixtureNetwork(networks, self.description.sizes.predicted)
        mixture.weight.copy_(torch.from_numpy(weight))
        self.network = mixture.to(self.device).eval()
        self.description = replace(self.description, members=1, mixture=tuple(member for member, _ in members))

    def _batched(
        self, cases: Sequence[Case], work: Callable[[Tensor, Tensor, UnitChoice], tuple[Tensor, ...]]
    ) -> list[tuple[np.ndarray, ...]]:
        description = self.description

        def run(initial: np.ndarray, controls: np.ndarray, units: list[str | None]) -> tuple[Tensor, ...]:
            """Run one batch."""
            with torch.no_grad():
                return work(self._tensor(initial), self._tensor(controls), units)

        max_rows = rows_at_once(self.device, description.sizes.controls + description.sizes.predicted)
        return run_batches(cases, description.in_len, description.given_rows, run, max_rows)

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.as_tensor(values, dtype=self.scaling.number, device=self.device)

    def save(self, path: Path) -> None:
        """Write one file that :meth:`load` opens on any machine."""
        content = self.description, self.state_dict(), self.band, self.units, self.lineage, self.config
        write_saved(path, SavedSurrogate(*content))

    @classmethod
    def load(cls, path: str | Path, device: str = "cpu") -> Surrogate:
        """Open a saved surrogate, ready to predict; runs no code from the file.

        Raises:
            UserError: the file is missing, damaged, or not a surrogate.
        """
        saved = read_saved(path)
        surrogate = cls(saved.description)
        try:
            surrogate.load_state_dict(saved.weights)
        except RuntimeError as error:
            raise UserError(f"{path}: damaged ({' '.join(str(error).split())})") from None
        surrogate.band, surrogate.units = saved.band, saved.units
        surrogate.lineage, surrogate.config = saved.lineage, saved.config
        return surrogate.to(device).eval()
