"""What ``settings.is_debug`` makes small, so that a complete run is through in a minute."""

from __future__ import annotations

import logging
from dataclasses import replace

from surrogate_modeling.config.commands import Config
from surrogate_modeling.config.dataset import RefrigerantConfig, Split
from surrogate_modeling.config.settings import SettingsConfig

log = logging.getLogger(__name__)
CASES, ROWS, EPOCHS, FIGURES = 6, 400, 3, 24


def shorten(config: Config) -> Config:
    """The configuration itself, or with ``is_debug`` one with few epochs and figures."""
    settings = config.settings
    if not settings.is_debug:
        return config
    figures = FIGURES if settings.num_figures is None else min(FIGURES, settings.num_figures)
    log.warning("settings.is_debug: at most %d epochs and %d figures", EPOCHS, figures)
    return replace(config, settings=replace(settings, epochs=min(EPOCHS, settings.epochs), num_figures=figures))


def case_limit(config: Config) -> int | None:
    """At most so many cases are read; None for all. Cases that are named are all read."""
    simulated = config.dataset.cases if isinstance(config.dataset, RefrigerantConfig) else None
    if not config.settings.is_debug:
        return simulated
    if simulated is not None:
        return min(CASES, simulated)
    return None if config.dataset.split is Split.named else CASES


def row_limit(settings: SettingsConfig) -> int | None:
    """At most so many rows of each case are used, enough for one window; None for all."""
    return max(ROWS, settings.in_len + settings.out_len) if settings.is_debug else None
