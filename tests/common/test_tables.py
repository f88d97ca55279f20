"""Aligned text and CSV."""

from surrogate_modeling.common.tables import aligned, csv_text, printable, without_mark


def test_columns_are_aligned_by_their_width_on_a_terminal() -> None:
    rows = [["name", "unit", "ADE"], ["圧力", "bar", "1.5"], ["T", "degC", "10.25"]]
    assert aligned(rows) == "name  unit  ADE\n圧力  bar   1.5\nT     degC  10.25"
    assert aligned(rows, left=1) == "name  unit    ADE\n圧力   bar    1.5\nT     degC  10.25"


def test_a_name_cannot_steer_the_terminal() -> None:
    assert printable("a\x1b[31mb\n\u202ec") == "a\\x1b[31mb\\n\\u202ec"
    assert aligned([["T\x07", "1"], ["p", "2"]]) == "T\\x07  1\np      2"


def test_csv_quotes_what_it_must_and_keeps_numbers() -> None:
    assert csv_text([["a,b", 'say "x"'], [-1.5, "-1.5"], ["-", ""]]) == '"a,b","say ""x"""\n-1.5,-1.5\n-,\n'


def test_a_text_is_no_formula_in_a_spreadsheet() -> None:
    assert csv_text([["=1+1", "+a", "-b", "@c", "d=", "-inf", "1e-3"]]) == "'=1+1,'+a,'-b,'@c,d=,-inf,1e-3\n"


def test_the_mark_of_a_formula_is_taken_off_again() -> None:
    assert [without_mark(cell) for cell in ("'=1+1", "'-20degC", "-20", "'quoted'", "'", "")] == [
        "=1+1", "-20degC", "-20", "'quoted'", "'", "",
    ]  # fmt: skip
