"""Names and units in one text."""

import pytest

from surrogate_modeling.importing.header import bare_unit, is_unit_row, one_line, split_name, split_names


@pytest.mark.parametrize(
    ("header", "name", "unit"),
    [
        ("p [bar]", "p", "bar"),
        ("T (degC)", "T", "degC"),
        ("Q / kW", "Q", "kW"),
        ("v in m/s", "v", "m/s"),
        ("温度[℃]", "温度", "℃"),
        ("圧力（kPa）", "圧力", "kPa"),
        ("時間（ｈ）", "時間", "h"),
        ("時間［ｈ］", "時間", "h"),
        ("出力（ｋＷ）", "出力", "kW"),
        ("圧力（ｋＰａ）", "圧力", "kPa"),
        ("回転数（ｒｐｍ）", "回転数", "rpm"),
        ("Ｑ / ｋＷ", "Ｑ", "kW"),
        ("車両（Ａ車）", "車両（Ａ車）", None),
        ("alpha [J/(kg.K)]", "alpha", "J/(kg.K)"),
        ("x.y[3].T (K)", "x.y[3].T", "K"),
        ("level [furlong]", "level", "furlong"),
        ("empty []", "empty", ""),
        ("f(x)", "f(x)", None),
        ("T (out)", "T (out)", None),
        ("T (in)", "T (in)", None),
        ("d [in]", "d", "in"),
        ("d / in", "d", "in"),
        ("T[1]", "T[1]", None),
        ("A[2,3]", "A[2,3]", None),
        ("valve", "valve", None),
    ],
)
def test_units_in_brackets(header: str, name: str, unit: str | None) -> None:
    assert split_name(header) == (name, unit)


def test_min_beside_max_is_no_unit() -> None:
    headers = ["T (min)", "T (max)", "p(Min)", "p (mean) ", "w [avg]", "w [max]", "cycle (min)", "v (max)", "q (bar)"]
    assert list(split_names(headers).values()) == [
        ("T (min)", None), ("T (max)", None), ("p(Min)", None), ("p (mean)", None), ("w [avg]", None),
        ("w [max]", None), ("cycle", "min"), ("v (max)", None), ("q", "bar"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "line"),
    [("a  b ", "a  b "), ("冷媒\n温度[℃]", "冷媒 温度[℃]"), ("p \r\n [bar]\n", "p [bar]"), ("", "")],
)
def test_a_name_in_one_line(name: str, line: str) -> None:
    assert one_line(name) == line


def test_rows_of_units() -> None:
    assert is_unit_row(["s", "", "[qux]", "bar"])
    assert is_unit_row(["ｓ", "（ｋＷ）", "％"])
    assert not is_unit_row(["ｔｉｍｅ", "ｐｐ"])
    assert not is_unit_row(["time", "p"])
    assert not is_unit_row(["", ""])
    assert [bare_unit(cell) for cell in ("［ｓ］", "(bar)", "ｍ／ｓ", "[", "J/(kg.K)")] == [
        "s",
        "bar",
        "m/s",
        "[",
        "J/(kg.K)",
    ]
