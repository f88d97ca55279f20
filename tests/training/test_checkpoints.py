"""Training stopped anywhere goes on to the same weights; files are whole or absent."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from lag import make, settings

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.settings import LrSchedule, Monitor, SettingsConfig
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.checkpoints import FitResult, latest_checkpoint, read_fit_result
from surrogate_modeling.training.fit import fit

RECIPE = settings(
    epochs=8, noise=0.1, horizon=6, windows_per_epoch=90, first_share=0.5, ema=0.9, lr_schedule=LrSchedule.cosine,
    warmup=0.1, weight_decay=0.01, monitor=Monitor.val_nADE, free_run_every=3, horizon_growth=4,
)  # fmt: skip
PLAIN = settings(epochs=8)
RECIPES = {"long-trajectory recipe": RECIPE, "study's recipe": PLAIN}


class Stopped(Exception):
    """Stands for whatever ends a process."""


def train(folder: Path, recipe: SettingsConfig, stop_after: int | None = None) -> tuple[FitResult, Surrogate]:
    surrogate, data, validation = make(recipe, seed=3)

    def log_metrics(values: dict[str, float], step: int) -> None:
        if step == stop_after:
            raise Stopped

    return fit(surrogate, data, validation, recipe, folder, log_metrics), surrogate


@pytest.fixture(scope="module")
def fit_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[FitResult, Surrogate]]:
    """Gives the fit by a recipe that nothing stops, trained once."""

    @cache
    def fitted(name: str) -> tuple[FitResult, Surrogate]:
        return train(tmp_path_factory.mktemp("whole"), RECIPES[name])

    return fitted


@pytest.mark.filterwarnings("ignore:Checkpoint directory")
@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("stops", [[0], [2, 5], [7]])
def test_a_stopped_fit_goes_on_to_the_same_weights(
    tmp_path: Path, fit_of: Callable[[str], tuple[FitResult, Surrogate]], name: str, stops: list[int]
) -> None:
    recipe, (whole, uninterrupted) = RECIPES[name], fit_of(name)
    for stop in stops:
        with pytest.raises(Stopped):
            train(tmp_path / "stopped", recipe, stop_after=stop)
    resumed, surrogate = train(tmp_path / "stopped", recipe)
    assert resumed == whole
    for key, value in uninterrupted.state_dict().items():
        assert torch.equal(value, surrogate.state_dict()[key]), key


def test_a_fit_that_was_over_is_not_trained_further(tmp_path: Path) -> None:
    whole, first = train(tmp_path, PLAIN)
    again, second = train(tmp_path, PLAIN, stop_after=0)
    assert again == whole
    assert all(torch.equal(v, second.state_dict()[k]) for k, v in first.state_dict().items())


@pytest.mark.filterwarnings("ignore:Checkpoint directory")
@pytest.mark.parametrize("length", [0, 1000])
def test_a_damaged_checkpoint_is_skipped_for_the_one_before(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    fit_of: Callable[[str], tuple[FitResult, Surrogate]],
    length: int,
) -> None:
    with pytest.raises(Stopped):
        train(tmp_path, PLAIN, stop_after=5)
    newest = latest_checkpoint(tmp_path)
    assert newest is not None
    assert newest.name == "epoch=4.ckpt"
    newest.write_bytes(newest.read_bytes()[:length])
    before = latest_checkpoint(tmp_path)
    assert before is not None
    assert before.name == "epoch=3.ckpt"
    assert f"{newest} is damaged" in caplog.text
    whole, uninterrupted = fit_of("study's recipe")
    resumed, surrogate = train(tmp_path, PLAIN)
    assert resumed == whole
    assert all(torch.equal(v, surrogate.state_dict()[k]) for k, v in uninterrupted.state_dict().items())


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"least": 3}', '{"least": {"val_loss": "x"}, "epochs": 1, "seconds": 1}']
)
def test_a_damaged_end_of_a_fit_counts_as_no_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    (tmp_path / "fitted.json").write_text(content)
    assert read_fit_result(tmp_path) is None
    assert "fitted.json is damaged" in caplog.text


def test_damaged_best_weights_are_refused_with_the_way_out(tmp_path: Path) -> None:
    train(tmp_path, PLAIN)
    (tmp_path / "best.ckpt").write_bytes(b"")
    with pytest.raises(UserError, match=rf"best\.ckpt: the best weights cannot be read .* delete {tmp_path} to train"):
        train(tmp_path, PLAIN)


def test_only_the_last_epochs_are_kept(tmp_path: Path) -> None:
    train(tmp_path, PLAIN)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "best.ckpt",
        "epoch=6.ckpt",
        "epoch=7.ckpt",
        "fitted.json",
    ]
