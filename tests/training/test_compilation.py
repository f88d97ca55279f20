"""Compiled networks against the same networks as they are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from builders import make_case, make_channels
from networks.test_networks import small

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.settings import Compile, Precision, SettingsConfig
from surrogate_modeling.surrogate.description import Description
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.compilation import accelerated, compile_network
from surrogate_modeling.training.fit import fit, seed_run
from surrogate_modeling.training.loaders import WindowData
from surrogate_modeling.training.windows import WindowDataset

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


def trained(name: str, folder: Path, device: str, compiled: bool) -> tuple[list[float], Surrogate]:
    """Losses of each epoch and the surrogate; the last batch of an epoch is shorter than the others."""
    settings = SettingsConfig(
        in_len=4, horizon=6, epochs=3, batch_size=64, progress_bar=False, lr=0.003, free_run_every=1,
        device=device, compile=Compile.full if compiled else Compile.none,
    )  # fmt: skip
    seed_run(0)
    cases = [make_case(f"c{i}", 50 + i, i) for i in range(5)]
    surrogate = Surrogate(Description(small(name), make_channels(), settings.in_len, settings.out_len, 1.0))
    surrogate.scaling.fit(case.values for case in cases)
    windows = WindowDataset(cases, surrogate.scaling, settings.in_len, settings.loss_rows)
    seen: list[float] = []
    fit(
        surrogate, WindowData(windows, windows, settings), cases, settings, folder,
        lambda metrics, _epoch: seen.extend(metrics[key] for key in ("train_loss", "val_loss", "val_nADE")),
    )  # fmt: skip
    return seen, surrogate


@pytest.mark.slow
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ["dot", "dol", "don", "lstm", "bt", "ssm", "nss"])
def test_training_and_free_run_are_those_of_the_plain_network(name: str, device: str, tmp_path: Path) -> None:
    plain, surrogate = trained(name, tmp_path / "plain", device, compiled=False)
    compiled, other = trained(name, tmp_path / "compiled", device, compiled=True)
    assert compiled == pytest.approx(plain, rel=1e-3)
    cases = [make_case("long", 300, 7), make_case("short", 20, 8)]
    for rows, wanted in zip(other.predict(cases), surrogate.predict(cases), strict=True):
        torch.testing.assert_close(rows, wanted, rtol=0, atol=0.01)
    # What is saved knows nothing of the compiler.
    other.save(tmp_path / "other.pth")
    loaded = Surrogate.load(tmp_path / "other.pth")
    for key, value in loaded.state_dict().items():
        torch.testing.assert_close(value, other.state_dict()[key].cpu(), rtol=0, atol=0, equal_nan=True)


@pytest.mark.slow
def test_without_a_compiler_it_is_said_at_once(tmp_path: Path) -> None:
    code = (
        "import torch; from surrogate_modeling.training.compilation import compile_network\n"
        "compile_network(torch.nn.Linear(2, 2), torch.device('cpu'))"
    )
    environment = {**os.environ, "CXX": str(tmp_path / "none"), "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert run.returncode == 1
    assert "UserError: settings.compile=full: torch cannot compile on this machine" in run.stderr.splitlines()[-1]


def test_what_torch_says_is_passed_on_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_compiler(_function: object) -> object:
        raise RuntimeError("no working C++ compiler\nand ten more lines")

    monkeypatch.setattr(torch, "compile", no_compiler)
    with pytest.raises(UserError) as caught:
        compile_network(torch.nn.Linear(2, 2), torch.device("cpu"))
    assert "settings.compile=full: torch cannot compile on this machine (no working C++ compiler);" in str(caught.value)


@pytest.mark.parametrize(
    ("device", "precision", "how"), [("cpu", Precision.fp32, Compile.none), ("cuda", Precision.tf32, Compile.graph)]
)
def test_auto_is_what_pays_on_the_device(device: str, precision: Precision, how: Compile) -> None:
    found = accelerated(SettingsConfig(), torch.device(device))
    assert (found.precision, found.compile, found.graphed) == (precision, how, device == "cuda")
    asked = SettingsConfig(precision=Precision.bf16, compile=Compile.none)
    found = accelerated(asked, torch.device(device))
    assert (found.precision, found.compile, found.graphed) == (Precision.bf16, Compile.none, False)


def test_a_cuda_graph_on_a_cpu_is_refused() -> None:
    with pytest.raises(UserError, match="settings.compile=graph: CUDA graphs need a CUDA GPU"):
        accelerated(SettingsConfig(compile=Compile.graph), torch.device("cpu"))


def test_how_training_runs_is_said_in_words() -> None:
    found = accelerated(SettingsConfig(compile=Compile.full), torch.device("cpu"))
    assert str(found) == "on the CPU: fp32 matrix products, compiled steps"
