"""Whatever is typed after ``train.py`` begins a run or is refused with one message; nothing is left of a refusal."""

import contextlib
import io
import logging
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from unittest import mock

import pytest
from builders import write_plant
from hydra.core.global_hydra import GlobalHydra
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from surrogate_modeling import train
from surrogate_modeling.cases import folder as cases
from surrogate_modeling.config.dataset import DatasetConfig
from surrogate_modeling.config.models import DonConfig
from surrogate_modeling.config.quoting import quote
from surrogate_modeling.config.refusals import run_command
from surrogate_modeling.config.settings import SettingsConfig
from surrogate_modeling.experiment import run as experiment

EXAMPLES = 400 if os.environ.get("FUZZ_LONG") else 40
# Making a failure smaller takes minutes here.
SEARCHED = (Phase.explicit, Phase.reuse, Phase.generate)


class Begun(BaseException):
    """Everything was accepted; the next step would record a run."""


class Place:
    """Where commands are typed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plant = write_plant(folder / "plant", rows=30)
        self.good = ["dataset=csv", f"dataset.path={self.plant}", "dataset.controls=1", "model=don", "model.width=4"]

    def train(self, *arguments: str) -> tuple[int | None, str]:
        """Exit code, None where a run would begin, and what was said to stderr."""
        code, errors = None, io.StringIO()
        command = ["train.py", f"hydra.run.dir={self.folder}/run", "hydra/job_logging=disabled", *arguments]
        GlobalHydra.instance().clear()
        shutil.rmtree(self.folder / "run", ignore_errors=True)
        with (
            mock.patch.object(sys, "argv", command),
            contextlib.redirect_stderr(errors),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            try:
                code = run_command(train.main)
            except Begun:
                pass
            except SystemExit as end:
                code = int(end.code or 0)
        return code, errors.getvalue()

    def check(self, *arguments: str) -> None:
        """Success, or exit code 2 with one message and nothing left."""
        code, said = self.train(*arguments)
        assert code in (None, 0, 2), said
        assert "Traceback" not in said
        assert not (self.folder / "mlflow.db").exists()
        if code == 2:
            assert said.startswith(("error: ", "usage: "))
            assert said.count("error: ") >= 1
            assert len(said) < 3000 + 2 * sum(map(len, arguments))
            assert not (self.folder / "run").exists()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("typed")

    def begin(*_: object) -> None:
        raise Begun

    with (
        mock.patch.object(experiment, "open_run", begin),
        mock.patch.object(cases, "CACHE_FOLDER", folder / "cache"),
        mock.patch.dict(os.environ, {"MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}"}),
        contextlib.chdir(folder),
        logging_restored(),
    ):
        yield Place(folder)


@contextlib.contextmanager
def logging_restored() -> Iterator[None]:
    """Hydra's ``job_logging=disabled`` disables every logger there is, for the tests after these too."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        for known in root.manager.loggerDict.values():
            if isinstance(known, logging.Logger):
                known.disabled = False


KEYS = [
    *(f"settings.{item.name}" for item in fields(SettingsConfig)),
    *(f"dataset.{item.name}" for item in fields(DatasetConfig)),
    *(f"model.{item.name}" for item in fields(DonConfig)),
    *("model", "settings", "resume", "dataset.zzz", "zzz", "model.", ".", "settings", "hydra.job.name", "圧力"),
]
TEXT = st.text(
    st.one_of(st.sampled_from("abc.,/='\"[](){}$:\\ -+~*?#@!%&|<>圧力ü\n\t"), st.characters(exclude_categories=["Cs"])),
    max_size=12,
)
WORDS = """
null true False [] {} [1,2] {a:1} nan inf -inf -1 0 1 2 7 0.5 1e-300 1e999 111111111111111111111111111111 ${x}
${settings.seed} ${oc.env:NOWHERE} ${now:% ??? ' " ~ .. 圧力 choice(1,2) 1,2 range(1,3) ~nobody don csv val_nADE named
/dev/null
"""
VALUES = st.one_of(
    st.sampled_from(["", "a b", "'a b'", "x" * 300, "x/" * 3000, *WORDS.split()]),
    st.integers(-3, 5).map(str),
    TEXT,
)
ASSIGNED = st.builds(
    lambda sign, key, value: f"{sign}{key}={value}",
    st.sampled_from(["", "", "", "+", "++", "~"]),
    st.sampled_from(KEYS),
    VALUES,
)
TYPED = st.one_of(
    ASSIGNED,
    ASSIGNED,
    ASSIGNED,
    TEXT.filter(lambda text: not text.startswith("-")),
    st.sampled_from(
        ["--hlep", "--cfg", "-c", "--version", "-x", "--cfg=jobs", "--package", "~model", "~settings.seed"]
    ),
)


@pytest.mark.parametrize("argument", ["settings.seed=1", "model=dot", "settings=stable", "dataset.targets=['圧力.a']"])
def test_what_is_right_begins_a_run(place: Place, argument: str) -> None:
    overrides = [*place.good, argument] if "model" not in argument else [*place.good[:3], argument]
    assert place.train(*overrides) == (None, "")


@given(st.lists(TYPED, min_size=1, max_size=3))
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), phases=SEARCHED)
@example(["resume=~nobody"])
@example(["dataset.targets=${x}"])
@example(["settings.workers=100000"])
@example(["model.width=" + "1" * 18])
@pytest.mark.slow
def test_whatever_is_typed_begins_a_run_or_is_refused(place: Place, typed: list[str]) -> None:
    if not any("=refrigerant" in argument for argument in typed):
        place.check(*place.good, *typed)


NAMES = st.text(
    st.one_of(st.sampled_from("a .-_'\",=[]{}()$\\圧力ü"), st.characters(exclude_categories=["Cs", "Cc"])),
    min_size=1,
    max_size=20,
)


@pytest.mark.slow
@given(NAMES.filter(lambda name: "/" not in name and name not in (".", "..") and len(name.encode()) < 200))
@settings(max_examples=EXAMPLES // 10, deadline=None, suppress_health_check=list(HealthCheck))
@example("a b")
@example("..a")
@example("圧力 1")
@example("${x}")
def test_folders_of_any_name_are_read(place: Place, name: str) -> None:
    folder = place.folder / name
    place.plant.replace(folder)
    try:
        for path in (folder, folder / ".." / name, Path(name) / "." / ".." / name):
            written = quote(str(path).replace("${", "\\${"))
            assert place.train(*place.good, f"dataset.path={written}") == (None, "")
    finally:
        folder.replace(place.plant)
