"""Space, samplers, liveness and GPUs, without a process of their own."""

from __future__ import annotations

import math
import os
import platform
import threading
from pathlib import Path
from typing import Any

import optuna
import pytest
from filelock import FileLock
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import StorageInternalError
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import CONFIG_DIR
from surrogate_modeling.config.quoting import quote
from surrogate_modeling.search import gpus
from surrogate_modeling.search.sampler_schemas import SCHEMAS
from surrogate_modeling.search.samplers import make_sampler
from surrogate_modeling.search.settings import read_settings
from surrogate_modeling.search.space import parse_space, to_overrides
from surrogate_modeling.search.storage import file_of
from surrogate_modeling.search.workers import HEARTBEAT, WORKER, Liveness, Worker


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

    (override,) = OverridesParser.create().parse_overrides([f"key={quote(text)}"])
    assert override.value() == text


@pytest.mark.parametrize(
    ("typed", "values"),
    [
        ("choice('データ/a','データ/b')", ["データ/a", "データ/b"]),
        (r"""choice("it's","a,b","p(1)","a=b",'1','true')""", ["it's", "a,b", "p(1)", "a=b", "1", "true"]),
        ("choice(null,1.0)", [None, 1.0]),
        ("null,1.0", [None, 1.0]),
        ("choice([1,2],{a: x})", [[1, 2], {"a": "x"}]),
        ("choice(true,3,1e-5,dot)", [True, 3, 1e-5, "dot"]),
    ],
)
def test_choices_reach_the_trial_as_they_were_typed(typed: str, values: list[object]) -> None:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.plugins import Plugins

    # Ours lets choices be null.
    Plugins.instance()
    space = parse_space([f"key={typed}"], {})
    overrides = [to_overrides(space, point)[0] for point in space.points()]
    assert [override.value() for override in OverridesParser.create().parse_overrides(overrides)] == values


def test_a_shuffled_choice_has_one_order_in_every_process() -> None:
    (shuffled,) = parse_space(["a=shuffle(choice(a,b,c,d,e))"], {}).searched.values()
    # Python's generator, seeded with the text of the override.
    assert shuffled == CategoricalDistribution(["a", "b", "e", "d", "c"])
    (steps,) = parse_space(["a=shuffle(range(1,3))"], {}).searched.values()
    assert isinstance(steps, CategoricalDistribution)
    assert set(steps.choices) == {1, 2, 3}, "both ends, as without shuffle"


def test_a_range_is_logarithmic_where_it_is_tagged_so() -> None:
    assert parse_space(["a=tag(log,range(1,64))"], {}).searched["a"] == IntDistribution(1, 64, log=True)
    for typed in ("tag(log,range(1,64,2))", "tag(log,range(0.5,8,0.5))", "tag(log,choice(1,2))", "tag(lg,range(1,2))"):
        with pytest.raises(UserError, match=r"a=tag"):
            parse_space([f"a={typed}"], {})


@pytest.mark.parametrize("name", SCHEMAS)
def test_no_point_twice_in_a_small_space(name: str) -> None:
    space = parse_space(["a=choice(x,y)", "b=range(1,3)"], {})
    sampler = make_sampler(name, space, 1)
    study = optuna.create_study(sampler=sampler)
    points = set()
    while sampler.has_free(study.trials):
        trial = study.ask(space.searched)
        points.add(space.key(trial.params))
        study.tell(trial, float(trial.params["b"]))
    assert len(points) == len(study.trials) == 6


@pytest.mark.parametrize("name", SCHEMAS)
def test_an_argument_a_sampler_has_not_is_refused(name: str) -> None:
    target = SCHEMAS[name]._target_
    given = OmegaConf.create({"_target_": target, "startup": 3})
    kind = target.rsplit(".", 1)[-1]
    with pytest.raises(UserError, match=rf"hydra.sweeper.sampler.startup=3: no argument of Optuna's {kind}"):
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
    storage = InMemoryStorage()
    study = optuna.create_study(storage=storage)
    study.ask()
    assert not Liveness().is_alive(study.trials[0]), "left between its start and its mark"
    worker = Worker(tmp_path, storage)
    worker.take(storage.get_trial_id_from_study_id_trial_number(storage.get_study_id_from_name(study.study_name), 0))
    assert Liveness().is_alive(study.trials[0])
    worker.close()
    assert not Liveness().is_alive(study.trials[0])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), StorageInternalError("away")])
