"""Whole fits on a plant whose law is known."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from lag import lag_case, make, settings

from surrogate_modeling.common.errors import TrainingDiverged
from surrogate_modeling.config.settings import Monitor
from surrogate_modeling.networks.sizes import Batch
from surrogate_modeling.training import callbacks
from surrogate_modeling.training.callbacks import free_run_nade
from surrogate_modeling.training.fit import fit
from surrogate_modeling.training.job import OutOfMemory
from surrogate_modeling.training.loaders import WindowData
from surrogate_modeling.training.module import SurrogateTraining
from surrogate_modeling.training.windows import WindowDataset


def test_training_that_is_asked_to_end_does_after_its_epoch_and_a_free_run(tmp_path: Path) -> None:
    recipe = settings(epochs=50, free_run_every=10, monitor=Monitor.val_nADE)
    surrogate, data, validation = make(recipe)
    seen: list[dict[str, float]] = []

    def keep(values: dict[str, float], epoch: int) -> None:
        """The file comes when epoch 1 is over: epoch 2 is the last."""
        seen.append(values)
        if epoch == 1:
            (tmp_path / "stop").touch()

    fitted = fit(surrogate, data, validation, recipe, tmp_path / "checkpoints", keep)
    assert fitted.epochs == 3
    assert ["val_nADE" in values for values in seen] == [False, False, True]
    # What was asked of one run holds for its fit alone, which is over: it is not trained on.
    again, data, _ = make(recipe)
    assert fit(again, data, validation, recipe, tmp_path / "checkpoints", keep) == fitted
    assert len(seen) == 3
    assert torch.equal(again.state_dict()["scaling.mean"], surrogate.state_dict()["scaling.mean"])


def test_two_runs_of_one_seed_are_equal_bit_for_bit(tmp_path: Path) -> None:
    recipe = settings(noise=0.1, windows_per_epoch=50, first_share=0.5, ema=0.9)
    results = []
    for name in ("one", "two"):
        surrogate, data, validation = make(recipe, seed=7)
        results.append(
            (fit(surrogate, data, validation, recipe, tmp_path / name, lambda values, step: None), surrogate)
        )
    assert results[0][0] == results[1][0]
    for key, value in results[0][1].state_dict().items():
        assert torch.equal(value, results[1][1].state_dict()[key]), key


def test_fit_learns_the_lag_and_keeps_the_best_weights(tmp_path: Path) -> None:
    recipe = settings(epochs=60, batch_size=64)
    surrogate, data, validation = make(recipe)
    history: list[float] = []
    fitted = fit(surrogate, data, validation, recipe, tmp_path, lambda values, step: history.append(values["val_loss"]))
    assert fitted.val_loss == min(history) < 0.02 * history[0]
    past, control, truth, _ = data.validation.gather(torch.arange(len(data.validation)))
    with torch.no_grad():
        kept = torch.nn.functional.mse_loss(surrogate.network(past, control), truth)
    assert float(kept) == pytest.approx(fitted.val_loss, rel=1e-4)


def test_the_mean_of_the_weights_is_kept_where_a_column_never_moves(tmp_path: Path) -> None:
    recipe = settings(epochs=20, ema=0.9, free_run_every=2, monitor=Monitor.val_nADE)
    cases = [lag_case(60, i) for i in range(6)]
    for case in cases:
        case.values[:, 1] = 3.0
    surrogate, data, validation = make(recipe, cases=cases)
    start = free_run_nade(surrogate, validation)
    fitted = fit(surrogate, data, validation, recipe, tmp_path, lambda values, step: None)
    assert fitted.least["val_nADE"] < 0.5 * start
    assert free_run_nade(surrogate, validation) == pytest.approx(fitted.least["val_nADE"], rel=1e-4)
    assert all((rows[:, 0] == 3.0).all() for rows in surrogate.predict(validation))


def test_free_runs_that_are_never_finite_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = settings(free_run_every=1, monitor=Monitor.val_nADE)
    surrogate, data, validation = make(recipe)
    before = {name: value.clone() for name, value in surrogate.state_dict().items()}
    monkeypatch.setattr(callbacks, "free_run_nade", lambda surrogate, cases: math.nan)
    fit(surrogate, data, validation, recipe, tmp_path, lambda values, step: None)
    assert "in no epoch were the free runs over the validation cases finite" in caplog.text
    for name, value in surrogate.state_dict().items():
        assert torch.equal(value.nan_to_num(), before[name].nan_to_num()), name


def test_early_stopping_counts_epochs_without_a_better_value(tmp_path: Path) -> None:
    # A step too small to change any float32 weight: no epoch after the first is better.
    recipe = settings(epochs=50, patience=2, lr=1e-30)
    surrogate, data, validation = make(recipe)
    assert fit(surrogate, data, validation, recipe, tmp_path, lambda values, step: None).epochs == 3


def test_patience_counts_free_runs_and_weights_of_an_epoch_without_one_are_never_the_best(tmp_path: Path) -> None:
    # One free run every third epoch, the first in epoch 3; nothing changes, so that the second is no better.
    recipe = settings(epochs=50, patience=2, lr=1e-30, monitor=Monitor.val_nADE, free_run_every=3)
    surrogate, data, validation = make(recipe)
    assert fit(surrogate, data, validation, recipe, tmp_path, lambda values, step: None).epochs == 9
    assert torch.load(tmp_path / "best.ckpt", weights_only=True)["epoch"] == 2


@pytest.mark.parametrize("batch_size", [1, 3, 4, 1000])
def test_val_loss_is_the_mean_over_valid_rows_for_any_batch_size(tmp_path: Path, batch_size: int) -> None:
    recipe = settings(epochs=1, batch_size=batch_size, horizon=40, lr=1e-30)
    surrogate, _, _ = make(recipe)
    cases = [lag_case(rows, i) for i, rows in enumerate((25, 30, 60, 31))]
    windows = WindowDataset(cases, surrogate.scaling, recipe.in_len, recipe.loss_rows, 20)
    data = WindowData(windows, windows, recipe)
    fitted = fit(surrogate, data, cases, recipe, tmp_path, lambda values, step: None)
    # By hand: the squared errors of every window's rows that the case has, together.
    squared: list[np.ndarray] = []
    for i in range(len(windows)):
        past, control, truth, weight = windows.gather(torch.tensor([i]))
        with torch.no_grad():
            rows = surrogate.network.free_run(past, control)
        squared.append(((rows - truth) ** 2).mean(dim=-1)[weight > 0].numpy())
    assert len({len(part) for part in squared}) > 1
    assert fitted.val_loss == pytest.approx(float(np.concatenate(squared).mean()), rel=1e-5)


def test_free_run_validation_decides_when_asked(tmp_path: Path) -> None:
    recipe = settings(epochs=6, monitor=Monitor.val_nADE, free_run_every=2, horizon=10)
    surrogate, data, validation = make(recipe)
    seen: dict[int, float] = {}

    def keep(values: dict[str, float], step: int) -> None:
        if "val_nADE" in values:
            seen[step] = values["val_nADE"]

    fit(surrogate, data, validation, recipe, tmp_path, keep)
    assert sorted(seen) == [1, 2, 3, 4, 5]
    # The kept weights are those of the best free run: scored again here by plain numpy.
    errors = []
    for case, rows in zip(validation, surrogate.predict(validation), strict=True):
        errors.append(np.abs(rows[:, 1] - case.values[4:, 2]).mean() / float(surrogate.scaling.scale[2]))
    assert float(np.mean(errors)) == pytest.approx(min(seen.values()), rel=1e-4)


def test_divergence_names_epoch_and_batch(tmp_path: Path) -> None:
    recipe = settings(epochs=5)
    surrogate, data, validation = make(recipe)
    data.training.rows[20:] = float("nan")
    with pytest.raises(TrainingDiverged, match=r"the loss became nan in epoch 0, batch \d+; try a smaller settings.lr"):
        fit(surrogate, data, validation, recipe, tmp_path, lambda values, step: None)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        MemoryError("Unable to allocate 9 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    ],
    ids=["GPU", "NumPy", "torch on the CPU"],
)
def test_memory_running_out_names_epoch_and_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    recipe = settings(epochs=5, batch_size=8)
    surrogate, data, validation = make(recipe)
    step = SurrogateTraining.training_step

    def third_batch_of_the_second_epoch(self: SurrogateTraining, batch: Batch, batch_index: int) -> torch.Tensor:
        if self.current_epoch == 1 and batch_index == 2:
            raise error
        return step(self, batch, batch_index)

    monkeypatch.setattr(SurrogateTraining, "training_step", third_batch_of_the_second_epoch)
    with pytest.raises(OutOfMemory, match=r"out of memory in epoch 1, batch 2 .*settings.batch_size"):
        fit(surrogate, data, validation, recipe, tmp_path, lambda values, step: None)


def test_another_error_of_a_step_stays_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(self: SurrogateTraining, batch: Batch, batch_index: int) -> torch.Tensor:
        raise RuntimeError("sizes do not match")

    monkeypatch.setattr(SurrogateTraining, "training_step", wrong)
    recipe = settings(epochs=1)
    surrogate, data, validation = make(recipe)
    with pytest.raises(RuntimeError, match="sizes do not match"):
        fit(surrogate, data, validation, recipe, tmp_path, lambda values, step: None)


def test_the_start_is_kept_where_no_epoch_is_better_also_when_the_fit_is_opened_again(tmp_path: Path) -> None:
    recipe = settings(epochs=40, batch_size=64, monitor=Monitor.val_nADE, free_run_every=1)
    surrogate, data, validation = make(recipe)
    first = fit(surrogate, data, validation, recipe, tmp_path / "first", lambda values, step: None)
    learned = {key: value.clone() for key, value in surrogate.state_dict().items()}
    spoiling = settings(epochs=2, lr=10.0, monitor=Monitor.val_nADE, free_run_every=1)
    seen: list[float] = []
    for _ in range(2):
        second = fit(
            surrogate,
            data,
            validation,
            spoiling,
            tmp_path / "second",
            lambda values, _: seen.append(values.get("val_nADE", np.inf)),
        )
        assert min(seen) > 2 * first.least["val_nADE"]
        assert second.least["val_nADE"] == pytest.approx(first.least["val_nADE"], rel=1e-6)
        for key, value in surrogate.state_dict().items():
            assert torch.equal(value, learned[key]), key
            value.copy_(~value if value.dtype is torch.bool else value + 1)
    assert len(seen) == 2
