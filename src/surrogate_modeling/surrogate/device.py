"""Choose the device of the tensors."""

from __future__ import annotations

import torch

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.settings import SettingsConfig

# Of the free memory of a GPU for each value of a row that is predicted: the row itself some times over, and what a
# network has inside.
BYTES_PER_VALUE = 256


def rows_at_once(device: torch.device, columns: int) -> int:
    """Number of rows of all cases of a batch that fit a GPU's memory; 0 for a CPU, where large batches gain nothing.

    Args:
        device: of the network.
        columns: of a row.
    """
    if device.type != "cuda":
        return 0
    return int(torch.cuda.mem_get_info(device)[0]) // (BYTES_PER_VALUE * columns)


def pick_device(requested: str, key: str) -> torch.device:
    """The device that the user chose; by default a CUDA GPU where there is one. One GPU of several is made the current.

    Args:
        requested: ``auto``, ``cpu``, ``cuda`` or ``cuda:<number>``.
        key: of the configuration, for the message.

    Raises:
        UserError: a GPU was chosen that there is not.
    """
    kind, _, number = requested.partition(":")
    if kind == "cpu":
        return torch.device("cpu")
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not gpus:
        if kind == "cuda":
            raise UserError(f"{key}={requested}: torch sees no CUDA GPU here; use auto or cpu")
        return torch.device("cpu")
    return _current(int(number), f"{key}={requested}", gpus) if number else torch.device("cuda")


def choose_device(settings: SettingsConfig) -> torch.device:
    """The device of ``settings.device``, or the first of ``settings.devices``.

    Raises:
        UserError: a GPU was chosen that there is not.
    """
    return choose_devices(settings)[0]


def choose_devices(settings: SettingsConfig) -> list[torch.device]:
    """The devices of this machine that train one network together, one process on each.

    Raises:
        UserError: GPUs were chosen that there are not.
    """
    given, first = settings.devices, pick_device(settings.device, "settings.device")
    if given == 1:
        return [first]
    key = f"settings.devices={given}"
    if first.type == "cpu":
        if settings.device != "cpu":
            raise UserError(f"{key}: torch sees no CUDA GPU here; with settings.device=cpu processes of the CPU train")
        return [first] * given
    gpus = torch.cuda.device_count()
    numbers = given if isinstance(given, list) else list(range(gpus if given == "all" else given))
    for number in reversed(numbers):
        _current(number, key, gpus)
    return [torch.device("cuda", number) for number in numbers]


def _current(number: int, key: str, gpus: int) -> torch.device:
    """One GPU of several, which is made the current one: kernels and graphs are launched there."""
    if number >= gpus:
        raise UserError(f"{key}: torch sees {gpus} CUDA GPUs here, numbered from 0")
    device = torch.device("cuda", number)
    torch.cuda.set_device(device)
    return device
