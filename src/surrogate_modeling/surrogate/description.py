"""Description of a surrogate beside its weights: enough to build its network again and to use it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from torch import Tensor

from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.config.models import ModelConfig, model_from_dict, model_to_dict
from surrogate_modeling.config.settings import Decimation, Feedback, Output, StartMode
from surrogate_modeling.networks import IncrementOutput, Network, SelectedFeedback, Sizes, build_network
from surrogate_modeling.networks.ensemble import EnsembleNetwork
from surrogate_modeling.networks.mixture import MixtureNetwork
from surrogate_modeling.networks.unit_latent import UnitBlind, UnitLatent


@dataclass(frozen=True)
class Member:
    """One member of a mixture of networks.

    Attributes:
        name: for people, such as ``quadratic``.
        model: of its network.
        copies: networks whose mean it is, such as those fitted with other cases left out.
    """

    name: str
    model: ModelConfig
    copies: int = 1


@dataclass(frozen=True)
class Description:
    """Description of a surrogate; ``in_len`` and ``out_len`` in rows, ``step`` in seconds."""

    model: ModelConfig
    channels: Channels
    in_len: int
    out_len: int
    step: float
    output: Output = Output.absolute
    feedback: Feedback = Feedback.all
    members: int = 1
    decimation: Decimation = Decimation.point
    start: StartMode = StartMode.rows
    # Members of a mixture of networks; none: the network is that of ``model``.
    mixture: tuple[Member, ...] = ()
    # Units whose number a past window has in one more column, and the numbers that a network learns of each.
    units: tuple[str, ...] = ()
    unit_latents: int = 0

    @property
    def given_rows(self) -> int:
        """Rows of the predicted columns that a free run is given."""
        return 0 if self.start is StartMode.rest else self.in_len

    @property
    def fed_back(self) -> list[int]:
        """Positions of the predicted columns that the past window holds."""
        everything = list(range(len(self.channels.predicted)))
        return everything if self.feedback is Feedback.all else sorted(self.channels.target_indices)

    @property
    def sizes(self) -> Sizes:
        """Sizes of the network."""
        channels = self.channels
        fed_back = tuple(self.fed_back)
        return Sizes(
            len(channels.controls), len(channels.predicted), self.in_len, self.out_len, len(fed_back), fed_back
        )

    def require_shapes(self, initial: Tensor, controls: Tensor) -> None:
        """Check the first rows of the predicted columns and the controls of a batch of cases.

        Args:
            initial: (B, G, P), G given rows.
            controls: (B, T, C).

        Raises:
            ValueError: they do not fit this surrogate, or each other.
        """
        sizes = self.sizes
        if controls.ndim != 3 or controls.shape[2] != sizes.controls or controls.shape[1] <= sizes.in_len:
            raise ValueError(
                f"controls: shape {tuple(controls.shape)}, expected "
                f"(cases, more than {sizes.in_len} rows, {sizes.controls})"
            )
        expected = len(controls), self.given_rows, sizes.predicted
        if initial.shape != expected:
            raise ValueError(f"initial: shape {tuple(initial.shape)}, expected {expected}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values to be saved in a file."""
        return {
            "model": model_to_dict(self.model),
            "channels": asdict(self.channels),
            "in_len": self.in_len,
            "out_len": self.out_len,
            "step": self.step,
            "output": self.output.value,
            "feedback": self.feedback.value,
            "members": self.members,
            "decimation": self.decimation.value,
            "start": self.start.value,
            "mixture": [{**vars(member), "model": model_to_dict(member.model)} for member in self.mixture],
            "units": list(self.units),
            "unit_latents": self.unit_latents,
        }

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Description:
        """Make a description from the values of :meth:`to_dict`."""
        return cls(
            model_from_dict(saved["model"]),
            Channels(**saved["channels"]),
            saved["in_len"],
            saved["out_len"],
            saved["step"],
            Output(saved["output"]),
            Feedback(saved["feedback"]),
            saved["members"],
            Decimation(saved["decimation"]),
            StartMode(saved["start"]),
            tuple(Member(**{**member, "model": model_from_dict(member["model"])}) for member in saved["mixture"]),
            tuple(saved["units"]),
            saved["unit_latents"],
        )


def make_network(description: Description) -> Network:
    """Build the network of a description, with fresh weights."""
    if description.mixture:
        members = [make_network(of_member(description, member)) for member in description.mixture]
        return MixtureNetwork(members, description.sizes.predicted)
    if description.members > 1:
        single = replace(description, members=1)
        return EnsembleNetwork([make_network(single) for _ in range(description.members)])
    sizes, units = description.sizes, len(description.units)
    if description.model.closed_form:
        network = build_network(description.model, sizes.with_all_fed_back())
        return UnitBlind(network) if units else network
    if not units:
        return _made_for(description, sizes)
    latents = description.unit_latents
    network = _made_for(description, replace(sizes, controls=sizes.controls + latents))
    return UnitLatent(network, sizes.controls, units, latents)


def _made_for(description: Description, sizes: Sizes) -> Network:
    """Build the trained network of a description for inputs of these sizes."""
    network = build_network(description.model, sizes)
    if description.feedback is Feedback.targets:
        network = SelectedFeedback(network, sizes)
    return IncrementOutput(network, sizes) if description.output is Output.increment else network


def of_member(description: Description, member: Member) -> Description:
    """Description of one member of a mixture."""
    return replace(description, model=member.model, members=member.copies, mixture=())
