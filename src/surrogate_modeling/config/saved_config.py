"""The configuration that a saved surrogate keeps of its training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from surrogate_modeling.common.errors import UserError, first_line
from surrogate_modeling.config.commands import Config
from surrogate_modeling.config.composition import checked


def unflattened(flat: Mapping[str, Any]) -> Config:
    """Make a checked configuration from what :meth:`Config.flat` gave, as a saved surrogate keeps it.

    Raises:
        UserError: keys are missing, unknown or out of range.
    """
    groups: dict[str, dict[str, Any]] = {"dataset": {}, "model": {}, "settings": {}}
    for key, value in flat.items():
        group, _, name = key.partition(".")
        if group in groups:
            groups[group][name] = value
    try:
        return checked(OmegaConf.create(groups))
    except (OmegaConfBaseException, KeyError) as error:
        raise UserError(f"the configuration in the surrogate's file does not do: {first_line(error)}") from None
