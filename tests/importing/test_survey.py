"""A look at all files before the plan is made, and what of an import is not done again."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import pytest
import yaml
from imported import case, run, write

from surrogate_modeling.config.import_keys import Duplicates, ImportConfig
from surrogate_modeling.importing.import_plan import ImportPlan
from surrogate_modeling.importing.records import FileRecord
from surrogate_modeling.importing.sources import SourceFile
from surrogate_modeling.importing.survey import reading, survey

PLAN = ImportPlan(("t",), "s", (), {}, (), None)


def test_texts_and_constants_of_all_files_in_their_order(tmp_path: Path) -> None:
    for name, mode in (("b", "heat"), ("a", "off"), ("c", "heat")):
        (tmp_path / f"{name}.csv").write_text(f"t,mode [-],y\n0,{mode},1\n1,cool,2\n")
    (tmp_path / "bad.csv").write_text("")
    files = [SourceFile(tmp_path / f"{name}.csv") for name in ("b", "bad", "a", "c")]
    seen = survey(files, ["mode"], ImportConfig(), {})
    assert seen.texts(["mode"]) == {"mode": ["heat", "cool", "off"]}
    assert seen.constants() == [{}, {}, {}]
    look = seen.of(files[0], files[0].state())
    assert look is not None
    assert (look.digest, look.texts) == (files[0].digest(), {"mode": ["heat", "cool"]})
    assert seen.of(files[1], files[1].state()) is None
    # What was seen of another state says nothing.
    assert seen.of(files[0], (1, 1)) is None


def test_what_was_seen_of_an_unchanged_file_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("t,mode\n0,on\n1,off\n")
    file = SourceFile(tmp_path / "a.csv")
    before = FileRecord(file.absolute, "a", file.digest(), (), texts={"mode": ["kept"]}, constants=[{"L": 1.0}])
    read, kept = {"mode": ["on", "off"]}, {"mode": ["kept"]}
    for record, expected in (
        (before, kept),
        (replace(before, digest="another"), read),
        (replace(before, constants=None), read),
        (replace(before, texts={"other": []}), read),
    ):
        seen = survey([file], ["mode"], ImportConfig(), {file.absolute: record})
        assert seen.texts(["mode"]) == expected


def test_the_way_of_reading_is_that_of_the_keys_and_of_the_time_found() -> None:
    same = reading(ImportConfig(), PLAN)
    assert reading(ImportConfig(time="t", workers=3, controls=["u"]), PLAN) == same
    others = [ImportConfig(no_number=["OL"]), ImportConfig(parts=["a"]), ImportConfig(separator=";")]
    assert (
        len({same, reading(ImportConfig(), replace(PLAN, time=("x",))), *(reading(keys, PLAN) for keys in others)}) == 5
    )


def test_a_second_import_reads_only_what_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from surrogate_modeling.importing import file_import

    for name in ("a", "b", "c"):
        write(tmp_path, f"{name}.csv", "t,y\n0,1\n1,2\n")
    out = run(tmp_path)
    read: list[str] = []
    once = file_import.FileImport.run
    monkeypatch.setattr(
        file_import.FileImport, "run", lambda self, file, *rest: read.append(file.stem) or once(self, file, *rest)
    )
    write(tmp_path, "b.csv", "t,y\n0,5\n1,6\n")
    (tmp_path / "in" / "c.csv").unlink()
    run(tmp_path)
    assert read == ["b"]
    assert case(out / "b.csv")[1].tolist() == [[0, 5], [1, 6]]
    assert case(out / "a.csv")[1].tolist() == [[0, 1], [1, 2]]
    assert sorted(path.name for path in out.iterdir()) == ["a.csv", "b.csv", "cases.csv", "import.yaml"]
    # Other keys make other cases.
    run(tmp_path, duplicates=Duplicates.first)
    assert sorted(read) == ["a", "b", "b"]


def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are read from here on, but for the rows at the top that the guesses are made from."""
    from surrogate_modeling.importing import file_import

    names: list[str] = []
    blocks = file_import.blocks

    def noted(path: Path, file: Any, options: Any) -> Any:
        """Read the file, and note its name."""
        if options.rows is None:
            names.append(file.stem)
        return blocks(path, file, options)

    for module in ("file_import", "survey"):
        monkeypatch.setattr(f"surrogate_modeling.importing.{module}.blocks", noted)
    return names


def test_files_with_text_that_have_not_changed_are_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, mode in (("a", "heat"), ("b", "cool"), ("c", "off")):
        write(tmp_path, f"{name}.csv", f"t,mode\n0,{mode}\n1,{mode}\n")
    out = run(tmp_path)
    names = opened(monkeypatch)
    run(tmp_path)
    assert names == []
    assert list(case(out / "c.csv")[0]) == ["t", "mode=heat", "mode=cool", "mode=off"]
    # The texts of all files are still those of all, so that its columns are too.
    write(tmp_path, "b.csv", "t,mode\n0,cool\n1,off\n")
    run(tmp_path)
    assert names == ["b", "b"]
    assert case(out / "b.csv")[1].tolist() == [[0, 0, 1, 0], [1, 0, 0, 1]]
    names.clear()
    # The last file of a mode: there are two left, which need no column each.
    write(tmp_path, "c.csv", "t,mode\n0,cool\n1,cool\n")
    write(tmp_path, "b.csv", "t,mode\n0,cool\n1,cool\n")
    run(tmp_path)
    assert sorted(names) == ["a", "b", "b", "c", "c"]
    assert list(case(out / "a.csv")[0]) == ["t", "mode"]
    names.clear()
    # Read in another way, the texts may be others.
    run(tmp_path, no_number=["off"])
    assert sorted(names) == ["a", "a", "b", "b", "c", "c"]


def test_constants_of_files_that_have_not_changed_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_file(name: str, length: float) -> None:
        """Write an HDF5 file with two constants."""
        with h5py.File(tmp_path / "in" / f"{name}.h5", "w") as file:
            file["t"], file["p"] = [0.0, 1.0], [1.0, 2.0]
            file["g"], file["L"] = 9.81, length

    (tmp_path / "in").mkdir()
    for name, length in (("a", 1.0), ("b", 2.0), ("c", 1.0)):
        write_file(name, length)
    out = run(tmp_path)
    record = yaml.safe_load((out / "import.yaml").read_text())
    # What all have is written once.
    assert record["constants"] == {"g": 9.81}
    assert [file["constants"] for file in record["files"]] == [[{"L": 1.0}], [{"L": 2.0}], [{"L": 1.0}]]
    names = opened(monkeypatch)
    run(tmp_path)
    assert names == []
    kept = {key: record["keys"][key] for key in ("time", "to_units", "ignore", "file_parameters")}
    run(tmp_path, **kept)
    assert names == []
    write_file("b", 3.0)
    run(tmp_path)
    assert names == ["b", "b"]
    assert case(out / "b.csv")[1].tolist() == [[0, 3, 1], [1, 3, 2]]
    names.clear()
    # Now no constant differs, and none is a column.
    write_file("b", 1.0)
    run(tmp_path)
    assert sorted(names) == ["a", "b", "b", "c"]
    assert list(case(out / "a.csv")[0]) == ["t", "p"]
