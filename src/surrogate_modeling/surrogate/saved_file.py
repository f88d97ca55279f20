"""Read and write the file of a saved surrogate: written atomically, checked before it is used.

The file is a dictionary of plain values and tensors, read without running code from it. Sizes are compared with the
weights before memory is taken, so that a damaged or crafted file is refused in one message.
"""

from __future__ import annotations

import io
import math
import pickle
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from surrogate_modeling.common.atomic_file import write_atomic
from surrogate_modeling.common.errors import UserError, first_line
from surrogate_modeling.surrogate.band import Band
from surrogate_modeling.surrogate.description import Description, make_network
from surrogate_modeling.surrogate.lineage import LineageStep
from surrogate_modeling.surrogate.units import UnitEffects

FORMAT = "surrogate-12"
NETWORK_PREFIX = "network."
# Tensors that every prediction is computed with.
COMPUTED_WITH = (NETWORK_PREFIX, "first_row.")
# Rows of a window, far beyond any use: the limit for sizes of a file that do not follow from its weights.
MAX_WINDOW_ROWS = 10**6
# Values that a network may hold beside its weights, such as position tables.
MAX_TABLE_VALUES = 10**8


@dataclass(frozen=True)
class SavedSurrogate:
    """Content of the file.

    Attributes:
        description: of the surrogate.
        weights: every one by name.
        band: if there is any.
        units: if there are any.
        lineage: trainings and adaptations, the latest last.
        config: of the latest training as ``group.key -> value``, for people and for an adaptation.
    """

    description: Description
    weights: dict[str, Tensor]
    band: Band | None
    units: UnitEffects | None = None
    lineage: tuple[LineageStep, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)


def write_saved(path: Path, saved: SavedSurrogate) -> None:
    """Write the file atomically."""
    buffer = io.BytesIO()
    torch.save(
        {
            "format": FORMAT,
            "description": saved.description.to_dict(),
            "band": None if saved.band is None else saved.band.to_dict(),
            "units": None if saved.units is None else saved.units.to_dict(),
            "weights": {key: value.cpu() for key, value in saved.weights.items()},
            "lineage": [step.to_dict() for step in saved.lineage],
            "config": saved.config,
        },
        buffer,
    )
    write_atomic(path, buffer.getbuffer())


def read_saved(path: str | Path) -> SavedSurrogate:
    """Read and check a file.

    Raises:
        UserError: the file is missing, damaged, or not a surrogate.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except pickle.UnpicklingError:  # torch's text advises to run what is in the file
        raise UserError(f"{path}: not a saved surrogate, or damaged; give a lit_model.pth") from None
    except Exception as error:  # torch has no error of its own for what is no file of its
        raise UserError(f"{path}: not a saved surrogate, or damaged ({first_line(error)})") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(f"{path}: not a surrogate of format {FORMAT}; train it again with this version")
    try:
        weights = _checked_weights(content["weights"])
        description = Description.from_dict(content["description"])
        _check_sizes(description, weights)
        _check_names(description, weights)
        band = None if content["band"] is None else Band.from_dict(content["band"])
        _check_band(band, description)
        predicted = len(description.channels.predicted)
        units = None if content["units"] is None else UnitEffects.from_dict(content["units"], predicted)
        lineage = tuple(LineageStep.from_dict(step) for step in content["lineage"])
        config = {str(key): value for key, value in dict(content["config"]).items()}
    except UserError as error:
        raise UserError(f"{path}: damaged: {error}") from None
    # Whatever a damaged value breaks: its type, its key, the network that it describes.
    except Exception as error:
        raise UserError(f"{path}: damaged ({type(error).__name__}: {first_line(error)})") from None
    return SavedSurrogate(description, weights, band, units, lineage, config)


def _checked_weights(weights: object) -> dict[str, Tensor]:
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise UserError("the weights are not tensors")
    for key, value in weights.items():
        if str(key).startswith(COMPUTED_WITH) and value.is_floating_point() and not bool(value.isfinite().all()):
            raise UserError(f"{key} holds values that are not finite")
    return weights


def _check_sizes(description: Description, weights: dict[str, Tensor]) -> None:
    """Check that no size is greater than the numbers saved and no depth greater than the number of tensors."""
    rows = {"in_len": description.in_len, "out_len": description.out_len}
    counts = {"members": description.members, "unit_latents": description.unit_latents}
    sizes = {f"model.{key}": value for key, value in asdict(description.model).items() if isinstance(value, int)}
    for member in description.mixture:
        counts[f"{member.name}.members"] = member.copies
        sizes |= {f"{member.name}.{key}": v for key, v in asdict(member.model).items() if isinstance(v, int)}
    for key, value in {**rows, **counts, **sizes}.items():
        if not isinstance(value, int) or value < 0:
            raise UserError(f"{key}={value!r} is not a size")
    numbers = sum(value.numel() for value in weights.values())
    deep = {key: value for key, value in {**counts, **sizes}.items() if key.endswith(("members", "depth"))}
    for part, limit in ((rows, MAX_WINDOW_ROWS), ({**counts, **sizes}, numbers), (deep, len(weights))):
        for key, value in part.items():
            if value > limit:
                raise UserError(f"{key}={value} does not fit the {numbers} numbers saved in {len(weights)} tensors")
    if not isinstance(description.step, int | float) or not 0 < description.step < float("inf"):
        raise UserError(f"step={description.step!r} is not a time step")
    units = description.units
    if not all(isinstance(name, str) for name in units) or len(set(units)) < len(units):
        raise UserError("the names of the units are not texts that differ")
    offsets, sizes_of = description.channels.offsets, description.sizes
    if offsets is not None and not _are_numbers(offsets, sizes_of.controls + sizes_of.predicted):
        raise UserError("the offsets are not a number for each column")


def _are_numbers(values: object, count: int) -> bool:
    """Whether values are so many finite numbers."""
    if not isinstance(values, list | tuple) or len(values) != count:
        return False
    return all(isinstance(value, int | float) and math.isfinite(value) for value in values)


def _check_names(description: Description, weights: dict[str, Tensor]) -> None:
    """Check that the network of the description, made without memory, has exactly the saved tensors."""
    with torch.device("meta"):
        network = make_network(description)
    tables = sum(buffer.numel() for buffer in network.buffers())
    if tables > MAX_TABLE_VALUES:
        raise UserError(f"the network would hold {tables} numbers beside its weights")
    expected = {f"{NETWORK_PREFIX}{key}": value.shape for key, value in network.state_dict().items()}
    saved = {key: value.shape for key, value in weights.items() if key.startswith(NETWORK_PREFIX)}
    if missing := expected.keys() - saved.keys():
        raise UserError(f"{len(missing)} tensors are missing, the first: {min(missing)}")
    if extra := saved.keys() - expected.keys():
        raise UserError(f"{len(extra)} tensors are not of this network, the first: {min(extra)}")
    for key, shape in expected.items():
        if saved[key] != shape:
            raise UserError(f"{key} has the shape {tuple(saved[key])}, its network {tuple(shape)}")


def _check_band(band: Band | None, description: Description) -> None:
    if band is None:
        return
    predicted, knots = len(description.channels.predicted), len(band.knots)
    grown, factors = (band.error, band.peak), (band.factor, band.trajectory_factor, band.all_factor)
    fits = all(values.shape == (knots, predicted) for values in grown) and all(q.shape == (predicted,) for q in factors)
    if not fits or knots == 0 or band.cases < 1:
        raise UserError("the band does not fit the predicted columns")
