"""Preparing the circuit compiles what a simulation then uses, while another process makes the tables."""

from pathlib import Path

import numpy as np
import pytest

from surrogate_modeling.refrigerant import preparation
from surrogate_modeling.refrigerant.integrator import simulate
from surrogate_modeling.refrigerant.observation import predicted_rows, soaked_start
from surrogate_modeling.refrigerant.preparation import prepare
from surrogate_modeling.refrigerant.properties import Tables


def test_what_is_compiled_beforehand_is_what_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """One form of each function: a call with other types would compile a second one."""
    monkeypatch.setattr(preparation, "is_sealed", lambda: False)
    assert prepare("R134a") == {"rows": 3}
    assert [len(function.signatures) for function in (simulate, soaked_start, predicted_rows)] == [1, 1, 1]


@pytest.mark.slow
def test_another_process_makes_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with preparation._tables_made_meanwhile("R134a"):
        pass
    (path,) = tmp_path.rglob("R134a-*.npz")
    with np.load(path) as stored:
        assert [stored[name].ndim for name in Tables._fields] == [part.ndim for part in Tables.empty()]
