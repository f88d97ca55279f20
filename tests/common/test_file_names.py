"""File names from names users gave."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from surrogate_modeling.common.file_names import file_names

NASTY = st.text(st.sampled_from('abAB.~ /\\:*?"<>|#%4\x00\n\x7fé\u0301ガカ\u3099ßſK圧'), max_size=6)


def digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:8]


@pytest.mark.parametrize(
    "name", ["T_out", "case 1.v2", "圧力", "a-b+c", "x" * 80, "p [bar]", "温度 (℃)", "valve %", "50% open"]
)
def test_safe_names_stay_as_they_are(name: str) -> None:
    assert file_names([name]) == {name: name}


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("T/out", "T_out"),
        ("..", ""),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("a.", "a"),
        (" a", "a"),
        ("", ""),
        ("a#b", "a_b"),
        ("a%2Fb", "a_2Fb"),
    ],
)
def test_unsafe_names_get_a_digest(name: str, stem: str) -> None:
    assert file_names([name]) == {name: f"{stem}~{digest(name)}"}


@pytest.mark.parametrize("name", ["con", "NUL", "com1", "aux.txt", "LPT9.a.b"])
def test_names_that_windows_reserves_are_not_used(name: str) -> None:
    """Windows looks at what stands before the first dot, whatever follows."""
    assert file_names([name])[name].split(".")[0].lower() not in {"con", "nul", "com1", "aux", "lpt9"}


def test_a_crafted_name_cannot_take_the_digest_of_another() -> None:
    crafted = [f"A~{digest('A')}", f"A~{digest('A')}-1"]
    assert len({safe.casefold() for safe in file_names([*crafted, "a", "A"]).values()}) == 4


def test_long_names_keep_room_for_prefix_and_suffix() -> None:
    names = [f"{'圧' * 200}{i}" for i in range(20)]
    assert len(set(file_names(names).values())) == 20
    assert max(len(safe.encode()) for safe in file_names(names).values()) <= 100


@given(st.lists(st.one_of(NASTY, st.text(max_size=120)), unique=True, max_size=12))
@example(["a", "A", "a ", "a.", "a/", "a\\"])
def test_never_collide_and_never_leave_the_folder(names: list[str]) -> None:
    given_names = file_names(names)
    assert list(given_names) == names
    assert len({safe.casefold() for safe in given_names.values()}) == len(names)
    for safe in given_names.values():
        assert safe
        assert len(safe.encode()) <= 200
        assert safe not in (".", "..")
        assert not set(safe) & set('/\\:*?"<>|#\x00\n')
        assert (Path("/run") / f"{safe}.csv").parent == Path("/run")
        safe.encode()
