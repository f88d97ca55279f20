"""Saved surrogates that are damaged, crafted or of another network: refused in one message, or read as they are."""

import copy
import io
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import make_band
from exported import IN_LEN, SMALL, STACKED, make

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.surrogate import Surrogate
from surrogate_modeling.surrogate.lineage import LineageStep, weights_digest
from surrogate_modeling.surrogate.saved_file import read_saved

STEP = LineageStep(
    "trained", "/cases", "*.csv", 3, "0123456789abcdef",
    {"training": {"a": "unit 1"}, "validation": {"b": None}, "test": {"c": None}}, ("note",), 12.5, "other.pth", "f00d",
    ("trained from its weights",),
)  # fmt: skip


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    path = tmp_path_factory.mktemp("saved") / "lit_model.pth"
    surrogate = make("ssm")
    surrogate.band = make_band([0], [[1, 1, 1]], [1, 2, 3])
    surrogate.lineage, surrogate.config = (STEP,), {"settings.lr": 0.01}
    surrogate.save(path)
    return path, torch.load(path, weights_only=True)


def refusal(path: Path, content: object) -> str:
    torch.save(content, path)
    with pytest.raises(UserError) as refused:
        Surrogate.load(path)
    message = str(refused.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def changed(content: dict[str, Any], *keys: str, value: object) -> dict[str, Any]:
    new = copy.deepcopy(content)
    place = new
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    return new


@pytest.mark.parametrize("name", [*SMALL, *STACKED])
def test_a_saved_surrogate_predicts_what_it_did(tmp_path: Path, name: str) -> None:
    surrogate = make(name)
    surrogate.save(tmp_path / "a.pth")
    rng = np.random.default_rng(0)
    sizes = surrogate.description.sizes
    initial = rng.normal(size=(2, IN_LEN, sizes.predicted)).astype(np.float32)
    controls = rng.normal(size=(2, 30, sizes.controls)).astype(np.float32)
    again = Surrogate.load(tmp_path / "a.pth")
    np.testing.assert_array_equal(again.free_run(initial, controls), surrogate.free_run(initial, controls))


def test_the_lineage_and_the_configuration_come_back(good: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    again = Surrogate.load(good[0])
    assert (again.lineage, again.config) == ((STEP,), {"settings.lr": 0.01})
    digest = weights_digest(again.state_dict())
    again.save(tmp_path / "again.pth")
    once_more = Surrogate.load(tmp_path / "again.pth")
    assert (once_more.lineage, weights_digest(once_more.state_dict())) == ((STEP,), digest)
    with torch.no_grad():
        next(once_more.network.parameters()).view(-1)[0] += 1e-3
    assert weights_digest(once_more.state_dict()) != digest
    broken = changed(good[1], "lineage", value=[{**STEP.to_dict(), "parts": {"training": {}}}])
    assert "lineage does not name training, validation and test cases" in refusal(tmp_path / "b.pth", broken)


@pytest.mark.parametrize("length", [0, 1, 100, -1])
def test_a_file_that_is_cut_is_refused(tmp_path: Path, good: tuple[Path, dict[str, Any]], length: int) -> None:
    path = tmp_path / "cut.pth"
    path.write_bytes(good[0].read_bytes()[:length])
    with pytest.raises(UserError, match=r"cut\.pth: not a saved surrogate, or damaged"):
        Surrogate.load(path)


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("format",), "surrogate-1", "not a surrogate of format"),
        (("description", "model", "name"), "perceiver", "perceiver"),
        (("description", "model", "width"), 10**9, "model.width=1000000000 does not fit the "),
        (("description", "model", "depth"), 10**5, "model.depth=100000 does not fit the "),
        (("description", "members"), 10**7, "members=10000000 does not fit the "),
        (("description", "members"), 2, "tensors are missing, the first: network."),
        (("description", "in_len"), 10**9, "in_len=1000000000 does not fit"),
        (("description", "in_len"), "ten", "in_len='ten' is not a size"),
        (("description", "step"), float("nan"), "step=nan is not a time step"),
        (("description", "members"), -1, "members=-1 is not a size"),
        (("description", "mixture"), [{"name": "a"}], "damaged"),
        (("description", "model", "width"), 9, "has the shape"),
        (("description", "channels", "predicted"), None, "damaged"),
        (("weights",), [1, 2], "the weights are not tensors"),
        (("band",), {"knots": 3}, "damaged"),
        (("band", "all_factor"), torch.ones(2), "the band does not fit the predicted columns"),
        (("band", "peak"), torch.ones(1, 2), "the band does not fit the predicted columns"),
    ],
)
def test_absurd_sizes_and_wrong_values_are_refused_before_memory_is_taken(
    tmp_path: Path, good: tuple[Path, dict[str, Any]], keys: tuple[str, ...], value: object, message: str
) -> None:
    assert message in refusal(tmp_path / "x.pth", changed(good[1], *keys, value=value))


