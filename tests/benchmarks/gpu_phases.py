"""The phases that ``benchmark_gpu.py`` times: training through the product's own fit, free runs, predictions, scans."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from gpu_ceilings import median_seconds, scan_seconds, synchronise, window_flops
from gpu_plant import CONTROLS, FEATURES, channels, plant_cases
from gpu_settings import arithmetic, graphs, peak_memory, scan_form
from torch import Tensor

from surrogate_modeling.config.models import MODEL_SCHEMAS, ModelConfig
from surrogate_modeling.config.settings import (
    Compile,
    Criterion,
    LrSchedule,
    Monitor,
    Precision,
    SettingsConfig,
)
from surrogate_modeling.evaluation.scores import score
from surrogate_modeling.surrogate.description import Description
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.fit import fit, seed_run
from surrogate_modeling.training.loaders import WindowData
from surrogate_modeling.training.members import initialise
from surrogate_modeling.training.windows import WindowDataset

IN_LEN = 10
# hydra/settings/stable.yaml, which this benchmark reads without Hydra.
STABLE: dict[str, Any] = dict(
    horizon=600, windows_per_epoch=160, first_share=0.5, batch_size=16, epochs=150, patience=150, lr=0.004,
    criterion=Criterion.smoothl1, byproduct_weight=0.3, lr_schedule=LrSchedule.cosine, warmup=0.05, weight_decay=0.05,
    gradient_clip=1.0, ema=0.99, monitor=Monitor.val_nADE, free_run_every=5,
)  # fmt: skip


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    cases: int = 500
    rows: int = 3300
    few: int = 75
    many: int = 10_000
    free_rows: int = 600
    steps: int = 64
    batch: int = 1024
    stable_epochs: int = 150
    product: int = 8192
    copied: int = 2**30

    @classmethod
    def small(cls) -> Extent:
        """To see on a CPU that everything works."""
        return cls(
            cases=6, rows=400, few=3, many=8, free_rows=60, steps=3, batch=64, stable_epochs=2, product=256,
            copied=2**16,
        )  # fmt: skip


class Bench:
    """What the phases share: the cases are made once.

    Args:
        device: cpu or cuda.
        extent: how much is measured.
        folder: scratch.
        ways: in which steps are run.
    """

    def __init__(self, device: str, extent: Extent, folder: Path, ways: Sequence[Compile]) -> None:
        self.ways = ways
        self.device, self.extent, self.folder = torch.device(device), extent, folder
        self.cases = plant_cases(extent.cases, extent.rows)
        self.held_out = plant_cases(max(2, extent.few // 5), extent.free_rows + IN_LEN, seed=1)
        self._sets: dict[tuple[int | None, int], list[WindowDataset]] = {}

    def surrogate(self, name: str, settings: SettingsConfig) -> Surrogate:
        """A fresh one, the same weights at every call."""
        seed_run(settings.seed)
        surrogate = Surrogate(Description(config_of(name), channels(), IN_LEN, 1, 1.0))
        surrogate.scaling.fit(case.values for case in self.cases[:10])
        return surrogate

    def settings(self, name: str, precision: Precision, compiled: Compile, **changes: Any) -> SettingsConfig:
        """The study's recipe, or the one for long trajectories."""
        recipe = STABLE if carries_state(name) else dict(batch_size=self.extent.batch)
        if carries_state(name) and self.extent.rows < 700:
            recipe = {**recipe, "horizon": self.extent.free_rows, "windows_per_epoch": 32}
        device = self.device.type
        chosen = {**recipe, "precision": precision, "compile": compiled, "device": device, **changes}
        return SettingsConfig(in_len=IN_LEN, progress_bar=False, **chosen)

    def fitted(
        self, name: str, settings: SettingsConfig, cases: int | None = None, prepared: bool = True
    ) -> tuple[Surrogate, list[float]]:
        """Through the product's fit: the surrogate and the second in which each epoch was over, the first at its start.

        The validation set is two cases of the length of a free run.
        """
        surrogate = self.surrogate(name, settings)
        sets = self.windows(surrogate, cases, settings.loss_rows, placed=not prepared)
        if prepared:
            initialise(surrogate, sets[0])
        times = [time.perf_counter()]
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            fit(
                surrogate, WindowData(sets[0], sets[1], settings), self.held_out, settings, Path(folder),
                lambda _metrics, _epoch: times.append(time.perf_counter()),
            )  # fmt: skip
        return surrogate, times

    def windows(self, surrogate: Surrogate, cases: int | None, rows: int, placed: bool) -> list[WindowDataset]:
        """Training and validation windows; those that may lie on the device already are cut once."""
        if placed and (cases, rows) in self._sets:
            return self._sets[cases, rows]
        sets = [
            WindowDataset(part, surrogate.scaling, IN_LEN, rows, stride)
            for part, stride in ((self.cases[:cases], 1), (self.held_out, max(1, rows // 2)))
        ]
        if placed:
            self._sets[cases, rows] = sets
        return sets

    def epoch(self, name: str, settings: SettingsConfig) -> tuple[float, float]:
        """Median seconds of an epoch after the first, and GiB."""
        with peak_memory(self.device) as memory:
            _, times = self.fitted(name, settings, prepared=False)
        later = [now - before for before, now in pairwise(times[1:])]
        return statistics.median(later), memory[0]

    def step(self, name: str, precision: Precision, compiled: Compile, larger: int = 1) -> dict[str, Any]:
        """Seconds of a training step, and of an epoch as that says; what an epoch costs beside its steps is taken off.

        Args:
            name: of the network.
            precision: of its products.
            compiled: how its steps are run.
            larger: batches of so many times the windows.
        """
        batch = larger * self.extent.batch
        if carries_state(name):
            settings = self.settings(name, precision, compiled, epochs=6, free_run_every=1000)
            seconds, memory = self.epoch(name, settings)
            steps = max(1, (settings.windows_per_epoch or 0) // settings.batch_size)
            return {"step": seconds / steps, "epoch": seconds, "memory": memory, "windows": settings.batch_size}
        few, many = 4, 4 + self.extent.steps
        times = []
        for count in (few, many):
            settings = self.settings(
                name, precision, compiled, epochs=3, windows_per_epoch=count * batch, batch_size=batch
            )
            seconds, memory = self.epoch(name, settings)
            times.append(seconds)
        step = (times[1] - times[0]) / (many - few)
        windows = self.extent.cases * (self.extent.rows - IN_LEN)
        return {"step": step, "epoch": times[0] + step * windows / batch, "memory": memory, "windows": batch}

    def whole_epoch(self, name: str, precision: Precision, compiled: Compile) -> dict[str, Any]:
        """Every window once, measured."""
        seconds, memory = self.epoch(name, self.settings(name, precision, compiled, epochs=2))
        return {"epoch": seconds, "memory": memory}

    def training(self, name: str, precision: Precision, compiled: Compile) -> dict[str, Any]:
        """The recipe for long trajectories to its end, on 75 cases; nADE of the held out ones."""
        settings = self.settings(name, precision, compiled, epochs=self.extent.stable_epochs)
        surrogate, times = self.fitted(name, settings, cases=self.extent.few)
        return {"training": times[-1] - times[0], "nADE": self.nade(surrogate)}

    def free_run(self, name: str, cases: int, precision: Precision, graphed: bool) -> dict[str, Any]:
        """Seconds of the free run of so many cases on the device, their tensors there already, and GiB."""
        settings = self.settings(name, precision, Compile.none)
        network = self.surrogate(name, settings).network.to(self.device).eval()
        past, control = self.free_batch(cases)
        with arithmetic(precision, self.device), graphs(graphed), torch.no_grad():
            # A tenth of the rows says how long all will take.
            tenth = control[:, : self.extent.free_rows // 10]
            scaled = 10 * median_seconds(lambda: network.free_run(past, tenth), self.device, rounds=1)
            if scaled > 2.5:
                return {"free run": scaled, "note": "from a tenth of the rows"}
            with peak_memory(self.device) as memory:
                seconds = median_seconds(lambda: network.free_run(past, control), self.device, rounds=2)
        return {"free run": seconds, "memory": memory[0]}

    def prediction(self, name: str, count: int) -> dict[str, Any]:
        """Seconds of ``Surrogate.predict``, arrays in and arrays out."""
        surrogate = self.surrogate(name, self.settings(name, Precision.auto, Compile.none)).to(self.device).eval()
        length, made = self.extent.free_rows + IN_LEN, self.extent.rows // (self.extent.free_rows + IN_LEN)
        cases = [
            replace(case, time=case.time[:length], values=case.values[i * length : (i + 1) * length])
            for case in self.cases
            for i in range(max(1, made))
        ]
        cases = (cases * (1 + count // len(cases)))[:count]
        with arithmetic(Precision.tf32, self.device):
            surrogate.predict(cases[:2])
            synchronise(self.device)
            began = time.perf_counter()
            surrogate.predict(cases)
        return {"predict": time.perf_counter() - began}

    def scores(self, surrogate: Surrogate) -> dict[str, Any]:
        """nADE of the held out cases with each precision, and how far it is from that of fp32."""
        found = {}
        for precision in (Precision.fp32, Precision.tf32, Precision.bf16):
            with arithmetic(precision, self.device):
                found[precision.value] = self.nade(surrogate)
        return {"nADE": found["fp32"], **{f"{p} off": found[p] - found["fp32"] for p in ("tf32", "bf16")}}

    def nade(self, surrogate: Surrogate) -> float:
        """Of the held out cases."""
        predicted = surrogate.predict(self.held_out)
        return score(self.held_out, predicted, surrogate.description.channels, surrogate.predicted_scale).nade

    def scans(self) -> Iterator[dict[str, Any]]:
        """The leaky scan in its two forms, as training and as many cases ask for it."""
        many = self.extent.many
        few = 16, 48
        for rows, cases, states in ((self.extent.free_rows, *few), (max(2, 200_000 // many), many, 48)):
            for gradient in (False, True):
                for form in ("torch", "triton"):
                    with scan_form(form):
                        seconds, least = scan_seconds(self.device, (rows, cases, states), gradient)
                    shape = f"{rows} x {cases} x {states}"
                    way = "both ways" if gradient else "forwards"
                    yield {"shape": shape, "way": way, "form": form, "seconds": seconds, "bytes": least}

    def free_batch(self, cases: int) -> tuple[Tensor, Tensor]:
        """Past windows and controls of random numbers."""
        random = torch.Generator().manual_seed(0)
        past = torch.randn(cases, IN_LEN, FEATURES, generator=random)
        control = torch.randn(cases, self.extent.free_rows, CONTROLS, generator=random)
        return past.to(self.device), control.to(self.device)

    def flops(self, name: str) -> float:
        """Of one window, or of one row of a network that carries a state, forwards."""
        settings = self.settings(name, Precision.fp32, Compile.none)
        rows = 50 if carries_state(name) else 1
        control = torch.randn(2, rows, CONTROLS)
        return window_flops(self.surrogate(name, settings).network, torch.randn(2, IN_LEN, FEATURES), control) / rows


def config_of(name: str) -> ModelConfig:
    """The shipped sizes."""
    return MODEL_SCHEMAS[name](name)


def networks() -> list[str]:
    """Those that are trained by gradients, window networks first."""
    return ["dot", "dol", "don", "bt", "lstm", "ssm", "nss"]


def carries_state(name: str) -> bool:
    """Trained with the recipe for long trajectories."""
    return name in ("ssm", "nss")
