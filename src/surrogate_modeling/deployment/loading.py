"""Load a surrogate from a file, the folder of a run, or the tracking store.

Imports torch only when needed: a missing surrogate is reported at once.
"""

from __future__ import annotations

import logging
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.cases.grid import Grid
from surrogate_modeling.cases.problems import file_refusal
from surrogate_modeling.cases.schedules import Demands, Schedule, read_schedule
from surrogate_modeling.cases.units import UnitError, conversion
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import MODEL_FILE, expanded
from surrogate_modeling.common.wording import counted

if TYPE_CHECKING:
    from surrogate_modeling.surrogate.description import Description
    from surrogate_modeling.surrogate.model import Surrogate

log = logging.getLogger(__name__)

# Problems of one schedule that a message lists.
MAX_PROBLEMS_OF_CASE = 10
RUN_ID = re.compile(r"[0-9a-f]{32}")


def check_reference(reference: str, key: str = "surrogate") -> None:
    """Refuse a reference that cannot be a surrogate; ``key`` of the configuration gave it.

    Raises:
        UserError: neither a file, nor a folder with one, nor written like something in the tracking store.
    """
    _local_file(reference, key)


def load_surrogate(reference: str, device: str = "cpu", key: str = "surrogate") -> Surrogate:
    """Load a surrogate for use.

    Args:
        reference: path of ``lit_model.pth`` or of a folder that holds one, MLflow run id, ``runs:/`` or ``models:/``.
        device: where its tensors live, as ``settings.device`` names it.
        key: of the configuration that gave the reference, for the messages.

    Raises:
        UserError: not there, or not a surrogate; or no such device.
    """
    file = _local_file(reference, key)
    with tempfile.TemporaryDirectory() as folder:
        if file is None:
            from surrogate_modeling.tracking.download import fetch

            file = fetch(reference, MODEL_FILE, Path(folder))
        from surrogate_modeling.surrogate.device import pick_device
        from surrogate_modeling.surrogate.model import Surrogate

        return Surrogate.load(file, str(pick_device(device, "device")))


def say_mean_unit(surrogate: Surrogate, advice: str) -> None:
    """Log that no unit was named, where a surrogate knows some.

    Args:
        surrogate: that predicts the mean unit then.
        advice: how to name one.
    """
    known, told = len(surrogate.known_units), bool(surrogate.description.units)
    if told:
        log.warning(
            "the mean unit is predicted, which networks that are told the unit know less well, and with the band of "
            "known units, which is too narrow for it: this surrogate knows %s; %s", counted(known, "unit"), advice,
        )  # fmt: skip
    elif known:
        log.info("the mean unit is predicted: this surrogate knows %s; %s", counted(known, "unit"), advice)


def demands_of(description: Description, max_gap: float | None, parameters: str | None = None) -> Demands:
    """Requirements of a surrogate on control schedules.

    Args:
        description: of the surrogate.
        max_gap: widest time gap to interpolate, in steps.
        parameters: a CSV with the columns case and one per parameter; None: they are columns of the schedules.

    Raises:
        UserError: the CSV cannot be read, or does not fit the surrogate.
    """
    grid = Grid(description.step, max_gap, description.decimation)
    values = _parameters(parameters, description.channels) if parameters is not None else {}
    return Demands(description.channels, description.in_len, description.given_rows, grid, values)


def read_case(file: Path, description: Description, place: str, *, max_gap: float | None, unit: str | None) -> Case:
    """Read one control schedule that a surrogate is to be used on.

    Args:
        file: to read.
        description: of the surrogate.
        place: value of the key that named the file or its folder, for the message.
        max_gap: widest time gap to interpolate, in steps.
        unit: that the case is said to belong to.

    Raises:
        UserError: the file cannot be used.
    """
    read = read_schedule(file, demands_of(description, max_gap))
    if not isinstance(read, Schedule):
        raise file_refusal(place, read, most=MAX_PROBLEMS_OF_CASE)
    return replace(read.case, unit=unit)


def _parameters(path: str, channels: Channels) -> dict[str, dict[str, float]]:
    """Values of the parameters by case, in the units of the surrogate."""
    from surrogate_modeling.importing.parameters import read_parameters

    if not channels.parameters:
        raise UserError(
            f"parameters={path}: this surrogate has no parameters; dataset.parameters names them for training"
        )
    units, cases = read_parameters(path, channels.parameters)
    changes = {}
    for name in units:
        try:
            # A CSV without units is in those of the surrogate.
            changes[name] = conversion(units[name] or channels.units[name], channels.units[name])
        except UnitError as error:
            raise UserError(f"parameters={path}: column {name!r}: {error}") from None
    return {
        case: {name: values[name] * factor + offset for name, (factor, offset) in changes.items()}
        for case, values in cases.items()
    }


def _local_file(reference: str, key: str) -> Path | None:
    """The local file, or None when the tracking store is meant."""
    path = expanded(reference, key)
    if path.is_file():
        return path
    if (path / MODEL_FILE).is_file():
        return path / MODEL_FILE
    if reference.startswith(("models:/", "runs:/")) or RUN_ID.fullmatch(reference):
        return None
    if path.is_dir():
        raise UserError(f"{key}={reference}: no {MODEL_FILE} in it; settings.is_save_model=True saves one")
    raise UserError(
        f"{key}={reference}: no such file; give a {MODEL_FILE}, the folder of a run, an MLflow run id "
        "(32 letters a-f and digits), or models:/<name>/<version>"
    )
