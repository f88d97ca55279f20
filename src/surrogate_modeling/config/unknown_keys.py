"""Keys that no schema has: Hydra refuses them, but adds them where they are given as ``+key=`` or ``++key=``."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import fields, is_dataclass

from omegaconf import DictConfig, OmegaConf

from surrogate_modeling.common.errors import UserError


def require_known(composed: DictConfig, group: str = "") -> None:
    """Check that every key of a composed tree is in the dataclass of its group; dictionaries may hold any.

    Args:
        composed: the tree, or a group of it.
        group: its key; empty for the whole tree.

    Raises:
        UserError: one is not.
    """
    schema = OmegaConf.get_type(composed)
    known = [field.name for field in fields(schema)] if is_dataclass(schema) else None
    for name in map(str, composed):
        key = f"{group}.{name}" if group else name
        if known is not None and name not in known:
            raise UserError(no_such_key(key, known))
        if OmegaConf.is_missing(composed, name) or OmegaConf.is_interpolation(composed, name):
            continue
        if isinstance(composed[name], DictConfig):
            require_known(composed[name], key)


def no_such_key(key: str, known: Sequence[str]) -> str:
    """The message about a key that is not among those known."""
    close = difflib.get_close_matches(key.rsplit(".", 1)[-1], known, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"{key}: no such key; {hint}known: {', '.join(known)}"
