# ruff: noqa: ARG002
"""A tracking store in memory that refuses what it is told to refuse."""

from types import SimpleNamespace
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST


class FakeStore:
    """As much of MLflow's client as a sender uses.

    Args:
        refused: keys, file names and model names that it does not take.
    """

    def __init__(self, *refused: str) -> None:
        self.refused, self.calls = set(refused), 0
        self.runs: dict[str, dict[str, Any]] = {}

    def check(self, *names: str) -> None:
        self.calls += 1
        if wrong := self.refused.intersection(names):
            raise MlflowException(f"Invalid value {sorted(wrong)}", INVALID_PARAMETER_VALUE)

    def run(self, run_id: str) -> dict[str, Any]:
        if run_id not in self.runs:
            raise MlflowException(f"Run '{run_id}' not found", RESOURCE_DOES_NOT_EXIST)
        return self.runs[run_id]

    def get_experiment_by_name(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(experiment_id="1", lifecycle_stage="active")

    def search_runs(self, experiments: list[str], filter_string: str, max_results: int) -> list[SimpleNamespace]:
        key = filter_string.partition(" = ")[2].strip("'")
        found = [run_id for run_id, run in self.runs.items() if run["tags"]["run_key"] == key]
        return [SimpleNamespace(info=SimpleNamespace(run_id=run_id)) for run_id in found]

    def create_run(self, experiment: str, start_time: int, tags: dict[str, str], run_name: str) -> SimpleNamespace:
        run_id = f"{len(self.runs):032x}"
        self.runs[run_id] = {
            "name": run_name, "tags": dict(tags), "params": {}, "metrics": {}, "files": [], "status": "RUNNING",
        }  # fmt: skip
        return SimpleNamespace(info=SimpleNamespace(run_id=run_id))

    def log_batch(self, run_id: str, metrics: Any = (), params: Any = (), tags: Any = ()) -> None:
        self.check(*(item.key for item in (*metrics, *params, *tags)))
        run = self.run(run_id)
        for metric in metrics:
            run["metrics"].setdefault(metric.key, {})[metric.step] = metric.value
        run["params"] |= {param.key: param.value for param in params}
        run["tags"] |= {tag.key: tag.value for tag in tags}

    def log_artifact(self, run_id: str, path: str, place: str | None = None) -> None:
        name = path.rpartition("/")[2]
        self.check(name)
        self.run(run_id)["files"].append(f"{place}/{name}" if place else name)

    def log_artifacts(self, run_id: str, path: str, place: str) -> None:
        from pathlib import Path

        files = sorted(file for file in Path(path).rglob("*") if file.is_file())
        self.check(*(file.name for file in files))
        self.run(run_id)["files"] += [f"{place}/{file.relative_to(path).as_posix()}" for file in files]

    def update_run(self, run_id: str, status: str) -> None:
        self.run(run_id)["status"] = status

    def set_terminated(self, run_id: str, status: str, end_time: int) -> None:
        self.run(run_id)["status"] = status

    def create_registered_model(self, name: str) -> None:
        self.check(name)

    def search_model_versions(self, filter_string: str) -> list[SimpleNamespace]:
        return []

    def create_model_version(self, name: str, source: str, run_id: str, await_creation_for: int) -> None:
        self.run(run_id).setdefault("models", []).append(name)

    def get_run(self, run_id: str) -> SimpleNamespace:
        self.run(run_id)
        return SimpleNamespace(info=SimpleNamespace(artifact_uri=f"file:///store/{run_id}/artifacts"))
