"""Compile a network with torch.compile: fewer, larger kernels (Ansel et al. 2024, PyTorch 2, ASPLOS)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from surrogate_modeling.common.errors import UserError, first_line
from surrogate_modeling.config.settings import Compile, Precision, SettingsConfig
from surrogate_modeling.networks.recurrence import hide_from_compiler


@dataclass(frozen=True)
class Acceleration:
    """Precision and compilation of training on a device, with ``auto`` resolved."""

    precision: Precision
    compile: Compile
    on_gpu: bool

    def __str__(self) -> str:
        steps = {Compile.none: "steps as they are", Compile.graph: "steps captured as CUDA graphs"}
        full = "compiled steps" + (" captured as CUDA graphs" if self.on_gpu else "")
        device = torch.cuda.get_device_name() if self.on_gpu else "the CPU"
        return f"on {device}: {self.precision} matrix products, {steps.get(self.compile, full)}"

    @property
    def graphed(self) -> bool:
        """Whether steps are captured as CUDA graphs."""
        return self.on_gpu and self.compile is not Compile.none

    @property
    def full(self) -> bool:
        """Whether the network is compiled."""
        return self.compile is Compile.full


def accelerated(settings: SettingsConfig, device: torch.device, devices: int = 1) -> Acceleration:
    """Resolve ``settings.precision`` and ``settings.compile`` for a device, or several of a kind.

    Raises:
        UserError: CUDA graphs were chosen without a CUDA GPU, or these or compiled steps for several devices.
    """
    on_gpu = device.type == "cuda"
    precision, how = settings.precision, settings.compile
    if how is Compile.graph and not on_gpu:
        raise UserError("settings.compile=graph: CUDA graphs need a CUDA GPU, and this run is on the CPU; use auto")
    if devices > 1 and how in (Compile.graph, Compile.full):
        raise UserError(f"settings.compile={how}: on several devices steps are run as they are; use auto or none")
    if precision is Precision.auto:
        precision = Precision.tf32 if on_gpu else Precision.fp32
    if how is Compile.auto:
        how = Compile.graph if on_gpu and devices == 1 else Compile.none
    return Acceleration(precision, how, on_gpu)


def use_precision(precision: Precision) -> None:
    """Allow or forbid rounding float32 matrix products, cuDNN's LSTM among them, to tf32."""
    rounded = precision is not Precision.fp32
    torch.set_float32_matmul_precision("high" if rounded else "highest")
    torch.backends.cudnn.allow_tf32 = rounded


def compile_network(network: nn.Module, device: torch.device) -> None:
    """Compile a network in place; weights and saved files stay as they are, copies are not compiled.

    What is compiled is one call: a step of a window network, in training and in free run; a state network's whole
    horizon, in training only (see :meth:`~surrogate_modeling.networks.base.Network.free_run`).

    Args:
        network: on any device.
        device: it will run on.

    Raises:
        UserError: torch cannot compile on this machine.
    """

    def smallest(x: Tensor) -> Tensor:
        return x.sin() + 1

    hide_from_compiler()
    try:
        # Now, not in the first step, so that a missing compiler is reported before an epoch begins.
        torch.compile(smallest)(torch.zeros(2, device=device))
    # torch's back ends share no class of errors.
    except Exception as error:
        raise UserError(
            f"settings.compile=full: torch cannot compile on this machine ({first_line(error)}); install a C++ "
            "compiler (g++), or take settings.compile=auto"
        ) from None
    network.compile()
