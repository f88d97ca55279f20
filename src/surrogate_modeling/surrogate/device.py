"""Choose the device of the tensors."""

from __future__ import annotations

import torch

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.settings import Device, SettingsConfig

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


def pick_device(requested: Device, key: str) -> torch.device:
    """The device that the user chose; by default a CUDA GPU where there is one.

    Args:
        requested: the device that the user chose.
        key: of the configuration, for the message.

    Raises:
        UserError: ``cuda`` was chosen and there is none.
    """
    if requested is Device.cuda and not torch.cuda.is_available():
        raise UserError(f"{key}=cuda: torch sees no CUDA GPU here; use auto or cpu")
    use_gpu = requested is not Device.cpu and torch.cuda.is_available()
    return torch.device("cuda" if use_gpu else "cpu")


def choose_device(settings: SettingsConfig) -> torch.device:
    """The device that the user chose; by default a CUDA GPU where there is one.

    Raises:
        UserError: ``cuda`` was chosen and there is none.
    """
    return pick_device(settings.device, "settings.device")
