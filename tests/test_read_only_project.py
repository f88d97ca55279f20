"""A project that cannot be written, another user's or in a container: a run folder and a store of one's own suffice."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import PROJECT_ROOT, write_cases

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A copy of the project, mounted read-only."""
    copy = tmp_path / "project"
    for name in ("src", "hydra"):
        shutil.copytree(PROJECT_ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for options in (["--bind", str(copy)], ["-o", "remount,ro,bind"]):
        try:
            done = subprocess.run(["mount", *options, str(copy)], capture_output=True, text=True, check=False)
        except FileNotFoundError:
            pytest.skip("no mount command")
        if done.returncode:
            pytest.skip(f"may not mount: {done.stderr.strip()}")
    yield copy
    subprocess.run(["umount", "--lazy", str(copy)], check=True)


def run(project: Path, tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Train there, without a home."""
    write_cases(tmp_path / "cases") if not (tmp_path / "cases").exists() else None
    known = {key: value for key, value in os.environ.items() if key not in ("XDG_CACHE_HOME", "MLFLOW_TRACKING_URI")}
    known |= {"HOME": "/proc/none", "TMPDIR": str(tmp_path), "PYTHONPATH": str(project / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "surrogate_modeling.train", "dataset=csv", f"dataset.path={tmp_path / 'cases'}"]
    command += ["dataset.controls=2", "model=don", "model.width=4", "settings.epochs=1", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env={**known, **environment})


def test_everything_works_with_places_of_ones_own(project: Path, tmp_path: Path) -> None:
    store = {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/own/mlflow.db"}
    done = run(project, tmp_path, f"hydra.run.dir={tmp_path}/own/run", **store)
    assert done.returncode == 0, done.stderr
    assert f"FINISHED; artifacts are in {tmp_path}/own/mlruns/" in done.stdout
    caches = tmp_path / f"surrogate_modeling-{os.getuid()}" / "cases"
    assert len(list(caches.glob("*.case"))) == 6


def test_without_them_what_to_give_is_said_at_once(project: Path, tmp_path: Path) -> None:
    nothing = run(project, tmp_path)
    assert nothing.returncode == 2
    assert nothing.stderr == (
        f"error: {project}/hydra_experiment: Read-only file system; give folders of your own: hydra.run.dir=<folder> "
        "(of a search hydra.sweep.dir=<folder>), and MLFLOW_TRACKING_URI=sqlite:///<file>\n"
    )
    no_store = run(project, tmp_path, f"hydra.run.dir={tmp_path}/own/run")
    assert no_store.returncode == 2
    assert no_store.stderr == (
        f"error: {project}: cannot be written, and the tracking store {project}/mlflow.db is there; "
        "set MLFLOW_TRACKING_URI=sqlite:///<file of your own>\n"
    )
