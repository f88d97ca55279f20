"""Text in full width as plain letters, digits and signs."""

import pytest

from surrogate_modeling.common.full_width import narrow


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("", ""),
        ("kW", "kW"),
        ("１２３．５", "123.5"),
        ("－１Ｅ＋０３", "-1E+03"),
        ("−１", "-1"),
        ("（ｋＷ）　［％］", "(kW) [%]"),
        ("㎾/㎥", "kW/m3"),
        # Written so by tools all over the world.
        ("℃ m² µm Ω °C", "℃ m² µm Ω °C"),
        ("温度ｶﾞｲｷ", "温度ｶﾞｲｷ"),
    ],
)
def test_full_width_is_what_it_stands_for(text: str, plain: str) -> None:
    assert narrow(text) == plain
