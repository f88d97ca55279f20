"""Whether a training is large enough for a GPU, where the choice is left to us."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import torch

from surrogate_modeling.cases.case import Case
from surrogate_modeling.config.settings import SettingsConfig

log = logging.getLogger(__name__)
# What a GPU needs before its first step: its context, its libraries, and the first steps, which are run one by one
# before they are captured.
SECONDS_TO_START = 2.0
# Low values of what two cores do, so that the CPU is chosen only where it is hardly slower: operations of matrix
# products per second, and seconds that a row of a step takes however small the network is.
CPU_RATE = 1e10
CPU_SECONDS_PER_ROW = 2e-4
# Of a multiplication and an addition, forwards and twice as many backwards.
OPERATIONS_PER_WEIGHT = 6


def cpu_seconds(settings: SettingsConfig, cases: Sequence[Case], weights: int) -> float:
    """Estimate, rather too high, of what two cores of a CPU take for a training [s].

    Args:
        settings: the recipe.
        cases: that are trained on.
        weights: of the network.
    """
    rows = settings.loss_rows
    windows = settings.windows_per_epoch or sum(max(1, len(case.values) - settings.in_len) for case in cases)
    steps = settings.epochs * -(-windows // settings.batch_size)
    products = OPERATIONS_PER_WEIGHT * weights * rows * windows * settings.epochs / CPU_RATE
    return settings.ensemble * (products + steps * rows * CPU_SECONDS_PER_ROW)


def on_cpu_if_small(settings: SettingsConfig, cases: Sequence[Case], weights: int) -> SettingsConfig:
    """The settings, with the CPU instead of ``auto`` where it is through before a GPU has started.

    Args:
        settings: the recipe.
        cases: that are trained on.
        weights: of the network.
    """
    if settings.device != "auto" or settings.on_several_devices or settings.devices != 1:
        return settings
    seconds = cpu_seconds(settings, cases, weights)
    if not torch.cuda.is_available() or seconds >= SECONDS_TO_START:
        return settings
    log.info(
        "the CPU trains: it takes about %.1f s, and a GPU longer to start; settings.device=cuda takes the GPU", seconds
    )
    return replace(settings, device="cpu")
