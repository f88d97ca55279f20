"""Networks that are told the unit of a case: what differs between machines of one kind, as numbers that are learnt.

Each unit has a few numbers, its latent, that are constant over a case and stand beside the controls; they are trained
with the weights of the network (auto-decoder, Park et al. 2019, arXiv:1901.05103; contexts of dynamics, Kirchmeyer et
al. 2022, arXiv:2202.01889). A unit that is not known has a latent of its own, which is trained on cases whose unit is
hidden now and then: it stands for the mean unit.

A past window has the number of the unit in one more column behind the predicted ones, the same in all rows.

Shape letters: B batch, R rows, H horizon, F feature (C control, then P predicted), K latent, U units, S state.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from surrogate_modeling.networks.base import Network
from surrogate_modeling.networks.joint import JointNetwork
from surrogate_modeling.networks.sizes import Batch

# Share of the windows whose unit is hidden in training.
HIDDEN_SHARE = 0.15


class _OfUnit(Network):
    """Base class of a network around one that sees the latent of a unit beside C controls; the latent is in the state.

    Args:
        network: built for C + K controls.
        controls: C.
    """

    def __init__(self, network: Network, controls: int) -> None:
        super().__init__()
        self.network, self.controls, self.rows_per_step = network, controls, network.rows_per_step

    @abstractmethod
    def split(self, past: Tensor) -> tuple[Tensor, Tensor]:
        """Past window (B, in_len, F) without the number of the unit, and the latents (B, K)."""

    @property
    @abstractmethod
    def latents(self) -> int:
        """K."""

    @property
    def state_size(self) -> int:
        """Values in the inner network's state, and K."""
        return self.network.state_size + self.latents

    def encode(self, past: Tensor) -> Tensor:
        """State (B, S) after a past window."""
        rows, latent = self.split(past)
        return torch.cat((self.network.encode(self._beside(rows, latent)), latent), dim=-1)

    def advance(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        """State (B, S) and controls (B, R, C) -> next state and rows (B, R, P)."""
        inner, latent = state.tensor_split((self.network.state_size,), dim=-1)
        inner, rows = self.network.advance(inner, self._beside(control, latent))
        return torch.cat((inner, latent), dim=-1), rows

    def free_run(
        self, past: Tensor, control: Tensor, *, cut_gradients: bool = False, bound: float | None = None
    ) -> Tensor:
        """Free run (B, H, P) of the inner network from a past window and controls (B, H, C)."""
        rows, latent = self.split(past)
        given = self._beside(rows, latent), self._beside(control, latent)
        return self.network.free_run(*given, cut_gradients=cut_gradients, bound=bound)

    def forward(self, past: Tensor, control: Tensor) -> Tensor:
        """Past window and controls (B, R, C) -> rows (B, R, P)."""
        rows, latent = self.split(past)
        return self.network(self._beside(rows, latent), self._beside(control, latent))

    def compile(self, *args: object, **keys: object) -> None:
        """Compile calls of the inner network, which are those of a free run."""
        self.network.compile(*args, **keys)

    def _beside(self, rows: Tensor, latent: Tensor) -> Tensor:
        """Rows (B, R, C + ...) with the latents (B, K) behind the controls."""
        control, rest = rows.tensor_split((self.controls,), dim=-1)
        return torch.cat((control, latent[:, None].expand(-1, rows.shape[1], -1), rest), dim=-1)


class UnitLatent(_OfUnit):
    """Network with a latent for each unit.

    Args:
        network: built for C + K controls.
        controls: C.
        units: U.
        latents: K.
    """

    closed_form = True

    known: Tensor

    def __init__(self, network: Network, controls: int, units: int, latents: int) -> None:
        super().__init__(network, controls)
        # The last one is that of units that are not known.
        self.table = nn.Parameter(torch.zeros(units + 1, latents))
        self.register_buffer("known", torch.zeros(units, dtype=torch.bool))

    @property
    def latents(self) -> int:
        """K."""
        return self.table.shape[1]

    def split(self, past: Tensor) -> tuple[Tensor, Tensor]:
        """Past window (B, in_len, F + 1), the last column with the unit's number -> (B, in_len, F), latents (B, K)."""
        number = past[:, 0, -1].long()
        if self.training:
            hidden = torch.rand(len(number), device=past.device) < HIDDEN_SHARE
            number = number.masked_fill(hidden, len(self.known))
        return past[..., :-1], self.latents_of(number)

    def latents_of(self, numbers: Tensor) -> Tensor:
        """Latents (B, K) of units by their place; the mean unit's of those that the training cases did not have."""
        is_known = torch.cat((self.known, self.known.new_zeros(1)))[numbers]
        return self.table[numbers.masked_fill(~is_known, len(self.known))]

    def fixed(self, number: int) -> FixedUnit:
        """The network of one unit, whose windows have no number; ``number`` U is the mean unit."""
        place = torch.tensor([number], device=self.table.device)
        return FixedUnit(self.network, self.controls, self.latents_of(place)[0].detach().clone())

    def add(self, units: int) -> None:
        """Add units, which are the mean unit at first."""
        mean = self.table[-1:].detach()
        self.table = nn.Parameter(torch.cat((self.table.detach()[:-1], mean.repeat(units + 1, 1))))
        self.known = torch.cat((self.known, self.known.new_ones(units)))

    @torch.no_grad()
    def know(self, numbers: Sequence[int]) -> None:
        """Give units that the training cases did not have latents of their own, at first those of the mean unit."""
        for number in numbers:
            if not self.known[number]:
                self.table[number], self.known[number] = self.table[-1], True

    @torch.no_grad()
    def initialise(self, whole: Batch, spread: Batch) -> None:
        """Note which units there are, and initialise the inner network with latents of 0."""
        numbers = torch.arange(len(self.known), device=self.known.device)
        self.known.copy_(torch.isin(numbers, whole.past[:, 0, -1].long()))
        self.network.initialise(*(self._extended(batch) for batch in (whole, spread)))

    def _extended(self, batch: Batch) -> Batch:
        nothing = batch.past.new_zeros(len(batch.past), self.latents)
        past, control = self._beside(batch.past[..., :-1], nothing), self._beside(batch.control, nothing)
        return batch._replace(past=past, control=control)


class FixedUnit(_OfUnit):
    """Network of one unit: past window (B, in_len, F).

    Args:
        network: built for C + K controls.
        controls: C.
        latent: of the unit (K,).
    """

    latent: Tensor

    def __init__(self, network: Network, controls: int, latent: Tensor) -> None:
        super().__init__(network, controls)
        self.register_buffer("latent", latent)

    @property
    def latents(self) -> int:
        """K."""
        return len(self.latent)

    def split(self, past: Tensor) -> tuple[Tensor, Tensor]:
        """Past window (B, in_len, F) as it is, and the latent for each case (B, K)."""
        # Not len(past), which an export would take for a constant.
        return past, self.latent.expand(past.shape[0], -1)


class UnitBlind(Network):
    """Network that leaves out the number of the unit: past window (B, in_len, F + 1).

    Args:
        network: reads (B, in_len, F).
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network, self.rows_per_step = network, network.rows_per_step

    @property
    def state_size(self) -> int:
        """That of the inner network."""
        return self.network.state_size

    @property
    def parameter_count(self) -> int:
        """That of the inner network, which may count what is no parameter of torch."""
        return self.network.parameter_count

    def encode(self, past: Tensor) -> Tensor:
        """State (B, S) after a past window."""
        return self.network.encode(past[..., :-1])

    def advance(self, state: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        """State (B, S) and controls (B, R, C) -> next state and rows (B, R, P)."""
        return self.network.advance(state, control)

    def free_run(
        self, past: Tensor, control: Tensor, *, cut_gradients: bool = False, bound: float | None = None
    ) -> Tensor:
        """Free run (B, H, P) of the inner network."""
        return self.network.free_run(past[..., :-1], control, cut_gradients=cut_gradients, bound=bound)

    def forward(self, past: Tensor, control: Tensor) -> Tensor:
        """Past window and controls (B, R, C) -> rows (B, R, P)."""
        return self.network(past[..., :-1], control)

    def compile(self, *args: object, **keys: object) -> None:
        """Compile calls of the inner network, which are those of a free run."""
        self.network.compile(*args, **keys)

    def initialise(self, whole: Batch, spread: Batch) -> None:
        """Initialise the inner network on windows without the number."""
        self.network.initialise(*(batch._replace(past=batch.past[..., :-1]) for batch in (whole, spread)))


def unit_numbers(units: Sequence[str | None], names: Sequence[str]) -> Tensor:
    """The place of the unit of each case among the names (B,); U for one that is not among them, and for none."""
    return torch.tensor([names.index(unit) if unit in names else len(names) for unit in units])


def with_unit_numbers(past: Tensor, numbers: Tensor) -> Tensor:
    """Past windows (B, in_len, F) with the unit's number (B,), or one for all (1,), as one more column."""
    return torch.cat((past, numbers[:, None, None].expand(len(past), past.shape[1], 1)), dim=-1)


def blind(network: Network) -> Network:
    """A network that leaves out the number of the unit, unless it or its members know what to do with it."""
    return network if isinstance(network, UnitLatent | UnitBlind | JointNetwork) else UnitBlind(network)


def told_parts(network: Network) -> list[UnitLatent]:
    """All networks within one that are told units."""
    return [part for part in network.modules() if isinstance(part, UnitLatent)]


def weights_for(network: Network, places: Tensor, own: Network) -> dict[str, Tensor]:
    """Weights of a network by the names that they have in another one of its kind, for units of other places.

    Args:
        network: gives its weights.
        places: of the other's units, the mean unit last, among those of ``network`` (U + 1,).
        own: the other; both are told units, or none is.
    """
    if not isinstance(network, UnitLatent) or not isinstance(own, UnitLatent):
        return network.state_dict()
    latents = network.latents_of(places.to(network.table.device))
    return network.state_dict() | {"known": own.known, "table": latents}


@torch.no_grad()
def keep_absent(network: Network, before: Network, present: Tensor) -> None:
    """Give units that no window was of the latents that they had before: weight decay drew them to 0.

    Args:
        network: trained further; its mean unit is trained wherever a unit is hidden, and stays as it is.
        before: a copy from before.
        present: places of the units that windows were of.
    """
    if isinstance(network, UnitLatent) and isinstance(before, UnitLatent):
        absent = ~torch.isin(torch.arange(len(before.known)), present.long().cpu())
        network.table[:-1][absent] = before.table[:-1][absent].to(network.table)


def fixed_unit(network: Network, number: int) -> Network:
    """A network whose members are told units, as one of a single unit; ``number`` U is the mean unit.

    Args:
        network: reads windows with a unit's number; it is changed.
        number: place of the unit.
    """
    if isinstance(network, JointNetwork):
        network.members = nn.ModuleList(fixed_unit(member, number) for member in network.networks)
        return network
    assert isinstance(network, UnitLatent | UnitBlind), "every network of a surrogate with units is one of these"
    return network.network if isinstance(network, UnitBlind) else network.fixed(number)
