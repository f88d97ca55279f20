"""Encodings told from bytes."""

import pytest

from surrogate_modeling.importing.encoding import detect

JAPANESE = "時刻,温度,圧力\n0,1,2\n"


@pytest.mark.parametrize(
    ("text", "written", "found"),
    [
        ("a,b\n", "utf-8", "utf-8"),
        (JAPANESE, "utf-8", "utf-8"),
        (JAPANESE, "utf-8-sig", "utf-8-sig"),
        (JAPANESE, "utf-16", "utf-16"),
        ("a,b\n0,1\n", "utf-16-le", "utf-16-le"),
        ("a,b\n0,1\n", "utf-16-be", "utf-16-be"),
        (JAPANESE, "cp932", "cp932"),
        ("ﾄﾙｸ,オン\n", "cp932", "cp932"),
        ("時間,T1[℃],T2[℃]\n", "cp932", "cp932"),
        ("time,T1[℃]\n", "cp932", "cp932"),
        ("時間,T1,T2\n", "cp932", "cp932"),
        ("圧力（kPa）\n", "cp932", "cp932"),
        ("ｼﾞｶﾝ,ｵﾝﾄﾞ,ﾄﾙｸ\n", "cp932", "cp932"),
        ("時刻,ﾎﾟﾝﾌﾟ,ｱﾂﾘｮｸ\n", "cp932", "cp932"),
        (JAPANESE, "euc_jp", "euc_jp"),
        ("温度,圧力\n", "euc_jp", "euc_jp"),
        ("Zeit;T [°C];Länge;µ;Öl\n", "cp1252", "cp1252"),
        ("T [°C]\n", "latin-1", "cp1252"),
        ("Température;Débit;Énergie\n", "latin-1", "cp1252"),
        ("éléments élémentaires;“Öl”;W/(m²·K);ÇÃO\n", "cp1252", "cp1252"),
        ("ÄÖÜ;ÁÉÍ;±°;m²·K\n", "latin-1", "cp1252"),
        ("Время работы насоса;Температура воды;Давление на выходе\n" * 3, "cp1251", "cp1251"),
    ],
)
def test_detection(text: str, written: str, found: str) -> None:
    encoding, guessed = detect(text.encode(written), complete=True)
    assert encoding == found
    assert text.encode(written).decode(encoding) == text
    assert guessed == (not found.startswith("utf"))


def test_a_character_of_another_encoding_that_is_cut_tells_nothing() -> None:
    sample = (JAPANESE + "3,停止").encode("cp932")
    assert detect(sample[:-1], complete=False) == ("cp932", True)


def test_a_character_cut_at_the_end_of_the_sample_is_no_other_encoding() -> None:
    assert detect(JAPANESE.encode()[:4], complete=False) == ("utf-8", False)
