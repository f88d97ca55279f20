"""Metrics of a run by step, from its journal."""

from pathlib import Path

from surrogate_modeling.tracking.history import metric_history
from surrogate_modeling.tracking.journal import append
from surrogate_modeling.tracking.names import SafeNames


def test_steps_come_in_their_order_under_the_names_that_were_given(tmp_path: Path) -> None:
    recorded = SafeNames(tmp_path).of(["val_loss", "p[1]/ADE_mean"])
    append(tmp_path, {"op": "start", "time": 0, "experiment": "e", "name": "n", "tags": {"run_key": "k"}})
    for step, value in enumerate((3.0, 2.0)):
        values = {recorded["val_loss"]: value}
        append(tmp_path, {"op": "metrics", "time": 1, "values": values, "step": step})
    append(tmp_path, {"op": "metrics", "time": 2, "values": {recorded["p[1]/ADE_mean"]: 0.5}, "step": 0})
    assert metric_history(tmp_path) == {"val_loss": [(0, 3.0), (1, 2.0)], "p[1]/ADE_mean": [(0, 0.5)]}


def test_without_a_journal_there_is_no_history(tmp_path: Path) -> None:
    assert metric_history(tmp_path) == {}
