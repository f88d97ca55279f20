"""Hydra finds sweepers only in the namespace package ``hydra_plugins``; this one hands over to ours.

Hydra imports this file at every start, so it imports nothing heavy. The folder must have no ``__init__.py``: other
plugins share the namespace.
"""

from __future__ import annotations

from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class SearchSweeper(Sweeper):
    """``-m``: a search with Optuna, see ``surrogate_modeling.search``.

    Args:
        settings: the keys of ``hydra/hydra/sweeper/search.yaml``, read and checked when the search starts.
    """

    def __init__(self, **settings: Any) -> None:
        self.settings = settings

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Called by Hydra before :meth:`sweep`."""
        launcher = Plugins.instance().instantiate_launcher(
            config=config, hydra_context=hydra_context, task_function=task_function
        )
        self.parts = (config, hydra_context.config_loader, launcher)

    def sweep(self, arguments: list[str]) -> None:
        """Run the search.

        Args:
            arguments: the overrides of the command line that are not Hydra's own.
        """
        from surrogate_modeling.search.sweep import Search

        Search(*self.parts, arguments).run()
