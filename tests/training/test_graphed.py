"""Training in blocks of captured steps against training batch by batch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from lag import CHANNELS, lag_case
from networks.test_networks import small

from surrogate_modeling.config.models import MODEL_SCHEMAS, ModelConfig
from surrogate_modeling.config.settings import Compile, LrSchedule, Monitor, Precision, SettingsConfig
from surrogate_modeling.networks import unit_latent
from surrogate_modeling.networks.unit_latent import told_parts
from surrogate_modeling.surrogate.description import Description
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.callbacks import AveragedWeights
from surrogate_modeling.training.compilation import Acceleration
from surrogate_modeling.training.fit import fit, seed_run
from surrogate_modeling.training.graphed import GraphedTraining, Replayed
from surrogate_modeling.training.loaders import WindowData
from surrogate_modeling.training.module import SurrogateTraining
from surrogate_modeling.training.windows import WindowDataset

RECIPE: dict[str, Any] = dict(
    in_len=4, horizon=6, horizon_growth=2, epochs=5, batch_size=32, progress_bar=False, lr=0.003, ema=0.9,
    gradient_clip=0.5, lr_schedule=LrSchedule.cosine, warmup=0.2, weight_decay=0.01, free_run_every=1,
    monitor=Monitor.val_nADE,
)  # fmt: skip
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


def trained(
    model: ModelConfig, folder: Path, device: str, how: Compile, units: tuple[str, ...] = (), **changes: Any
) -> tuple[list[float], Surrogate]:
    """Losses of each epoch and the surrogate; the last batch of an epoch is shorter than the others."""
    settings = SettingsConfig(**{**RECIPE, "device": device, "compile": how, "precision": Precision.fp32, **changes})
    seed_run(0)
    cases = [replace(lag_case(50 + i, i), unit=units[i % 2] if units else None) for i in range(5)]
    description = Description(model, CHANNELS, settings.in_len, settings.out_len, 1.0, units=units)
    surrogate = Surrogate(replace(description, unit_latents=2 * bool(units)))
    surrogate.scaling.fit(case.values for case in cases)
    windows = WindowDataset(cases, surrogate.scaling, settings.in_len, settings.loss_rows, units=units)
    for part in told_parts(surrogate.network):
        part.know([0, 1])
    seen: list[float] = []
    fit(
        surrogate, WindowData(windows, windows, settings), cases, settings, folder,
        lambda metrics, _epoch: seen.extend(metrics[key] for key in ("train_loss", "val_loss", "val_nADE")),
    )  # fmt: skip
    return seen, surrogate


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("name", "units"), [("don", ()), ("ssm", ()), ("don", ("a", "b"))])
def test_blocks_train_as_batches_do(
    name: str, units: tuple[str, ...], device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Numbers drawn within a captured step are others than those drawn outside: no unit is hidden on a GPU.
    monkeypatch.setattr(unit_latent, "HIDDEN_SHARE", 0.3 if device == "cpu" else 0.0)
    plain, surrogate = trained(small(name), tmp_path / "plain", device, Compile.none, units)
    if device == "cpu":
        monkeypatch.setattr(Acceleration, "graphed", property(lambda _: True))
        blocks, other = trained(small(name), tmp_path / "blocks", device, Compile.none, units)
    else:
        blocks, other = trained(small(name), tmp_path / "blocks", device, Compile.graph, units)
    assert blocks == pytest.approx(plain, rel=1e-5 if device == "cpu" else 1e-3)
    for key, value in other.state_dict().items():
        torch.testing.assert_close(
            value, surrogate.state_dict()[key], equal_nan=True, rtol=1e-3, atol=1e-5 if device == "cpu" else 1e-3
        )


@pytest.mark.gpu
@pytest.mark.parametrize("precision", [Precision.tf32, Precision.bf16])
@pytest.mark.parametrize("name", ["dot", "dol", "don", "bt", "lstm", "ssm"])
def test_every_network_trains_captured(name: str, precision: Precision, tmp_path: Path) -> None:
    plain, _ = trained(
        small(name), tmp_path / "plain", "cuda", Compile.none, precision=precision, lr_schedule=LrSchedule.constant
    )
    captured, _ = trained(
        small(name), tmp_path / "graph", "cuda", Compile.graph, precision=precision, lr_schedule=LrSchedule.constant
    )
    assert captured == pytest.approx(plain, rel=0.05)


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["dol", "lstm"])
def test_short_last_batches_are_captured_between_validations(name: str, tmp_path: Path) -> None:
    """In the sizes that ship: of small LSTMs cuDNN computes another form, which minds no change of streams."""
    recipe: dict[str, Any] = dict(horizon=1, horizon_growth=0, batch_size=128, epochs=6)
    losses, _ = trained(MODEL_SCHEMAS[name](name), tmp_path, "cuda", Compile.graph, **recipe)
    assert len(losses) == 3 * 6
    assert all(map(math.isfinite, losses))


class FakeGraph:
    """Stands for a CUDA graph: tells of its replays."""

    def __init__(self, events: list[str]) -> None:
        self.events = events

    def replay(self) -> None:
        self.events.append("replay")


def test_steps_are_captured_directly_after_one_that_was_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else may come between: not the validation that lies between the short last batches of epochs."""
    events: list[str] = []

    @contextmanager
    def capture(graph: FakeGraph, **_options: object) -> Iterator[None]:
        events.append("capture")
        yield
        events.append("captured")

    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: FakeGraph(events))
    monkeypatch.setattr(torch.cuda, "graph", capture)
    replayed = Replayed(lambda given: events.append(f"run {len(given)}"))
    for _epoch in range(4):
        for length in (8, 8, 3):
            replayed._run(torch.zeros(length), cast(torch.cuda.Stream, None))
        events.append("validation")
    captured = {n: ["run " + n, "capture", "run " + n, "captured"] for n in "83"}
    assert events == [
        "run 8", "run 8", "run 3", "validation",
        *captured["8"], "replay", "run 3", "validation",
        "replay", "replay", *captured["3"], "validation",
        "replay", "replay", "replay", "validation",
    ]  # fmt: skip


@pytest.mark.gpu
@pytest.mark.parametrize("how", [Compile.none, Compile.graph])
@pytest.mark.parametrize("name", ["don", "ssm"])
def test_a_step_never_waits_for_the_gpu(
    name: str, how: Compile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = []

    def watched(run: Any) -> Any:
        def step(*arguments: Any) -> Any:
            torch.cuda.set_sync_debug_mode("error")
            try:
                steps.append(1)
                return run(*arguments)
            finally:
                torch.cuda.set_sync_debug_mode("default")

        return step

    monkeypatch.setattr(GraphedTraining, "training_step", watched(GraphedTraining.training_step))
    monkeypatch.setattr(SurrogateTraining, "training_step", watched(SurrogateTraining.training_step))
    monkeypatch.setattr(AveragedWeights, "update", watched(AveragedWeights.update))
    trained(small(name), tmp_path, "cuda", how)
    assert steps
