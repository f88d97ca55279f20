"""Tables beside case files."""

from pathlib import Path

from surrogate_modeling.cases.companions import without_tables


def test_tables_are_left_out_where_their_writer_was(tmp_path: Path) -> None:
    names = ("case1.csv", "cases.csv", "families.csv", "failed.csv", "parameters.csv")
    files = [tmp_path / name for name in names]
    assert without_tables(tmp_path, files) == files
    (tmp_path / "plan.json").touch()
    assert [path.name for path in without_tables(tmp_path, files)] == ["case1.csv", "cases.csv"]
    (tmp_path / "import.yaml").touch()
    assert [path.name for path in without_tables(tmp_path, files)] == ["case1.csv"]
