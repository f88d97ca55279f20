"""A network whose calls torch compiles: fewer, larger kernels (Ansel et al. 2024, PyTorch 2, ASPLOS)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from surrogate_modeling.common.errors import UserError, first_line


def compile_network(network: nn.Module, device: torch.device) -> None:
    """Compile a network where it stands: its weights and what is saved of it stay as they are, copies are not compiled.

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

    try:
        # Now, not in the first step: what is missing is said before an epoch begins.
        torch.compile(smallest)(torch.zeros(2, device=device))
    # torch's back ends share no class of errors.
    except Exception as error:
        raise UserError(
            f"settings.compile=True: torch cannot compile on this machine ({first_line(error)}); install a C++ "
            "compiler (g++), or take settings.compile=False"
        ) from None
    network.compile()
