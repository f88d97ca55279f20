"""Hydra's own Optuna plugin beside our sweeper: the forms its users know run with both."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest
from searching import App, states

pytest.importorskip("hydra_plugins.hydra_optuna_sweeper", reason="the dependency group sweeper is not installed")

PLUGIN = ["hydra/sweeper=optuna", "hydra.sweeper.n_jobs=1"]
SPACE = ["x=interval(-2.0, 2.0)", "n=choice(1, 2, 3)"]


@pytest.fixture
def app(tmp_path: Path) -> App:
    app = App(tmp_path)
    (tmp_path / "db").mkdir()
    return app


@pytest.mark.slow
@pytest.mark.parametrize("sweeper", [PLUGIN, []], ids=["plugin", "ours"])
def test_documented_forms_run(app: App, sweeper: list[str]) -> None:
    (app.folder / "conf" / "space").mkdir()
    params = "# @package _global_\nhydra: {sweeper: {params: {x: 'interval(-2.0, 2.0)'}}}\n"
    (app.folder / "conf" / "space" / "wide.yaml").write_text(params)
    known = [
        "n=choice(1, 2, 3)", "+space=wide", "hydra/sweeper/sampler=random",
        "hydra.sweeper.sampler.seed=123", "hydra.sweeper.n_trials=3", "hydra.sweeper.direction=maximize",
    ]  # fmt: skip
    for name in ("first", "second"):
        code, output = app.run(*known, *sweeper, f"hydra.sweeper.study_name={name}")
        assert code == 0, output
    first, second = app.trials("first"), app.trials("second")
    assert states(first) == {"COMPLETE": 3}
    assert all(set(trial.params) == {"n", "x"} for trial in first)
    assert [trial.params for trial in first] == [trial.params for trial in second], "one seed, one sequence"
    study = optuna.load_study(study_name="first", storage=f"sqlite:///{app.folder}/db/studies.db")
    assert study.direction.name == "MAXIMIZE"


@pytest.mark.slow
def test_several_directions_run_with_the_plugin(app: App) -> None:
    app.environment["RETURNS"] = "two"
    code, output = app.run(*SPACE, *PLUGIN, "hydra.sweeper.direction=[minimize,maximize]", "hydra.sweeper.n_trials=2")
    assert code == 0, output
    assert [len(trial.values) for trial in app.trials()] == [2, 2]
    assert "Number of Pareto solutions" in output


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["tpe", "grid", "cmaes", "nsgaii"])
def test_every_sampler_of_the_plugin_runs(app: App, sampler: str) -> None:
    space = ["n=choice(1,2,3)"] if sampler == "grid" else SPACE
    code, output = app.run(*space, *PLUGIN, f"hydra/sweeper/sampler={sampler}", "hydra.sweeper.n_trials=2")
    assert code == 0, output
    assert states(app.trials()) == {"COMPLETE": 2}
    assert "Traceback" not in output


def test_the_plugin_takes_no_keys_of_ours_and_ours_names_those_of_the_plugin(app: App) -> None:
    code, output = app.run(*SPACE, *PLUGIN, "hydra.sweeper.objective=nADE")
    assert code == 2
    assert "Traceback" not in output
    code, output = app.run(*SPACE, "+hydra.sweeper.search_space={x: {type: float, low: 0, high: 1}}")
    assert code == 2
    assert "give the ranges as hydra.sweeper.params" in output
