"""Hooks and fixtures of all tests."""

import atexit
import gc
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from browser import browser
from hypothesis import HealthCheck, settings

__all__ = ["browser"]
# Small tensors gain nothing from threads, and busy machines lose minutes to them; commands under test inherit it.
os.environ["OMP_NUM_THREADS"] = "1"
# No test may fail by the time it takes: machines are noisy.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
# What is imported while tests are collected stays: looking for garbage among it takes seconds and finds none.
gc.disable()
# All processes of a session share it; the first one removes it.
if "EMPTY_STORE" not in os.environ:
    os.environ["EMPTY_STORE"] = tempfile.mkdtemp(prefix="empty-store-")
    atexit.register(shutil.rmtree, os.environ["EMPTY_STORE"], ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that start whole commands come first, so that no worker is left alone with one at the end."""
    # Here, so that the process that only hands out the tests does without it.
    import torch

    torch.set_num_threads(1)
    items.sort(key=lambda item: not hasattr(getattr(item, "module", None), "run_command"))
    # Libraries and tests stay to the end: garbage need not be looked for among them, and less often than usual.
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    gc.enable()


@pytest.fixture(scope="session")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of all case caches, apart from those of the tests: pytest looks through these for each new one."""
    return tmp_path_factory.mktemp("caches")


@pytest.fixture(autouse=True)
def cache_folder(caches: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The case cache of this test alone; nothing is left in the project."""
    folder = Path(tempfile.mkdtemp(dir=caches))
    monkeypatch.setattr("surrogate_modeling.cases.folder.CACHE_FOLDER", folder)
    return folder


def pytest_unconfigure() -> None:
    """Some libraries report what they find frozen at the end as leaked."""
    gc.unfreeze()
