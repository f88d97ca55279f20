"""Every setting of the recipe with every network: a few steps of training, and what the setting must change.

What a setting computes is tested beside its code; here, that no network ignores it or breaks on it.
"""

import math
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from builders import make_case, make_channels
from networks.test_networks import SMALL, small

from surrogate_modeling.config.settings import (
    Criterion,
    Feedback,
    LrSchedule,
    Monitor,
    Output,
    Precision,
    SettingsConfig,
)
from surrogate_modeling.surrogate.description import Description
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.fit import seed_run
from surrogate_modeling.training.loaders import WindowData
from surrogate_modeling.training.members import fit_members
from surrogate_modeling.training.windows import WindowDataset

# The setting, and a recipe that it is compared with where that is not the plain one.
HORIZON = dict(horizon=8)
FREE_RUNS = dict(free_run_every=1)
RECIPES: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "criterion": (dict(criterion=Criterion.l1), {}),
    "horizon": (HORIZON, {}),
    "horizon_growth": (HORIZON | dict(horizon_growth=2), HORIZON),
    "cut_gradients": (HORIZON | dict(cut_gradients=True), HORIZON),
    "windows_per_epoch": (dict(windows_per_epoch=40), {}),
    "first_share": (dict(windows_per_epoch=40, first_share=0.9), dict(windows_per_epoch=40)),
    "noise": (dict(noise=0.2), {}),
    "output": (dict(output=Output.increment), {}),
    "feedback": (dict(feedback=Feedback.targets), {}),
    "byproduct_weight": (dict(byproduct_weight=0.1), {}),
    "lr_schedule": (dict(lr_schedule=LrSchedule.cosine), {}),
    "warmup": (dict(warmup=0.5), {}),
    "weight_decay": (dict(weight_decay=0.5), {}),
    "gradient_clip": (dict(gradient_clip=0.01), {}),
    "ema": (dict(ema=0.5), {}),
    "ensemble": (dict(ensemble=2), {}),
    "out_len": (dict(out_len=2), {}),
    "precision": (dict(precision=Precision.bf16), {}),
}
# A network whose state moves with the controls alone is fed nothing back within a horizon.
WITHOUT_EFFECT = {("ssm", "cut_gradients"), ("nss", "cut_gradients")}


@lru_cache
def trained(name: str, *changes: tuple[str, object]) -> tuple[dict[str, float], dict[str, torch.Tensor], np.ndarray]:
    """Least metrics, weights, and the free run over a case that was not trained on."""
    plain = dict(in_len=4, epochs=2, batch_size=64, progress_bar=False, lr=0.01)
    settings = SettingsConfig(**{**plain, **dict(changes)})  # type: ignore[arg-type]
    seed_run(0)
    cases = [make_case(f"c{i}", 60, i) for i in range(5)]
    surrogate = Surrogate(
        Description(
            small(name), make_channels(["p"]), settings.in_len, settings.out_len, 1.0, settings.output,
            settings.feedback, settings.ensemble,
        )
    )  # fmt: skip
    surrogate.scaling.fit(case.values for case in cases[:3])
    sets = [
        WindowDataset(part, surrogate.scaling, settings.in_len, settings.loss_rows) for part in (cases[:3], cases[3:4])
    ]
    with TemporaryDirectory() as folder:
        fitted = fit_members(
            surrogate, WindowData(*sets, settings), cases[3:4], Path(folder), lambda values, epoch: None
        )
    (rows,) = surrogate.predict(cases[4:])
    assert fitted.epochs == 2
    weights = {key: value.clone() for key, value in surrogate.network.state_dict().items()}
    return fitted.least, weights, rows


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        value.shape == other[key].shape and torch.equal(value, other[key]) for key, value in one.items()
    )


@pytest.mark.parametrize("setting", RECIPES)
@pytest.mark.parametrize("name", SMALL)
def test_setting_trains_and_changes_what_is_learnt(name: str, setting: str) -> None:
    changes, reference = (tuple(part.items()) for part in RECIPES[setting])
    least, weights, rows = trained(name, *changes)
    assert all(math.isfinite(value) for value in least.values())
    assert {"train_loss", "val_loss"} <= set(least)
    assert rows.shape == (56, 2)
    assert np.isfinite(rows).all()
    assert all(torch.isfinite(value).all() for value in weights.values())
    _, other, other_rows = trained(name, *reference)
    same = equal(weights, other) and np.array_equal(rows, other_rows)
    assert same == ((name, setting) in WITHOUT_EFFECT)


@pytest.mark.parametrize("name", SMALL)
def test_free_runs_are_watched_and_may_choose_the_weights(name: str) -> None:
    watched, weights, _ = trained(name, *FREE_RUNS.items())
    assert math.isfinite(watched["val_nADE"])
    # Watching draws no random numbers: what is learnt stays the same.
    assert equal(weights, trained(name)[1])
    chosen, _, _ = trained(name, *FREE_RUNS.items(), ("monitor", Monitor.val_nADE))
    # The start, which is not among what is watched, may be better than every epoch.
    assert chosen["val_nADE"] <= watched["val_nADE"]


@pytest.mark.parametrize("precision", [Precision.fp32, Precision.bf16])
@pytest.mark.parametrize("name", SMALL)
def test_the_shipped_recipe_for_long_trajectories_fits_every_network(name: str, precision: Precision) -> None:
    """All of it together; the values are those of ``settings/stable.yaml`` but for sizes."""
    stable = dict(
        horizon=20, windows_per_epoch=20, first_share=0.5, batch_size=16, criterion=Criterion.smoothl1,
        byproduct_weight=0.3, lr_schedule=LrSchedule.cosine, warmup=0.05, weight_decay=0.05, gradient_clip=1.0, ema=0.99,
        monitor=Monitor.val_nADE, free_run_every=1, lr=0.004, precision=precision,
    )  # fmt: skip
    least, _, rows = trained(name, *stable.items())
    assert {"train_loss", "val_loss", "val_nADE"} <= set(least)
    assert np.isfinite(rows).all()
