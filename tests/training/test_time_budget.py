"""Limits of the time of a training, by a clock that moves as the test says."""

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
from lag import make, settings

from surrogate_modeling.config.settings import Monitor
from surrogate_modeling.training import time_budget
from surrogate_modeling.training.fit import fit
from surrogate_modeling.training.module import SurrogateTraining
from surrogate_modeling.training.time_budget import TimeBudget


def test_time_of_a_stopped_run_counts() -> None:
    before = TimeBudget(10.0)
    before.load_state_dict({"time_elapsed": {"train": 360.0}})
    after = TimeBudget(10.0)
    after.load_state_dict(before.state_dict())
    assert after.share == pytest.approx(0.6)
    assert TimeBudget(None).share == 0.0


def test_training_ends_with_a_free_run_after_the_epoch_in_which_the_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that moves by a minute per epoch."""
    recipe = settings(epochs=50, max_minutes=2.5, free_run_every=10, monitor=Monitor.val_nADE)
    surrogate, data, validation = make(recipe)
    done: list[int] = []
    monkeypatch.setattr(TimeBudget, "time_elapsed", lambda self, stage="train": 60.0 * (len(done) + 1))
    seen: list[dict[str, float]] = []

    def keep(values: dict[str, float], epoch: int) -> None:
        done.append(epoch)
        seen.append(values)

    fitted = fit(surrogate, data, validation, recipe, tmp_path, keep)
    assert fitted.epochs == 3
    assert ["val_nADE" in values for values in seen] == [False, False, True]
    assert fitted.least["val_nADE"] == seen[-1]["val_nADE"]


@pytest.mark.parametrize("how", ["limit", "asked"])
def test_a_long_epoch_is_cut_and_its_weights_are_validated(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A clock that moves by two seconds per step: 224 windows are 28 steps of 8.

    The time of 0.2 minutes, or a file that was there before, is over in the first epoch, which may go on for five
    seconds: with a limit 12 s, found after 6 steps, and three steps more; asked, found after the first, and three more.
    """
    recipe = settings(
        epochs=50,
        batch_size=8,
        max_minutes=0.2 if how == "limit" else None,
        free_run_every=10,
        monitor=Monitor.val_nADE,
    )
    surrogate, data, validation = make(recipe)
    assert len(data.training) == 224
    folder, steps = tmp_path / "checkpoints", list[int]()
    if how == "asked":
        (tmp_path / "stop").touch()
    monkeypatch.setattr(TimeBudget, "time_elapsed", lambda self, stage="train": 2.0 * len(steps))
    monkeypatch.setattr(time_budget, "time", SimpleNamespace(monotonic=lambda: 1e6 + 2.0 * len(steps)))
    caplog.set_level(logging.INFO)
    step = SurrogateTraining.training_step

    def counted(self: SurrogateTraining, batch: object, index: int) -> object:
        steps.append(index)
        return step(self, batch, index)  # type: ignore[arg-type]

    monkeypatch.setattr(SurrogateTraining, "training_step", counted)
    seen: list[dict[str, float]] = []
    fitted = fit(surrogate, data, validation, recipe, folder, lambda values, epoch: seen.append(values))
    assert len(steps) == (9 if how == "limit" else 4)
    assert fitted.epochs == 1
    assert [set(values) for values in seen] == [{"train_loss", "val_loss", "val_nADE"}]
    assert "epoch 1 is cut: its time is over" in caplog.text
