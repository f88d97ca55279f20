"""Reports of a trial to its study."""

from __future__ import annotations

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from optuna.pruners import ThresholdPruner
from optuna.storages import InMemoryStorage

from surrogate_modeling.experiment.assignment import Pruned
from surrogate_modeling.search import pruning
from surrogate_modeling.search.pruning import make_reporter
from surrogate_modeling.search.storage import Store, lock_folder


class Flaky(InMemoryStorage):
    """Memory that takes no values while it is away."""

    is_away = False

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        if self.is_away:
            raise StorageInternalError("server closed the connection")
        super().set_trial_intermediate_value(trial_id, step, intermediate_value)


def test_a_training_goes_on_while_the_study_is_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    storage = Flaky()
    study = optuna.create_study(storage=storage, pruner=ThresholdPruner(upper=2.0))
    study.ask()
    store = Store(storage, lock_folder(), None, "x.db")
    monkeypatch.setattr(pruning, "_open_study", lambda: (study, store))
    report = make_reporter(0, "val_loss")
    assert report is not None
    report({"val_loss": 1.0, "train_loss": 9.0}, 0)
    storage.is_away = True
    for epoch in (1, 2):
        report({"val_loss": 3.0}, epoch)
    assert [record.message for record in caplog.records if record.name == pruning.__name__] == [
        "hydra.sweeper.storage=x.db does not answer: StorageInternalError: server closed the connection; the training "
        "goes on, without pruning until it does"
    ]
    storage.is_away = False
    report({"val_loss": 1.5}, 3)
    assert study.trials[0].intermediate_values == {0: 1.0, 3: 1.5}
    with pytest.raises(Pruned, match="^val_loss 3 at epoch 4 is behind the earlier trials$"):
        report({"val_loss": 3.0}, 4)


def test_a_training_begins_without_a_study_that_is_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away() -> None:
        raise StorageInternalError("server closed the connection")

    monkeypatch.setattr(pruning, "_open_study", away)
    assert make_reporter(0, "val_loss") is None
    assert caplog.messages == ["this trial trains without pruning: server closed the connection"]
