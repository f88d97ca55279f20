"""Names as MLflow takes them."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_metric

from surrogate_modeling.tracking.names import RENAMED, SafeNames, storable

NASTY = st.text(st.sampled_from("ab[(/.:_ \\\n\x00é\u0301ガ圧%'\"\ud800"), max_size=8)


def digest(part: str) -> str:
    return hashlib.sha256(part.encode()).hexdigest()[:8]


@pytest.mark.parametrize("name", ["nADE", "圧力/ADE_mean", "comp.T", "a b-c/d.e", "x" * 246])
def test_names_that_the_store_takes_stay(tmp_path: Path, name: str) -> None:
    assert SafeNames(tmp_path).of([name]) == {name: name}
    assert not (tmp_path / RENAMED).exists()


@pytest.mark.parametrize(
    ("name", "recorded"),
    [
        ("T [°C]/ADE_mean", "T __C_/ADE_mean"),
        ("plant//y/ADE_mean", "plant/_/y/ADE_mean"),
        ("/engine/speed", "_/engine/speed"),
        ("nADE/", "nADE/_"),
        ("nADE/hot//humid", "nADE/hot/_/humid"),
        ("../x", "_/x"),
        ("a:b", "a_b"),
        ("", "_"),
    ],
)
def test_names_that_it_refuses_are_made_safe(tmp_path: Path, name: str, recorded: str) -> None:
    assert SafeNames(tmp_path).of([name]) == {name: recorded}
    assert json.loads((tmp_path / RENAMED).read_text()) == {name: recorded}


def test_two_targets_that_sanitise_alike_stay_apart_in_any_order(tmp_path: Path) -> None:
    names = ["p[1]/ADE_mean", "p(1)/ADE_mean", "p[2]/ADE_mean"]
    expected = {
        "p[1]/ADE_mean": f"p_1_-{digest('p[1]')}/ADE_mean",
        "p(1)/ADE_mean": f"p_1_-{digest('p(1)')}/ADE_mean",
        "p[2]/ADE_mean": "p_2_/ADE_mean",
    }
    for i, order in enumerate((names, names[::-1])):
        (tmp_path / str(i)).mkdir()
        assert SafeNames(tmp_path / str(i)).of(order) == expected


def test_names_of_other_calls_and_of_a_run_that_goes_on_stay_apart(tmp_path: Path) -> None:
    first = SafeNames(tmp_path)
    assert first.of(["p[1]", "q"]) == {"p[1]": "p_1_", "q": "q"}
    assert first.of(["p(1)"]) == {"p(1)": f"p_1_-{digest('p(1)')}"}
    assert first.of(["p[1]"]) == {"p[1]": "p_1_"}
    later = SafeNames(tmp_path)
    assert later.of(["p{1}", "p[1]"]) == {"p{1}": f"p_1_-{digest('p{1}')}", "p[1]": "p_1_"}


def test_a_name_as_written_keeps_it(tmp_path: Path) -> None:
    assert SafeNames(tmp_path).of(["p[1]", "p_1_"]) == {"p[1]": f"p_1_-{digest('p[1]')}", "p_1_": "p_1_"}


def test_long_names_keep_what_stands_behind_them(tmp_path: Path) -> None:
    names = [f"{'圧' * 300}{i}/ADE_mean" for i in range(3)]
    recorded = list(SafeNames(tmp_path).of(names).values())
    assert len(set(recorded)) == 3
    assert all(len(name) <= 250 and name.endswith("/ADE_mean") for name in recorded)


@pytest.mark.parametrize("damage", [b"", b"[]", b'{"a": 1}', b'{"p[1]": "/x"}', b"\xff", b"[" * 100_000])
def test_a_damaged_note_is_made_again(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / RENAMED).write_bytes(damage)
    assert SafeNames(tmp_path).of(["p[1]"]) == {"p[1]": "p_1_"}
    assert json.loads((tmp_path / RENAMED).read_text())["p[1]"] == "p_1_"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(st.lists(st.lists(st.one_of(NASTY, st.text(max_size=300)), max_size=6), max_size=4))
def test_whatever_the_name_the_store_takes_it_and_no_two_meet(tmp_path: Path, calls: list[list[str]]) -> None:
    (tmp_path / RENAMED).unlink(missing_ok=True)
    names, recorded = SafeNames(tmp_path), {}
    for call in calls:
        recorded |= names.of(call)
    assert set(recorded) == {name for call in calls for name in call}
    assert len(set(recorded.values())) == len(recorded)
    for safe in recorded.values():
        _validate_metric(safe, 1.0, 0, 0)


def test_texts() -> None:
    assert storable("a\x00b\ud800c", 100) == "a\\x00b\\ud800c"
    assert storable("圧" * 9, 4) == "圧圧圧圧"
