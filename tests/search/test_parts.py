"""Space, samplers, liveness and GPUs, without a process of their own."""

from __future__ import annotations

import math
import os
from pathlib import Path

import optuna
import pytest
from filelock import FileLock
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import CONFIG_DIR
from surrogate_modeling.search import trial as trial_side
from surrogate_modeling.search.samplers import SAMPLERS, make_sampler
from surrogate_modeling.search.space import parse_space, quoted, to_overrides
from surrogate_modeling.search.storage import file_of
from surrogate_modeling.search.workers import WORKER, Watch, Worker


def test_sweeps_become_distributions() -> None:
    space = parse_space(
        ["a=choice(x,y)", "b=range(2,7)", "c=interval(0.0,1)", "d=tag(log,interval(1e-4,1e-2))", "e=range(0,1,0.25)",
         "f=3"],
        {"b": "choice(1,2)", "g": "int(interval(1, 8))", "f": "choice(1,2)"},
    )  # fmt: skip
    assert space.searched == {
        "g": IntDistribution(1, 8),
        "a": CategoricalDistribution(["x", "y"]),
        "b": IntDistribution(2, 7),
        "c": FloatDistribution(0.0, 1),
        "d": FloatDistribution(1e-4, 1e-2, log=True),
        "e": FloatDistribution(0, 1, step=0.25),
    }
    assert space.fixed == ("f=3",), "the command line wins over params"
    assert math.isinf(space.size)


def test_a_finite_space_lists_its_points_with_both_ends() -> None:
    space = parse_space(["a=choice(x,y)", "b=range(2,6,2)"], {})
    assert space.size == 6
    assert [tuple(point.values()) for point in space.points()][:4] == [("x", 2), ("x", 4), ("x", 6), ("y", 2)]
    assert to_overrides(space, {"a": None, "b": 4}) == ["a=null", "b=4"]


@pytest.mark.parametrize("text", ["it's", "a\\b", "C:\\x\\'", "圧力 $ {x}"])
def test_quoted_texts_survive_the_grammar(text: str) -> None:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    (override,) = OverridesParser.create().parse_overrides([f"key={quoted(text)}"])
    assert override.value() == text


@pytest.mark.parametrize("name", SAMPLERS)
def test_no_point_twice_in_a_small_space(name: str) -> None:
    space = parse_space(["a=choice(x,y)", "b=range(1,3)"], {})
    shipped = OmegaConf.load(CONFIG_DIR / "hydra" / "sweeper" / "sampler" / f"{name}.yaml")
    sampler = make_sampler(shipped, space, 1)
    study = optuna.create_study(sampler=sampler)
    points = set()
    while sampler.has_free(study.trials):
        trial = study.ask(space.searched)
        points.add(space.key(trial.params))
        study.tell(trial, float(trial.params["b"]))
    assert len(points) == len(study.trials) == 6


@pytest.mark.parametrize("name", SAMPLERS)
def test_an_argument_a_sampler_has_not_is_refused(name: str) -> None:
    given = OmegaConf.create({"_target_": f"optuna.samplers.{SAMPLERS[name]}", "startup": 3})
    with pytest.raises(UserError, match=rf"hydra.sweeper.sampler.startup=3: no argument of Optuna's {SAMPLERS[name]}"):
        make_sampler(given, parse_space(["a=choice(1,2)"], {}), 1)


def test_a_trial_draws_the_same_whoever_runs_it() -> None:
    space = parse_space(["a=interval(0.0,1.0)"], {})
    studies = []
    for restart in (False, True):
        study = optuna.create_study(sampler=make_sampler("tpe", space, 1))
        for number in range(15):
            if restart and number % 4 == 0:
                study.sampler = make_sampler("tpe", space, 1)
            trial = study.ask(space.searched)
            study.tell(trial, (trial.params["a"] - 0.3) ** 2)
        studies.append([trial.params["a"] for trial in study.trials])
    assert studies[0] == studies[1]
    assert len(set(studies[0])) == 15


def test_a_worker_is_alive_until_it_ends(tmp_path: Path) -> None:
    study = optuna.create_study(storage=InMemoryStorage())
    trial = study.ask()
    assert not Watch().is_alive(study.trials[0]), "left between its start and its mark"
    worker = Worker(tmp_path, study._storage)
    worker.take(trial._trial_id)
    assert Watch().is_alive(study.trials[0])
    worker.close()
    assert not Watch().is_alive(study.trials[0])
    assert not list(tmp_path.iterdir())


def test_another_machine_is_judged_by_its_beat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = optuna.create_study()
    trial = study.ask()
    trial.set_user_attr(WORKER, {"host": "elsewhere", "lock": str(tmp_path / "none")})
    now = 1000.0
    monkeypatch.setattr("surrogate_modeling.search.workers.time.monotonic", lambda: now)
    watch = Watch()
    assert watch.is_alive(study.trials[0])
    now += 80
    trial.set_user_attr("heartbeat", 1)
    assert watch.is_alive(study.trials[0])
    now += 80
    assert watch.is_alive(study.trials[0]), "the beat moved"
    now += 80
    assert not watch.is_alive(study.trials[0])


def test_each_process_takes_a_gpu_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setattr(trial_side, "_GPU", [])
    other = FileLock(tmp_path / f"gpu-{os.uname().nodename}-0.lock")
    with other:
        assert trial_side.take_gpu(tmp_path) == "1"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"
    assert trial_side.take_gpu(tmp_path) is None, "kept for the next trial of this process"
    trial_side._GPU[0].release()


def test_a_relative_file_lies_in_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert file_of("sqlite:///hydra_experiment/.sqlite/x.db").parts[-3:] == ("hydra_experiment", ".sqlite", "x.db")
    assert tmp_path not in file_of("sqlite:///x.db").parents
    assert file_of("journal:////abs/x.log") == Path("/abs/x.log")


def test_pruned_counts_and_several_objectives_do_not_prune() -> None:
    from omegaconf import OmegaConf

    from surrogate_modeling.search.settings import read_settings

    given = OmegaConf.load(CONFIG_DIR / "hydra" / "sweeper" / "search.yaml")
    given.merge_with({"sampler": "tpe", "pruner": {"_target_": "optuna.pruners.MedianPruner"}})
    config = OmegaConf.create({"hydra": {"sweeper": given, "launcher": {"_target_": "basic"}}})
    given = config.hydra.sweeper
    assert read_settings(config).prunes
    for objective, direction in ((["nADE", "parameters"], ["minimize"] * 2), ("parameters", "minimize")):
        given.objective, given.direction = objective, direction
        assert not read_settings(config).prunes
    assert TrialState.PRUNED.is_finished()