def test_missing_extra_and_wrong_weights_are_named(tmp_path: Path, good: tuple[Path, dict[str, Any]]) -> None:
    first = min(key for key in good[1]["weights"] if key.startswith("network."))
    without = copy.deepcopy(good[1])
    del without["weights"][first]
    assert f"1 tensors are missing, the first: {first}" in refusal(tmp_path / "a.pth", without)
    extra = changed(good[1], "weights", "network.zzz", value=torch.zeros(2))
    assert "1 tensors are not of this network, the first: network.zzz" in refusal(tmp_path / "b.pth", extra)
    spoilt = copy.deepcopy(good[1])
    spoilt["weights"][first].view(-1)[0] = float("nan")
    assert f"{first} holds values that are not finite" in refusal(tmp_path / "c.pth", spoilt)
    no_scale = copy.deepcopy(good[1])
    del no_scale["weights"]["scaling.scale"]
    assert "scaling.scale" in refusal(tmp_path / "d.pth", no_scale)


JUNK: list[object] = [None, -1, 0, 3, 10**12, 0.5, float("inf"), "", "x", [], [1], {}, {"a": 1}, torch.zeros(3), True]


def places(content: object, at: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(content, dict):
        return [at]
    return [at, *(place for key, value in content.items() for place in places(value, (*at, key)))]


def test_any_value_in_any_place_is_refused_or_loads(tmp_path: Path, good: tuple[Path, dict[str, Any]]) -> None:
    chosen = random.Random(0)
    spots = [place for place in places(good[1]) if place and place[0] != "config"]
    path, refused = tmp_path / "fuzzed.pth", 0
    for _ in range(150):
        torch.save(changed(good[1], *chosen.choice(spots), value=chosen.choice(JUNK)), path)
        try:
            Surrogate.load(path)
        except UserError as error:
            assert str(error).startswith(f"{path}: ")
            refused += 1
    assert refused > 100


def test_any_damaged_byte_is_refused_or_harmless(tmp_path: Path, good: tuple[Path, dict[str, Any]]) -> None:
    chosen, whole, path = random.Random(1), good[0].read_bytes(), tmp_path / "bytes.pth"
    for _ in range(100):
        damaged = bytearray(whole)
        for _ in range(chosen.randint(1, 8)):
            damaged[chosen.randrange(len(damaged))] = chosen.randrange(256)
        path.write_bytes(bytes(damaged))
        try:
            read_saved(path)
        except UserError as error:
            assert str(error).startswith(f"{path}: ")


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save({"state_dict": {}}, buffer)
    (tmp_path / "other.pth").write_bytes(buffer.getvalue())
    with pytest.raises(UserError, match="not a surrogate of format"):
        Surrogate.load(tmp_path / "other.pth")
    with pytest.raises(UserError, match="no such file"):
        Surrogate.load(tmp_path / f"{time.time_ns()}.pth")
