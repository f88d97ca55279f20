"""Cores of this process."""

import pytest

from surrogate_modeling.common.cores import CORES_VARIABLE, cores


def test_a_search_takes_cores_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CORES_VARIABLE, "1")
    assert cores() == 1
    monkeypatch.delenv(CORES_VARIABLE)
    assert cores() >= 1
