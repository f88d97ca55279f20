"""The group of each case, from a table of the user's or of an import."""

from pathlib import Path

import pytest

from surrogate_modeling.cases.groups import imported_groups, read_groups
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.tables import csv_text


def test_groups_by_the_names_of_the_columns_or_by_their_place(tmp_path: Path) -> None:
    path = tmp_path / "g.csv"
    path.write_text("group,rows,case\nhot,3,a\ncold,4,b\n")
    assert read_groups(str(path), ["b", "a"], "groups") == {"b": "cold", "a": "hot"}
    path.write_text("name,unit\na,1\n")
    assert read_groups(str(path), ["a"], "groups") == {"a": "1"}
    with pytest.raises(UserError, match=r"groups=.*g\.csv: no line for b, c"):
        read_groups(str(path), ["a", "b", "c"], "groups")


def test_names_that_a_spreadsheet_would_read_as_formulas(tmp_path: Path) -> None:
    names = ["-20degC", "+40degC", "-20"]
    (tmp_path / "cases.csv").write_text(csv_text([["case", "group"], *([name, f"={name}x"] for name in names)]))
    found = read_groups(str(tmp_path / "cases.csv"), names, "groups")
    assert found == {"-20degC": "=-20degCx", "+40degC": "=+40degCx", "-20": "=-20x"}


def test_groups_that_an_import_has_left(tmp_path: Path) -> None:
    table = tmp_path / "cases.csv"
    table.write_text("case,group\na,hot\nb,cold\nc,cold\n")
    # A case of this name, for all that is known.
    assert imported_groups(tmp_path, ["a", "b"]) is None
    (tmp_path / "import.yaml").write_text("")
    assert imported_groups(tmp_path, ["a", "b"]) == table
    # All in one group, and a case that is in none.
    assert imported_groups(tmp_path, ["b", "c"]) is None
    assert imported_groups(tmp_path, ["a", "b", "d"]) is None
    table.write_text("case,group\na,hot\nb,\n")
    assert imported_groups(tmp_path, ["a", "b"]) is None
