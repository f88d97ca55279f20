"""The run of a search in the store, over commands that go on with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pytest
from builders import empty_store
from omegaconf import OmegaConf
from optuna.storages import InMemoryStorage

from surrogate_modeling.search.problem import Problem
from surrogate_modeling.search.record import SearchRecord
from surrogate_modeling.search.settings import SearchSettings
from surrogate_modeling.search.space import parse_space
from surrogate_modeling.search.storage import Store
from surrogate_modeling.search.study import SearchStudy


def test_a_range_may_change_and_the_store_has_the_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is refused, so that nothing stays on disk."""
    uri = empty_store(tmp_path / "store")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    settings = SearchSettings({}, 3, 1, ("val_loss",), ("minimize",), "s", None, 0.5, "random", None)
    config = OmegaConf.create({"settings": {"mlflow_exp_name": "searched"}})
    store = Store(InMemoryStorage(), tmp_path, None, "studies.db")
    no_loader: Any = None
    for high, token in ((3, "a"), (5, "b")):
        space = parse_space([f"n=range(1,{high})", "m=choice(x,y)"], {})
        study = SearchStudy(store, "s", space, settings, Problem({}, {}, {}, {}))
        record = SearchRecord(study, config, no_loader, tmp_path / "out", token)
        record._run.start()
        record._run._finish("FINISHED", {})
    client = mlflow.MlflowClient(uri)
    (run,) = client.search_runs([client.get_experiment_by_name("searched").experiment_id])
    assert run.data.tags["ranges"] == (
        "n: IntDistribution(high=5, log=False, low=1, step=1); m: CategoricalDistribution(choices=('x', 'y'))"
    )
    assert run.data.params == {
        "study": "s", "storage": "studies.db", "objective": "val_loss", "direction": "minimize"
    }  # fmt: skip
    assert not (tmp_path / "out").exists()
