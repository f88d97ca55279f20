"""One training in two processes of the CPU against the same training in one."""

import multiprocessing
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lag import lag_case, make, settings
from networks.test_networks import SMALL, small

from surrogate_modeling.common.errors import TrainingDiverged, UserError
from surrogate_modeling.config.settings import Compile, LrSchedule, Monitor
from surrogate_modeling.surrogate.description import Description
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training import processes
from surrogate_modeling.training.checkpoints import FIT_RESULT_FILE
from surrogate_modeling.training.fit import fit, seed_run
from surrogate_modeling.training.loaders import WindowData
from surrogate_modeling.training.windows import WindowDataset


@pytest.fixture(autouse=True)
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes forked from one that has imported everything and done nothing: faster than importing it in each."""
    multiprocessing.set_forkserver_preload([processes.__name__, "pytorch_lightning"])
    monkeypatch.setattr(processes, "START_METHOD", "forkserver")


def trained(folder: Path, count: int, **changes: Any) -> tuple[list[dict[str, float]], dict[str, torch.Tensor]]:
    """Metrics of each epoch and the weights, with the same windows in a step however many processes share them."""
    recipe = settings(**{"batch_size": 32 // count, "devices": count, "device": "cpu", **changes})
    surrogate, data, validation = make(recipe)
    seen: list[dict[str, float]] = []
    fit(surrogate, data, validation, recipe, folder, lambda metrics, _: seen.append(metrics))
    return seen, surrogate.state_dict()


def assert_equal(one: tuple[Any, Any], two: tuple[Any, Any]) -> None:
    for metrics, others in zip(*(each[0] for each in (one, two)), strict=True):
        assert metrics == pytest.approx(others, rel=1e-5)
    for key, value in one[1].items():
        torch.testing.assert_close(two[1][key], value, rtol=0, atol=1e-6, equal_nan=True, msg=key)


def test_two_processes_train_as_one_with_the_doubled_batch(tmp_path: Path) -> None:
    # Windows at the ends of cases are incomplete, and of the last batch one process has no window.
    recipe = dict(
        horizon=40, windows_per_epoch=65, gradient_clip=0.5, ema=0.9, lr=0.003, free_run_every=2,
        monitor=Monitor.val_nADE, lr_schedule=LrSchedule.cosine, warmup=0.2,
    )  # fmt: skip
    assert_equal(trained(tmp_path / "one", 1, **recipe), trained(tmp_path / "two", 2, **recipe))


@pytest.mark.slow
def test_a_stopped_training_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    trained(tmp_path / "stopped", 2, epochs=2, ema=0.9)
    (tmp_path / "stopped" / FIT_RESULT_FILE).unlink()
    rest = trained(tmp_path / "stopped", 2, epochs=4, ema=0.9)
    metrics, weights = trained(tmp_path / "whole", 1, epochs=4, ema=0.9)
    assert_equal((metrics[2:], weights), rest)


def test_a_process_that_is_killed_ends_the_training_with_a_message(tmp_path: Path) -> None:
    recipe = settings(epochs=500, devices=2, device="cpu")
    surrogate, data, validation = make(recipe)

    def kill(metrics: dict[str, float], epoch: int) -> None:
        if epoch == 1:
            os.kill(sorted(child.pid or 0 for child in multiprocessing.active_children())[1], signal.SIGKILL)

    with pytest.raises(UserError, match=r"process 2 of the 2 that trained together was killed \(SIGKILL, most likely"):
        fit(surrogate, data, validation, recipe, tmp_path, kill)
    assert not multiprocessing.active_children()


@pytest.mark.slow
def test_what_a_process_refuses_is_refused_here(tmp_path: Path) -> None:
    recipe = settings(epochs=5, devices=2, device="cpu")
    surrogate, data, validation = make(recipe)
    data.training.rows[20:] = float("nan")
    with pytest.raises(TrainingDiverged, match=r"the loss became nan in epoch 0, validation"):
        fit(surrogate, data, validation, recipe, tmp_path, lambda metrics, _: None)
    with pytest.raises(UserError, match=r"settings.compile=full: on several devices steps are run as they are"):
        trained(tmp_path, 2, compile=Compile.full)


@pytest.mark.slow
def test_processes_go_by_one_clock_and_end_when_asked(tmp_path: Path) -> None:
    seen, _ = trained(tmp_path / "timed", 2, epochs=10_000, max_minutes=0.05, lr_schedule=LrSchedule.cosine)
    assert 0 < len(seen) < 10_000
    recipe = settings(epochs=500, devices=2, device="cpu")
    surrogate, data, validation = make(recipe)

    def ask(metrics: dict[str, float], epoch: int) -> None:
        if epoch == 1:
            (tmp_path / "stop").touch()

    fitted = fit(surrogate, data, validation, recipe, tmp_path / "checkpoints", ask)
    assert 2 < fitted.epochs < 500


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SMALL))
def test_every_network_trains_in_processes(name: str, tmp_path: Path) -> None:
    predicted = []
    for count in (1, 2):
        recipe = settings(batch_size=32 // count, devices=count, device="cpu", horizon=6, lr=0.003)
        seed_run(0)
        cases = [lag_case(50 + i, i) for i in range(5)]
        model = small(name)
        if hasattr(model, "dropout"):
            # Each process drops out of its own windows.
            model = replace(model, dropout=0.0)
        surrogate = Surrogate(Description(model, cases[0].channels, recipe.in_len, recipe.out_len, 1.0))
        surrogate.scaling.fit(case.values for case in cases)
        windows = WindowDataset(cases, surrogate.scaling, recipe.in_len, recipe.loss_rows)
        fit(surrogate, WindowData(windows, windows, recipe), cases, recipe, tmp_path / str(count), lambda *_: None)
        predicted.append(surrogate.predict(cases))
    # Not the weights: where a bias has no effect, as that of a key in attention, its gradient is rounding.
    for one, two in zip(*predicted, strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-4)
