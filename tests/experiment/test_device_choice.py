"""When a GPU is not worth its start."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from builders import make_case

from surrogate_modeling.cases.case import Case
from surrogate_modeling.config.settings import SettingsConfig
from surrogate_modeling.experiment.device_choice import cpu_seconds, on_cpu_if_small

CASES: Sequence[Case] = [make_case(f"c{i}", 400, i) for i in range(4)]


@pytest.fixture(autouse=True)
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


def test_the_estimate_counts_products_and_rows() -> None:
    settings = SettingsConfig(epochs=3, batch_size=128, horizon=20, ensemble=2)
    # 4 cases of 390 windows in 13 steps; 6 operations per weight and row at 1e10 per second, 0.2 ms per row of a step.
    products = 6 * 50_000 * 20 * 1560 * 3 / 1e10
    assert cpu_seconds(settings, CASES, 50_000) == pytest.approx(2 * (products + 3 * 13 * 20 * 2e-4))
    drawn = SettingsConfig(epochs=1, windows_per_epoch=10, batch_size=10)
    assert cpu_seconds(drawn, CASES, 0) == pytest.approx(2e-4)


@pytest.mark.parametrize(
    ("changes", "weights", "device"),
    [
        ({}, 50_000, "cpu"),  # debug sizes
        ({}, 5_000_000, "auto"),
        ({"epochs": 500}, 50_000, "auto"),
        ({"device": "cuda"}, 50_000, "cuda"),
        ({"devices": [1]}, 50_000, "auto"),
        ({"devices": 2}, 50_000, "auto"),
    ],
)
def test_the_cpu_is_taken_for_debug_sizes_only(changes: dict[str, Any], weights: int, device: str) -> None:
    settings = SettingsConfig(**{"epochs": 3, **changes})
    assert on_cpu_if_small(settings, CASES, weights).device == device
