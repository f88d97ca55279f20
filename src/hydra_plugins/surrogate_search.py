"""Hydra finds plugins only in the namespace package ``hydra_plugins``; these hand over to ``search/``.

Hydra imports this file at every start, so it imports nothing heavy. The folder must have no ``__init__.py``: other
plugins share the namespace.
"""

from __future__ import annotations

from typing import Any

from hydra._internal.core_plugins import basic_sweeper
from hydra._internal.grammar import grammar_functions
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

# Hydra 1.3 takes null in "settings.max_minutes=null,1.0", but refuses it in the same words as a function.
grammar_functions.choice.__annotations__["args"] = Any


class SearchSamplers(SearchPathPlugin):
    """Registers our samplers once all plugins are loaded: Hydra's Optuna plugin has some of the same names."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:  # noqa: ARG002
        """Called by Hydra before it composes; the search path stays as it is."""
        from surrogate_modeling.search.sampler_schemas import register_samplers

        register_samplers()


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


class PartsSweeper(basic_sweeper.BasicSweeper):
    """``-m`` without a search: Hydra's own grid, of which all runs that fail are named."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Called by Hydra before the sweep."""
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        from surrogate_modeling.search.grid import GridLauncher

        assert self.launcher is not None
        self.launcher = GridLauncher(self.launcher, config)