def test_a_beat_that_is_not_written_is_not_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Other machines take a trial without a beat for dead."""
    monkeypatch.setattr("surrogate_modeling.search.workers.SECONDS_BETWEEN_BEATS", 0.0)
    beats: list[int] = []
    enough = threading.Event()

    class Flaky(InMemoryStorage):
        def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:  # noqa: ARG002 Optuna's
            if key == HEARTBEAT:
                beats.append(value)
                if len(beats) == 3:
                    enough.set()
                raise error

    worker = Worker(tmp_path, Flaky())
    worker.take(0)
    assert enough.wait(20), "the heart stood still"
    worker.close()


def test_another_machine_is_judged_by_its_beat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = optuna.create_study()
    trial = study.ask()
    trial.set_user_attr(WORKER, {"host": "elsewhere", "lock": str(tmp_path / "none")})
    now = 1000.0
    monkeypatch.setattr("surrogate_modeling.search.workers.time.monotonic", lambda: now)
    liveness = Liveness()
    assert liveness.is_alive(study.trials[0])
    now += 80
    trial.set_user_attr("heartbeat", 1)
    assert liveness.is_alive(study.trials[0])
    now += 80
    assert liveness.is_alive(study.trials[0]), "the beat moved"
    now += 80
    assert not liveness.is_alive(study.trials[0])
    liveness.forget()
    assert liveness.is_alive(study.trials[0]), "the storage was away, so that no beat could reach it"


def test_each_process_takes_a_gpu_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setattr(gpus, "_GPU", [])
    # Windows has none.
    monkeypatch.delattr(os, "uname")
    with FileLock(tmp_path / f"gpu-{platform.node()}-0.lock"):
        assert gpus.take_gpu(tmp_path) == "1"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"
    assert gpus.take_gpu(tmp_path) is None, "kept for the next trial of this process"
    gpus._GPU[0].release()


def test_a_relative_file_lies_in_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert file_of("sqlite:///hydra_experiment/.sqlite/x.db").parts[-3:] == ("hydra_experiment", ".sqlite", "x.db")
    assert tmp_path not in file_of("sqlite:///x.db").parents
    assert file_of("journal:////abs/x.log") == Path("/abs/x.log")


def test_pruned_counts_and_several_objectives_do_not_prune() -> None:
    given = OmegaConf.load(CONFIG_DIR / "hydra" / "sweeper" / "search.yaml")
    del given["defaults"]
    given.merge_with({"sampler": "tpe", "pruner": {"_target_": "optuna.pruners.MedianPruner"}})
    config = OmegaConf.create({"hydra": {"sweeper": given, "launcher": {"_target_": "basic"}}})
    given = config.hydra.sweeper
    assert read_settings(config).prunes
    for objective, direction in ((["nADE", "parameters"], ["minimize"] * 2), ("parameters", "minimize")):
        given.objective, given.direction = objective, direction
        assert not read_settings(config).prunes
    assert TrialState.PRUNED.is_finished()


@pytest.mark.parametrize("text", ["interval(0.1,inf)", "interval(-inf,1.0)", "range(0.0,inf,0.5)"])
def test_a_range_without_an_end_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="must have finite ends"):
        parse_space([f"model.x={text}"], {})


def test_no_processes_of_joblib_are_refused() -> None:
    given = OmegaConf.load(CONFIG_DIR / "hydra" / "sweeper" / "search.yaml")
    del given["defaults"]
    given.merge_with({"sampler": "tpe", "pruner": None})
    launcher = {"_target_": "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher", "n_jobs": 0}
    config = OmegaConf.create({"hydra": {"sweeper": given, "launcher": launcher}})
    with pytest.raises(UserError, match="hydra.launcher.n_jobs=0: must be a number of processes"):
        read_settings(config)
    config.hydra.launcher.n_jobs = 3
    assert read_settings(config).n_jobs == 3
