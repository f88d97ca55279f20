"""The phases that ``benchmark_speed.py`` times, each beside its textbook form in ``tests/plain.py``."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import plain
import torch
from measure import Row, in_turn, peak_memory, seconds
from plant import CONTROLS, PREDICTED, ROWS, fitted, make_cases, make_channels, smooth_values, write_raw_case
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

from surrogate_modeling.cases.channels import Roles
from surrogate_modeling.cases.folder import CACHE_FOLDER, Reading, read_cases
from surrogate_modeling.cases.grid import Grid, decimate
from surrogate_modeling.common.paths import PROJECT_ROOT
from surrogate_modeling.config.models import DolConfig, DonConfig, DotConfig, ModelConfig
from surrogate_modeling.config.settings import SettingsConfig
from surrogate_modeling.evaluation.curve_axes import Curve
from surrogate_modeling.evaluation.figures import draw_figures
from surrogate_modeling.evaluation.report import ReportOptions, write_predictions
from surrogate_modeling.surrogate.description import Description
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.surrogate.scaling import Standardizer
from surrogate_modeling.training.compilation import compile_network
from surrogate_modeling.training.loaders import WindowData
from surrogate_modeling.training.module import SurrogateTraining
from surrogate_modeling.training.windows import WindowDataset

IN_LEN, STEP_BATCH, LOADER_BATCH = 10, 128, 1024
# Seconds of calls in a row where one call is too short to be timed alone.
SPELL = 0.5
MODELS: dict[str, ModelConfig] = {
    "dot": DotConfig("dot", emb_dropout=0.0),
    "don": DonConfig("don"),
    "dol": DolConfig("dol", dropout=0.0),
}


class Bench:
    """What the phases share.

    Args:
        device: of training step and free run.
        quick: fewer rounds and cases, to see that everything works.
        folder: scratch.
        only: the phases named by the user, if any.
    """

    def __init__(self, device: str, quick: bool, folder: Path, only: str = "") -> None:
        self.device, self.quick, self.folder, self.only = torch.device(device), quick, folder, only
        self.rounds = 2 if quick else 5
        self.notes: list[str] = []

    def phases(self) -> dict[str, Callable[[], Iterator[Row]]]:
        """By name, in the order of a run."""
        return {
            "decimation": self.decimation,
            "windows": self.windows,
            "cached": self.cached,
            "batches": self.batches,
            "step": self.steps,
            "compiled": self.compiled,
            "free run": self.free_runs,
            "figures": self.figures,
            "csv": self.csvs,
            "start": self.start,
            "memory": self.memory,
        }

    def decimation(self) -> Iterator[Row]:
        time, values = 0.1 * np.arange(10 * ROWS), smooth_values(10 * ROWS, 0).astype(np.float64)
        table = pd.DataFrame(np.column_stack((time, values)))
        slow, fast = plain.decimate(table, 1.0), decimate(time, values, 1.0)[1]
        np.testing.assert_allclose(slow.to_numpy()[:, 1:], fast, atol=1e-5)
        times = in_turn(lambda: plain.decimate(table, 1.0), lambda: decimate(time, values, 1.0), self.rounds, False)
        yield Row("decimation, 33,000 rows", "case", *times, 329 / 3.6)

    def windows(self) -> Iterator[Row]:
        (case,) = make_cases(1)
        scaling = fitted([case])
        mean, scale = (part.numpy() for part in (scaling.mean, scaling.scale))
        past, control, truth = plain.make_windows(case.values, mean, scale, IN_LEN, CONTROLS)
        ours = WindowDataset([case], scaling, IN_LEN, 1)
        batch = ours.gather(torch.arange(len(ours)))
        for slow, fast in zip((past, control, truth), batch, strict=False):
            np.testing.assert_allclose(slow, fast.numpy(), atol=1e-5)
        times = in_turn(
            lambda: plain.make_windows(case.values, mean, scale, IN_LEN, CONTROLS),
            lambda: WindowDataset([case], scaling, IN_LEN, 1),
            self.rounds,
            spell=SPELL,
        )
        yield Row("windows and standardisation", "case", *times, 144 / 3)

    def cached(self) -> Iterator[Row]:
        count = 4 if self.quick else 16
        folder = self.folder / "cases"
        folder.mkdir()
        files = [write_raw_case(folder / f"case{i}.csv", i) for i in range(count)]

        def ours() -> object:
            return read_cases(folder, Roles(CONTROLS), Grid(1.0, 5.0), 11, Reading(progress_bar=False))

        before = set(CACHE_FOLDER.glob("*.case"))
        try:
            slow, fast = in_turn(lambda: plain.read_case(files[0], 1.0), ours, 2 if self.quick else 3)
        finally:
            for entry in set(CACHE_FOLDER.glob("*.case")) - before:
                entry.unlink()
        yield Row("cases again in the next trial", "case", slow, fast / count, 491 / 0.6)

    def batches(self) -> Iterator[Row]:
        cases = make_cases(2 if self.quick else 8)
        scaling = fitted(cases)
        mean, scale = (part.numpy() for part in (scaling.mean, scaling.scale))
        parts = [plain.make_windows(case.values, mean, scale, IN_LEN, CONTROLS) for case in cases]
        items = plain.WindowPerItem(*(np.concatenate(part) for part in zip(*parts, strict=True)))
        windows = WindowDataset(cases, scaling, IN_LEN, 1)
        settings = SettingsConfig(in_len=IN_LEN, batch_size=LOADER_BATCH)
        slow = DataLoader(items, LOADER_BATCH, shuffle=True, num_workers=os.cpu_count() or 1)
        fast = WindowData(windows, windows, settings).train_dataloader()
        times = in_turn(lambda: exhaust(slow), lambda: exhaust(fast), self.rounds, spell=SPELL)
        count = len(windows)
        self.notes.append(f"batches of {LOADER_BATCH}: {count / times[0]:,.0f} and {count / times[1]:,.0f} windows/s")
        yield Row("batches of 1,024 windows", "window", *(t / count for t in times), 300_000 / 7_000)

    def steps(self) -> Iterator[Row]:
        peak = self.product_peak()
        self.notes.append(f"matrix product of 2,048 x 2,048 float32: {peak / 1e9:.0f} GFLOP/s")
        for name, reference in {"dot": 335 / 172, "don": 325 / 58, "dol": 3302 / 1349}.items():
            surrogate = self.surrogate(name)
            twin = plain.PlainDeepONet(surrogate.network).to(self.device)
            batch = self.batch(STEP_BATCH)
            slow, fast = self.training_step(twin, batch), self.training_step(surrogate, batch)
            np.testing.assert_allclose(slow().item(), fast().item(), rtol=1e-4)
            with FlopCounterMode(display=False) as counter:
                fast()
            times = in_turn(self.synchronised(slow), self.synchronised(fast), self.rounds, spell=SPELL)
            rate = counter.get_total_flops() / times[1]
            self.notes.append(f"{name} step: {rate / 1e9:.0f} GFLOP/s, {rate / peak:.0%} of that product")
            yield Row(f"`{name}` training step", f"{STEP_BATCH} windows", *times, reference)

    def compiled(self) -> Iterator[Row]:
        """Notes only: there is no reference ratio for it on a CPU."""
        cases, batch = make_cases(20, 100 + IN_LEN), self.batch(STEP_BATCH)
        for name in MODELS if self.device.type == "cuda" or self.only else ():
            both = self.surrogate(name), self.surrogate(name)
            compile_network(both[1].network, self.device)
            steps = [self.synchronised(self.training_step(each, batch)) for each in both]
            runs = [lambda each=each: each.eval().predict(cases) for each in both]
            took = seconds(steps[1])
            ratios = [
                slow / fast for slow, fast in (in_turn(*pair, self.rounds, spell=SPELL) for pair in (steps, runs))
            ]
            self.notes.append(
                f"{name} compiled in {took:.0f} s: a step is {ratios[0]:.2f} times as fast, a free run {ratios[1]:.2f}"
            )
        yield from ()

    def free_runs(self) -> Iterator[Row]:
        count, rows = (20, 60) if self.quick else (100, 200)
        cases = make_cases(count, rows + IN_LEN)
        for name, reference in {"dot": 4106 / 406, "don": 876 / 39, "dol": 2256 / 118}.items():
            surrogate = self.surrogate(name).eval()
            standard = ((cases[0].values - self.scaling.mean.numpy()) / self.scaling.scale.numpy()).astype(np.float32)
            past, control = standard[:IN_LEN], standard[IN_LEN:, :CONTROLS]
            predicted = (surrogate.predict(cases[:1])[0] - self.mean()) / surrogate.predicted_scale
            twin = plain.PlainDeepONet(self.surrogate(name, "cpu").network).eval()
            np.testing.assert_allclose(plain.free_run(twin, past, control), predicted, atol=2e-3)
            slow, fast = in_turn(
                lambda t=twin, p=past, c=control: plain.free_run(t, p, c),
                lambda s=surrogate: s.predict(cases),
                self.rounds,
            )
            yield Row(f"`{name}` free run, {count} cases", "case and row", slow / rows, fast / rows / count, reference)

    def figures(self) -> Iterator[Row]:
        count = 16 if self.quick else 120
        time, truth = np.arange(ROWS, dtype=float), smooth_values(ROWS, 0)
        curves = [
            Curve(
                self.folder / f"{i}.png", "case", f"y{i}", "-", time, truth[:, i % 62], truth[10:, i % 62] + 0.1, 1, 1
            )
            for i in range(count)
        ]

        def slow() -> None:
            for curve in curves[: count // 8]:
                plain.draw_figure(curve.path, curve.time, curve.truth, curve.predicted)

        times = in_turn(slow, lambda: exhaust(draw_figures(curves, None)), 2)
        yield Row(f"figures, {count} of them", "figure", times[0] / (count // 8), times[1] / count, 265 / 86)

    def csvs(self) -> Iterator[Row]:
        cases = make_cases(8)
        channels = make_channels()
        rows = [case.values[IN_LEN:, CONTROLS:] for case in cases]
        names = [*channels.controls, *channels.predicted]
        times = in_turn(
            lambda: plain.write_csv(self.folder / "plain.csv", names, cases[0].time, cases[0].values),
            lambda: write_predictions(self.folder / "csv", cases, rows, channels, ReportOptions(progress_bar=False)),
            self.rounds,
        )
        yield Row("predicted CSV", "case", times[0], times[1] / len(cases), 706 / 35)

    def start(self) -> Iterator[Row]:
        script = str(PROJECT_ROOT / "src" / "surrogate_modeling" / "train.py")
        eager = (
            "import sys, runpy, mlflow, optuna, pandas, matplotlib.pyplot, surrogate_modeling.experiment.run\n"
            f"sys.argv = ['train.py', '--cfg', 'job']\nrunpy.run_path({script!r}, run_name='__main__')"
        )
        times = in_turn(
            lambda: command(sys.executable, "-c", eager),
            lambda: command(sys.executable, script, "--cfg", "job"),
            self.rounds,
        )
        yield Row("`train.py --cfg job`", "start", *times, 12.4 / 0.44)

    def memory(self) -> Iterator[Row]:
        few, many = (4, 20) if self.quick else (25, 500)
        slow = {count: peak_memory("plain", count) for count in (few, 2 * few)}
        at_many = slow[few] + (slow[2 * few] - slow[few]) / few * (many - few)
        self.notes.append(f"memory of the plain form: measured at {few} and {2 * few} cases, and extended to {many}")
        yield Row(f"peak memory from {many} files to windows", "GiB", at_many, peak_memory("ours", many), 27)

    @property
    def scaling(self) -> Standardizer:
        return fitted(make_cases(1))

    def mean(self) -> np.ndarray:
        return self.scaling.mean[CONTROLS:].numpy()

    def surrogate(self, name: str, device: str | None = None) -> Surrogate:
        """The same weights at every call."""
        torch.manual_seed(0)
        surrogate = Surrogate(Description(MODELS[name], make_channels(), IN_LEN, 1, 1.0))
        surrogate.scaling.fit(case.values for case in make_cases(1))
        return surrogate.to(device or self.device)

    def batch(self, count: int) -> tuple[Tensor, ...]:
        random = torch.Generator().manual_seed(1)
        sizes = (IN_LEN, CONTROLS + PREDICTED), (1, CONTROLS), (1, PREDICTED)
        return tuple(torch.randn(count, *size, generator=random).to(self.device) for size in sizes)

    def training_step(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Callable[[], Tensor]:
        """Loss, gradients and Adam on one batch; ours goes through the training module's own optimiser."""
        past, control, truth = batch
        if isinstance(network, Surrogate):
            training = SurrogateTraining(network, SettingsConfig(in_len=IN_LEN))
            network, optimizer = network.network, training.configure_optimizers()
        else:
            optimizer = torch.optim.Adam(network.parameters(), lr=0.0)
        for group in optimizer.param_groups:
            group["lr"] = 0.0  # weights stay, so that both forms can be compared again

        def step() -> Tensor:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(network(past, control), truth)
            loss.backward()
            optimizer.step()
            return loss.detach()

        return step

    def product_peak(self) -> float:
        """FLOP/s of a large float32 matrix product."""
        a, b = (torch.randn(2048, 2048, device=self.device) for _ in range(2))
        work = self.synchronised(lambda: a @ b)
        work()
        return 2 * 2048**3 / min(seconds(work) for _ in range(2 * self.rounds))

    def synchronised(self, work: Callable[[], object]) -> Callable[[], None]:
        """A GPU answers before it is done."""

        def run() -> None:
            work()
            if self.device.type == "cuda":
                torch.cuda.synchronize()

        return run


def exhaust(items: object) -> None:
    for _ in items:  # type: ignore[attr-defined]
        pass


def command(*words: str) -> None:
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
