"""Files that are too large for the memory are refused unless they are cut."""

from pathlib import Path

import pytest

from surrogate_modeling.importing import memory
from surrogate_modeling.importing.memory import require_room, workers_for
from surrogate_modeling.importing.raw_table import BadFile
from surrogate_modeling.importing.segmentation import Cutting
from surrogate_modeling.importing.sources import SourceFile


def test_room_is_four_times_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_bytes(b"x" * 1000)
    file = SourceFile(tmp_path / "a.csv")
    monkeypatch.setattr(memory, "available_bytes", lambda: 9000)
    require_room(file, Cutting())
    assert workers_for([file], 8) == 2
    monkeypatch.setattr(memory, "available_bytes", lambda: 3999)
    with pytest.raises(BadFile, match=r"a.csv: .* as one case need .*; cases_by=<seconds>, gaps or a column cuts it"):
        require_room(file, Cutting())
    require_room(file, Cutting(length=10))
    assert workers_for([file], 8) == 1
    monkeypatch.setattr(memory, "available_bytes", lambda: None)
    require_room(file, Cutting())
    assert workers_for([file], 8) == 8
