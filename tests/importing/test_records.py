"""The record of an import, written and read again."""

from pathlib import Path

import pytest
import yaml

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.importing.records import CaseRecord, FileRecord, Record, read_record


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    files = (
        FileRecord("/a.mat", "a", "1", (CaseRecord("a", 3, 0.1),), constants=[{"g": 9.81, "L": 1e-5}]),
        FileRecord(
            "/b.mat", "b", "2", (CaseRecord("b", 2, 1.0, parameters={"L": 2.0}),), "hot", ("said",),
            {"mode": ["off", "on"]}, [{"g": 9.81, "L": 2.0}, {"g": 9.81}],
        ),
        FileRecord("/c.csv", "c", "3", ()),
        FileRecord("/d.csv", "d", "4", (), constants=[]),
    )  # fmt: skip
    record = Record({"format": "csv"}, "5", "6", {"u": {"unit": "V", "role": "control"}}, {}, files, "train")
    record.write(tmp_path)
    assert read_record(tmp_path / "import.yaml") == record
    written = yaml.safe_load((tmp_path / "import.yaml").read_text())
    # A constant that all tables have in common is written once.
    assert written["constants"] == {"g": 9.81}
    assert [file["constants"] for file in written["files"]] == [[{"L": 1e-5}], [{"L": 2.0}, {}], None, []]


def test_what_is_no_record_is_refused(tmp_path: Path) -> None:
    for text in ("format: import-2\nfiles: []\n", "a: 1\n", "- 1\n", "{"):
        (tmp_path / "import.yaml").write_text(text)
        with pytest.raises(UserError, match=r"import\.yaml: not the import.yaml of an import"):
            read_record(tmp_path / "import.yaml")
