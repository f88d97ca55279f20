"""Choose the Triton kernels of an operation on a CUDA GPU, outside exports.

The plain form in operations of torch is the reference, and the form that is exported.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

import torch
from torch import Tensor

# Triton comes with torch for CUDA on Linux only.
HAS_TRITON = find_spec("triton") is not None


def triton_form(name: str, values: Tensor) -> ModuleType | None:
    """The module with the Triton kernels ``name``, or None where the plain form is to be used.

    Args:
        name: of the module.
        values: that the kernels would read.
    """
    if not values.is_cuda or values.dtype is torch.float64 or not HAS_TRITON or torch.compiler.is_exporting():
        return None
    return import_module(f"surrogate_modeling.networks.{name}")
