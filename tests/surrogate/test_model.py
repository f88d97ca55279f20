"""Free run against an independent slow loop, and what a saved surrogate owes."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.models import MODEL_SCHEMAS, Base, DonConfig, LstmConfig, ModelConfig
from surrogate_modeling.config.settings import Feedback, Output
from surrogate_modeling.surrogate.description import Description
from surrogate_modeling.surrogate.model import Surrogate

CHANNELS = Channels(
    ("u1", "u2"), ("p 1", "p/2", "p.3"), ("p/2",), {"u1": "-", "u2": "K", "p 1": "bar", "p/2": "kW", "p.3": "°C"}
)
SMALL = DonConfig("don", trunk_depth=2, trunk_dim=8, branch_dim=8, width=4)


def make(in_len: int = 10, out_len: int = 1, model: ModelConfig = SMALL, **changes: object) -> Surrogate:
    torch.manual_seed(3)
    surrogate = Surrogate(Description(model, CHANNELS, in_len, out_len, 0.5, **changes))  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    surrogate.scaling.fit([rng.normal([0, 300, 10, -5, 1e5], [1, 20, 3, 0.1, 1e3], (50, 5)).astype(np.float32)])
    return surrogate.eval()


def make_case(rows: int, seed: int = 0, name: str = "a") -> Case:
    rng = np.random.default_rng(seed)
    values = rng.normal([0, 300, 10, -5, 1e5], [1, 20, 3, 0.1, 1e3], (rows, 5)).astype(np.float32)
    return Case(name, np.arange(rows) * 0.5, values, CHANNELS)


def slow_loop(surrogate: Surrogate, case: Case) -> np.ndarray:
    """One case, one step at a time: a window of known and predicted rows, each with its own controls."""
    description = surrogate.description
    mean, scale = surrogate.scaling.mean.numpy(), surrogate.scaling.scale.numpy()
    known = [(row - mean) / scale for row in case.values]
    history = [row.copy() for row in known[: description.in_len]]
    predicted = []
    while len(predicted) < len(case.values) - description.in_len:
        first = len(history)
        # Beyond the end the last control row is held.
        control = [known[min(first + i, len(known) - 1)][:2] for i in range(description.out_len)]
        window = torch.tensor(np.array(history[-description.in_len :]))[None]
        with torch.no_grad():
            output = surrogate.network(window, torch.tensor(np.array(control))[None])[0].numpy()
        for i in range(description.out_len):
            history.append(np.concatenate([control[i], output[i]]))
            predicted.append(output[i] * scale[2:] + mean[2:])
    return np.array(predicted[: len(case.values) - description.in_len])


@pytest.mark.parametrize("out_len", [1, 3])
@pytest.mark.parametrize("model", [SMALL, LstmConfig("lstm", dim=6, depth=2)])
def test_free_run_equals_a_slow_loop(out_len: int, model: ModelConfig) -> None:
    surrogate = make(out_len=out_len, model=model)
    case = make_case(45)
    (predicted,) = surrogate.predict([case])
    assert predicted.shape == (35, 3)
    np.testing.assert_allclose(predicted, slow_loop(surrogate, case), rtol=2e-5)


def test_cases_of_different_length_in_one_batch_equal_one_by_one() -> None:
    surrogate = make(out_len=3)
    cases = [make_case(rows, seed) for seed, rows in enumerate((45, 11, 30, 100))]
    together = surrogate.predict(cases)
    for case, rows in zip(cases, together, strict=True):
        assert len(rows) == len(case.values) - 10
        np.testing.assert_allclose(rows, surrogate.predict([case])[0], rtol=1e-5)


def test_batches_bound_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    surrogate = make()
    cases = [make_case(20 + seed, seed) for seed in range(7)]
    whole = surrogate.predict(cases)
    seen = []
    free_run = surrogate.free_run

    def spy(initial: np.ndarray, controls: np.ndarray, units: list[str | None]) -> np.ndarray:
        seen.append(controls.shape[0] * controls.shape[1])
        return free_run(initial, controls, units)

    monkeypatch.setattr("surrogate_modeling.surrogate.batching.ROWS_PER_BATCH", 60)
    monkeypatch.setattr(surrogate, "free_run", spy)
    for one, other in zip(whole, surrogate.predict(cases), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)
    assert len(seen) > 1
    assert max(seen) <= 60


def test_truth_after_the_first_rows_is_never_seen() -> None:
    surrogate = make()
    case = make_case(30)
    blinded = case.values.copy()
    blinded[10:, 2:] = np.nan
    np.testing.assert_array_equal(
        surrogate.predict([case])[0], surrogate.predict([Case("b", case.time, blinded, CHANNELS)])[0]
    )


def test_free_run_is_differentiable_with_respect_to_the_controls() -> None:
    surrogate = make(in_len=4).double()
    case = make_case(9)
    initial = torch.tensor(case.values[:4, 2:], dtype=torch.double)
    controls = torch.tensor(case.values[:, :2], dtype=torch.double, requires_grad=True)
    last = surrogate.free_run(initial, controls)[-1, 1]
    (gradient,) = torch.autograd.grad(last, controls)
    # Central difference on one control of a row in the middle, felt only through rows fed back.
    step = 1e-4
    ends = []
    for sign in (1, -1):
        moved = controls.detach().clone()
        moved[6, 0] += sign * step
        ends.append(float(surrogate.free_run(initial, moved)[-1, 1].detach()))
    assert float(gradient[6, 0]) == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-4)


@pytest.mark.parametrize("out_len", [1, 3])
def test_free_run_without_gradients_is_the_same(out_len: int) -> None:
    surrogate = make(in_len=4, out_len=out_len)
    past, control = torch.randn(2, 4, 5), torch.randn(2, 7, 2)
    with_gradients = surrogate.network.free_run(past, control)
    with torch.no_grad():
        rows = surrogate.network.free_run(past, control)
    assert rows.shape == (2, 7, 3)
    torch.testing.assert_close(rows, with_gradients)


def test_cut_gradients_keep_the_values() -> None:
    surrogate = make(in_len=4)
    past, control = torch.randn(2, 4, 5), torch.randn(2, 6, 2, requires_grad=True)
    whole = surrogate.network.free_run(past, control)
    cut = surrogate.network.free_run(past, control, cut_gradients=True)
    assert torch.equal(whole, cut)
    (through,) = torch.autograd.grad(whole[:, -1].sum(), control)
    (stopped,) = torch.autograd.grad(cut[:, -1].sum(), control)
    assert through[:, 0].abs().sum() > 0
    assert torch.equal(stopped[:, -1], through[:, -1])


@pytest.mark.parametrize("output", list(Output))
@pytest.mark.parametrize("feedback", list(Feedback))
def test_save_and_load_predict_the_same(tmp_path: Path, output: Output, feedback: Feedback) -> None:
    surrogate = make(out_len=2, output=output, feedback=feedback)
    surrogate.config = {"settings.lr": 0.1}
    surrogate.save(tmp_path / "lit_model.pth")
    loaded = Surrogate.load(tmp_path / "lit_model.pth")
    assert loaded.description == surrogate.description
    assert loaded.config == {"settings.lr": 0.1}
    case = make_case(25)
    np.testing.assert_array_equal(loaded.predict([case])[0], surrogate.predict([case])[0])


@pytest.mark.parametrize("name", MODEL_SCHEMAS)
def test_every_network_survives_saving(tmp_path: Path, name: str) -> None:
    model = MODEL_SCHEMAS[name](name, **({"base": Base.linear} if name == "ssm" else {}))  # type: ignore[arg-type]
    surrogate = make(model=model)
    surrogate.save(tmp_path / "lit_model.pth")
    loaded = Surrogate.load(tmp_path / "lit_model.pth")
    assert loaded.description == surrogate.description
    np.testing.assert_array_equal(loaded.predict([make_case(14)])[0], surrogate.predict([make_case(14)])[0])


def test_loading_refuses_anything_else_without_running_it(tmp_path: Path) -> None:
    marker = tmp_path / "code was run"

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(marker),)

    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Trap()))
    torch.save({"format": Trap()}, tmp_path / "evil2.pth")
    torch.save({"a": 1}, tmp_path / "other.pth")
    (tmp_path / "text.pth").write_text("no surrogate")
    for name in ("evil.pth", "evil2.pth", "other.pth", "text.pth", "missing.pth"):
        with pytest.raises(UserError, match=name):
            Surrogate.load(tmp_path / name)
    assert not marker.exists()


def test_shapes_that_do_not_fit_are_named() -> None:
    surrogate = make()
    with pytest.raises(ValueError, match=r"controls: shape \(1, 10, 2\)"):
        surrogate.free_run(np.zeros((10, 3)), np.zeros((10, 2)))
    with pytest.raises(ValueError, match=r"initial: shape \(1, 9, 3\)"):
        surrogate.free_run(np.zeros((9, 3)), np.zeros((20, 2)))
