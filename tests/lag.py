"""A plant whose law is known, small surrogates of it and short recipes, for tests of training."""

import numpy as np

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.config.models import DonConfig
from surrogate_modeling.config.settings import SettingsConfig
from surrogate_modeling.surrogate.description import Description
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.fit import seed_run
from surrogate_modeling.training.loaders import WindowData
from surrogate_modeling.training.windows import WindowDataset

CHANNELS = Channels(("u",), ("x", "y"), ("y",), {"u": "-", "x": "-", "y": "-"})


def lag_case(rows: int, seed: int) -> Case:
    """x follows u with a first-order lag; y = 2 x + 1."""
    rng = np.random.default_rng(seed)
    u = np.repeat(rng.uniform(-1, 1, rows // 8 + 1), 8)[:rows]
    x = np.zeros(rows)
    for t in range(1, rows):
        x[t] = 0.8 * x[t - 1] + 0.2 * u[t]
    return Case(
        f"case{seed}", np.arange(rows, dtype=float), np.stack([u, x, 2 * x + 1], axis=1).astype(np.float32), CHANNELS
    )


def make(
    settings: SettingsConfig, seed: int = 0, cases: list[Case] | None = None
) -> tuple[Surrogate, WindowData, list[Case]]:
    """Six cases, of which the last two validate."""
    seed_run(seed)
    cases = cases or [lag_case(60, i) for i in range(6)]
    model = DonConfig("don", trunk_depth=2, trunk_dim=8, branch_dim=8, width=4)
    surrogate = Surrogate(Description(model, CHANNELS, settings.in_len, settings.out_len, 1.0))
    surrogate.scaling.fit([case.values for case in cases[:4]])
    surrogate.training_range.fit(cases[:4], surrogate.scaling, settings.in_len)
    sets = [WindowDataset(c, surrogate.scaling, settings.in_len, settings.loss_rows) for c in (cases[:4], cases[4:])]
    return surrogate, WindowData(*sets, settings), cases[4:]


def settings(**changes: object) -> SettingsConfig:
    plain = dict(in_len=4, epochs=3, batch_size=32, progress_bar=False, lr=0.01)
    return SettingsConfig(**{**plain, **changes})  # type: ignore[arg-type]
