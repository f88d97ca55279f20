"""Keep passwords out of the files that Hydra writes (``.hydra/*.yaml``) and of the jobs of its launchers."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from surrogate_modeling.common.passwords import has_password
from surrogate_modeling.config.refusals import print_refusal

PREFIX = "SURROGATE_"
INTERPOLATION = re.compile(r"\$\{[^{}]*\}")


class PasswordsInEnvironment(Callback):
    """Hydra callback that moves each address with a password into an environment variable before files are written.

    The configuration then holds ``${oc.env:...}`` for it. Processes that a launcher starts inherit the environment.
    """

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Called by Hydra for a single run."""
        move_passwords(config)

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Called by Hydra for ``-m``, before the sweeper is made."""
        move_passwords(config)


def move_passwords(config: DictConfig) -> None:
    """Replace addresses with passwords by interpolations of environment variables, in the tree and in the overrides.

    Args:
        config: Hydra's whole configuration, changed in place. A password that cannot be replaced, such as one in a
            search space, ends the process with a message.
    """
    tree: Any = OmegaConf.to_container(config, resolve=False)
    typed: dict[str, list[str]] = {group: tree["hydra"]["overrides"][group] for group in ("hydra", "task")}
    with read_write(config), read_write(config.hydra), open_dict(config.hydra):
        for key, value in _leaves(tree):
            if key.startswith("hydra.overrides.") or not _is_secret(value):
                continue
            name = PREFIX + re.sub(r"\W", "_", key).upper()
            os.environ[name] = str(OmegaConf.select(config, key))
            stand_in = f"${{oc.env:{name}}}"
            OmegaConf.update(config, key, stand_in)
            _replace(typed["hydra" if key.startswith("hydra.") else "task"], key, stand_in)
        left = [override.partition("=")[0] for group in typed.values() for override in group if _is_secret(override)]
        if left:
            # Hydra turns exceptions of its callbacks into warnings.
            keys = ", ".join(left)
            sys.exit(
                print_refusal(f"{keys}: holds a password; put the address in the environment and give ${{oc.env:NAME}}")
            )
        for group, overrides in typed.items():
            config.hydra.overrides[group] = overrides


def _is_secret(value: object) -> bool:
    return isinstance(value, str) and has_password(INTERPOLATION.sub("", value))


def _replace(overrides: list[str], key: str, stand_in: str) -> None:
    """Replace the override of a key, or add one for a value from a file: each trial reads the file again."""
    found = [i for i, override in enumerate(overrides) if override.partition("=")[0].lstrip("+") == key]
    for i in found:
        overrides[i] = f"{overrides[i].partition('=')[0]}={stand_in}"
    if not found:
        overrides.append(f"{key}={stand_in}")


def _leaves(tree: Any, key: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield from _leaves(value, f"{key}.{name}" if key else str(name))
    elif isinstance(tree, list):
        for i, value in enumerate(tree):
            yield from _leaves(value, f"{key}.{i}")
    else:
        yield key, tree
