"""A look at all files before the plan is made."""

from dataclasses import replace
from pathlib import Path

from surrogate_modeling.config.import_keys import ImportConfig
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
