"""Train on a CUDA GPU without waiting for it: one Lightning step covers many steps, each a captured CUDA graph.

A step of these networks is some hundred small kernels, which a processor launches more slowly than a GPU computes them;
Lightning's own work between two steps takes as long again. So Lightning is given blocks of batches, and a step is
captured once and replayed (NVIDIA, CUDA C++ Programming Guide, "CUDA Graphs"). On a CPU the same module runs its steps
as they are.

Shape letters: K batches of a block, B windows of a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, cast

import torch
from torch import Tensor
from torch.optim import Optimizer

from surrogate_modeling.config.settings import Precision, SettingsConfig
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.callbacks import AveragedWeights
from surrogate_modeling.training.loaders import BlockLoader
from surrogate_modeling.training.module import SurrogateTraining
from surrogate_modeling.training.time_budget import TimeBudget

# Batches of a block: between two blocks progress is shown and the time is looked at.
BATCHES_PER_BLOCK = 32
# Steps with one shape, in which libraries choose their kernels and take their memory; the last of them is captured too.
FIRST_STEPS = 3


class Replayed:
    """Call a function of one tensor; on a CUDA GPU as a captured graph, from the fourth call of its kind on.

    It is captured directly after a call that was run as it is. After a validation, which is on another stream, cuDNN's
    LSTM would take hold of this stream during the capture, where CUDA permits no such thing.
    """

    def __init__(self, work: Callable[[Tensor], None]) -> None:
        self.work = work
        self.kind: Hashable = None
        self.calls: dict[torch.Size, int] = {}
        self.stream: torch.cuda.Stream | None = None
        self.graphs: dict[torch.Size, tuple[torch.cuda.CUDAGraph, Tensor]] = {}

    def __call__(self, given: Tensor, kind: Hashable = None) -> None:
        """Call the function, or replay its graph.

        Args:
            given: where it is on a CPU, the function is called as it is.
            kind: what beside the shape makes a call another one; graphs of the last kind are given up.
        """
        if not given.is_cuda:
            self.work(given)
            return
        if kind != self.kind:
            self.kind, self.calls, self.graphs = kind, {}, {}
        # All on one stream: gradients are accumulated on that of their first step.
        stream = self.stream = self.stream or torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            self._run(given, stream)
        torch.cuda.current_stream().wait_stream(stream)

    def _run(self, given: Tensor, stream: torch.cuda.Stream) -> None:
        if given.shape in self.graphs:
            graph, held = self.graphs[given.shape]
            held.copy_(given)
            graph.replay()
            return
        self.work(given)
        done = self.calls[given.shape] = self.calls.get(given.shape, 0) + 1
        if done == FIRST_STEPS:
            graph, held = torch.cuda.CUDAGraph(), given.clone()
            with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
                self.work(held)
            self.graphs[given.shape] = graph, held


class GraphedTraining(SurrogateTraining):
    """Training module that takes blocks (K, B) of window indices and runs their steps as captured graphs.

    Args:
        surrogate: with fitted scaling; its network is trained in place.
        settings: the recipe.
        precision: of matrix products.
        budget: of training time; None for no limit.
        averaged: average of the weights, updated in each step; None for none.
    """

    def __init__(
        self,
        surrogate: Surrogate,
        settings: SettingsConfig,
        precision: Precision,
        budget: TimeBudget | None = None,
        averaged: AveragedWeights | None = None,
    ) -> None:
        super().__init__(surrogate, settings, budget)
        self.automatic_optimization = False
        self.precision, self.averaged = precision, averaged
        self.replayed: Replayed | None = None
        self.done = 0

    def configure_optimizers(self) -> Optimizer:
        """Make the optimiser; on a GPU its learning rate is a tensor there, where a graph reads it."""
        optimizer = super().configure_optimizers()
        self._place_rate(optimizer)
        return optimizer

    def on_train_start(self) -> None:
        """Place the learning rate; a checkpoint brings one of its own."""
        self._place_rate(self.optimizer)
        self.replayed = Replayed(self._step)
        # Of a block: the sum of the losses of all valid rows, and how many rows they are.
        self.total, self.valid = torch.zeros(2, 1, dtype=torch.float64, device=self.device)

    def on_train_end(self) -> None:
        """Free the memory of the graphs."""
        self.replayed = None

    def on_train_epoch_start(self) -> None:
        """Reset the count of batches."""
        self.done = 0

    def training_step(self, block: Tensor, block_index: int) -> Tensor:  # type: ignore[override]
        """Run all steps of a block; returns their mean loss."""
        replayed = cast(Replayed, self.replayed)
        self.total.zero_()
        self.valid.zero_()
        for windows in block:
            self.set_rate(self.done, self._loader.batches)
            replayed(windows, self.horizon())
            self.done += 1
        loss = (self.total / self.valid)[0]
        self.log_loss("train_loss", self.train_loss, loss, self.valid[0])
        # Lightning counts steps only where it takes them itself.
        self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress.increment_by(len(block))
        return loss

    @property
    def _loader(self) -> BlockLoader:
        return cast(BlockLoader, self.trainer.train_dataloader)

    def _step(self, windows: Tensor) -> None:
        """Run one step on a batch of windows (B,); nothing in it waits for the device."""
        optimizer = self.optimizer
        optimizer.zero_grad()
        # Casts of weights are kept for one step only: a graph's would outlive it, and weights change.
        torch.clear_autocast_cache()
        with torch.autocast(windows.device.type, torch.bfloat16, enabled=self.precision is Precision.bf16):
            loss, valid = self.training_loss(self._loader.sampler.windows.gather(windows))
        torch.clear_autocast_cache()
        with torch.autocast(windows.device.type, enabled=False):
            loss.backward()
            self.configure_gradient_clipping(optimizer, self.settings.gradient_clip)
            optimizer.step()
            if self.averaged is not None:
                self.averaged.update(self)
            self.total += loss.detach() * valid
            self.valid += valid

    def _place_rate(self, optimizer: Optimizer) -> None:
        for group in optimizer.param_groups:
            on_gpu = self.device.type == "cuda"
            group["capturable"] = on_gpu
            group["lr"] = torch.tensor(self.settings.lr, device=self.device) if on_gpu else self.settings.lr

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save plain numbers, so that a run can resume on another device."""
        for state in checkpoint["optimizer_states"]:
            for group in state["param_groups"]:
                group["lr"], group["capturable"] = float(group["lr"]), False
