"""Constants of cases, from a table and from the files."""

from pathlib import Path

import pandas as pd
import pytest

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.importing.parameters import Parameters, chosen, read_parameters
from surrogate_modeling.importing.raw_table import BadFile, RawTable

TABLES = [{"d": 1.0, "L": 2.0, "g": 9.81}, {"d": 1.0, "L": 3.0, "g": 9.81}, {"d": 1.0, "L": 2.0}]


def test_those_that_differ_become_columns_unless_others_are_named() -> None:
    assert chosen("varying", TABLES[:2]) == ["L"]
    assert chosen("varying", TABLES) == ["L", "g"]
    assert chosen("all", TABLES[:2]) == ["d", "L", "g"]
    assert chosen("none", TABLES) == []
    assert chosen(["g", "d"], TABLES) == ["g", "d"]
    with pytest.raises(UserError, match="file_parameters: 'x' is in no file; there are d, L, g"):
        chosen(["x"], TABLES)
    with pytest.raises(UserError, match="there are a, b, c, d, e, f, g, h, i, j and 2 more$"):
        chosen(["x"], [dict.fromkeys("abcdefghijkl", 1.0)])


def test_a_table_of_cases_with_units_in_a_line_or_in_brackets(tmp_path: Path) -> None:
    for text in ("case,d [mm],L\n1,5,0.5\n2,6,0.25\n", "case;d;L\n;mm;\n1;5;0,5\n2;6;0,25\n"):
        (tmp_path / "p.csv").write_text(text)
        units, values = read_parameters(str(tmp_path / "p.csv"))
        assert units == {"d": "mm", "L": ""}
        assert values == {"1": {"d": 5.0, "L": 0.5}, "2": {"d": 6.0, "L": 0.25}}


@pytest.mark.parametrize(
    ("text", "cases"),
    [
        ("case,d\n20240501,5\n20240502,6\n", ["20240501", "20240502"]),
        ("case;d\n001;5\n\n01;6,5\n1;7\n", ["001", "01", "1"]),
        ("case,d\n'-20degC,5\n'+40degC,6\n", ["-20degC", "+40degC"]),
        ("case d\n12345678901234567890 5\n2 6\n", ["12345678901234567890", "2"]),
    ],
)
def test_names_of_cases_are_text_as_it_stands_there(tmp_path: Path, text: str, cases: list[str]) -> None:
    (tmp_path / "p.csv").write_text(text)
    assert list(read_parameters(str(tmp_path / "p.csv"))[1]) == cases


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name_of,d\na,1\nb,2\n", "the first column must be 'case', it is 'name_of'"),
        ("case,d\na,1\na,2\n", "two lines for the case 'a'"),
        ("case,d,e\na,,1\nb,2,1\n", "no number for 'd' of the case 'a'"),
    ],
)
def test_a_table_that_does_not_say_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        read_parameters(str(tmp_path / "p.csv"))


def test_constants_of_a_file_come_in_the_first_files_unit() -> None:
    found = Parameters({"T": "degC", "d": "mm"}, {"a": {"d": 5.0}}, "p.csv", ("T",))
    table = RawTable("a.mat", pd.DataFrame(), parameters={"T": 300.0}, parameter_units={"T": "K"})
    assert found.of(("a_001", "a"), table) == pytest.approx({"T": 26.85, "d": 5.0})
    with pytest.raises(BadFile, match=r"a.mat: parameters=p.csv: no line for the case 'b'"):
        found.of(("b",), table)
    with pytest.raises(BadFile, match=r"a.mat: the parameter 'T' of other files is missing"):
        found.of(("a",), RawTable("a.mat", pd.DataFrame()))


@pytest.mark.parametrize(
    ("text", "reason"), [("", "the file is empty"), ("case,d\nrun1,wide\n", "no rows of numbers"), ("case,d\nrun1,\nrun2,2\n", "line 2")]
)  # fmt: skip
def test_what_is_no_table_of_cases_is_told_what_one_is(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(UserError, match=rf"p.csv: names, 'case' first, .* are expected \(.*{reason}") as refused:
        read_parameters(str(tmp_path / "p.csv"))
    assert "header_row" not in str(refused.value)
    with pytest.raises(UserError, match=r"q\.csv: no such file"):
        read_parameters(str(tmp_path / "q.csv"))
