"""A surrogate of columns with a small variation on a large level: the same as without the level."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from builders import plain_channels
from surrogate.test_model import SMALL

from surrogate_modeling.cases.case import Case
from surrogate_modeling.config.models import ModelConfig
from surrogate_modeling.config.settings import SettingsConfig
from surrogate_modeling.surrogate.description import Description
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.windows import WindowDataset

LEVEL = 1e12
OFFSETS = (0.0, LEVEL, LEVEL, 0.0)
IN_LEN, ROWS = 3, 12
PLAIN = plain_channels(2, 2)


def held_rows() -> np.ndarray:
    return np.random.default_rng(0).normal([0, 3e4, -1e4, 5], [1, 1e4, 2e4, 2], (ROWS, 4)).astype(np.float32)


def make(offsets: tuple[float, ...] | None, model: ModelConfig = SMALL) -> tuple[Surrogate, Case]:
    """The same network either way, and the same case, whose second and third column may stand on a level."""
    torch.manual_seed(1)
    channels = replace(PLAIN, offsets=offsets)
    surrogate = Surrogate(Description(model, channels, IN_LEN, 1, 1.0))
    case = Case("a", np.arange(float(ROWS)), held_rows(), channels)
    surrogate.scaling.fit([case.values])
    return surrogate.eval(), case


def test_the_prediction_is_that_without_the_level_plus_the_level() -> None:
    (plain, without), (surrogate, case) = make(None), make(OFFSETS)
    np.testing.assert_allclose(case.outputs[:, 0], without.outputs[:, 0].astype(np.float64) + LEVEL, rtol=0, atol=0.1)
    (expected,), (found,) = plain.predict([without]), surrogate.predict([case])
    np.testing.assert_allclose(found - [LEVEL, 0.0], expected, rtol=1e-6, atol=0.01)
    one = surrogate.free_run(torch.from_numpy(case.outputs[:IN_LEN]), torch.from_numpy(case.controls))
    np.testing.assert_array_equal(one.detach().numpy(), found)


def test_windows_are_those_without_the_level() -> None:
    settings = SettingsConfig(in_len=IN_LEN)
    (plain, without), (surrogate, case) = make(None), make(OFFSETS)
    batches = [
        WindowDataset([c], s.scaling, settings.in_len, 1).gather(torch.tensor([0, 1, 2]))
        for s, c in ((plain, without), (surrogate, case))
    ]
    for expected, found in zip(*batches, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_it_is_saved_with_its_offsets(tmp_path) -> None:  # type: ignore[no-untyped-def]
    surrogate, case = make(OFFSETS)
    surrogate.save(tmp_path / "lit_model.pth")
    loaded = Surrogate.load(tmp_path / "lit_model.pth")
    assert loaded.description.channels.offsets == OFFSETS
    np.testing.assert_array_equal(loaded.predict([case])[0], surrogate.predict([case])[0])
    assert loaded.scaling.low.tolist() == surrogate.scaling.low.tolist()
    assert float(loaded.scaling.low[1]) == pytest.approx(LEVEL + float(case.values[:, 1].min()), abs=0.01)
