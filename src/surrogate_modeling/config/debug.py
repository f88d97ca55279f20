"""Limits of a debug run (``settings.is_debug``), so that a complete run takes a minute."""

from __future__ import annotations

import logging
from dataclasses import replace

from surrogate_modeling.config.commands import Config
from surrogate_modeling.config.dataset import GeneratedConfig
from surrogate_modeling.config.settings import SettingsConfig

log = logging.getLogger(__name__)
MAX_CASES, MAX_ROWS, MAX_EPOCHS, MAX_FIGURES = 6, 400, 3, 24


def shorten(config: Config) -> Config:
    """Limit epochs and figures if ``is_debug`` is set; else return the configuration unchanged."""
    settings = config.settings
    if not settings.is_debug:
        return config
    figures = MAX_FIGURES if settings.num_figures is None else min(MAX_FIGURES, settings.num_figures)
    log.warning("settings.is_debug: at most %d epochs and %d figures", MAX_EPOCHS, figures)
    return replace(config, settings=replace(settings, epochs=min(MAX_EPOCHS, settings.epochs), num_figures=figures))


def case_limit(config: Config) -> int | None:
    """Maximum number of cases to read; None for all. All cases are read where some are named."""
    simulated = config.dataset.cases if isinstance(config.dataset, GeneratedConfig) else None
    if not config.settings.is_debug:
        return simulated
    if simulated is not None:
        return min(MAX_CASES, simulated)
    return None if config.dataset.test_cases else MAX_CASES


def row_limit(settings: SettingsConfig) -> int | None:
    """Maximum number of rows used of each case, at least one window; None for all."""
    return max(MAX_ROWS, settings.in_len + settings.out_len) if settings.is_debug else None
