"""Translated C against PyTorch, the operations one by one."""

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch
from operations import OPERATIONS, Layers, Wrapped, rand
from torch import Tensor, nn

from surrogate_modeling.deployment.c_code.builder import Constants, TranslationError
from surrogate_modeling.deployment.c_code.translation import translate

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")


def run_c(folder: Path, module: nn.Module, inputs: tuple[Tensor, ...]) -> list[np.ndarray]:
    """Translate, compile and call."""
    constants = Constants()
    function = translate("run", module.eval(), inputs, constants)
    routines = resources.files("surrogate_modeling.deployment.c_code").joinpath("routines.h").read_text()
    source = "\n".join(
        ["#include <math.h>", routines, *constants.text, function.text.replace("static void", "void", 1)]
    )
    (folder / "f.c").write_text(source)
    library = folder / "f.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", str(library), str(folder / "f.c"), "-lm"], check=True)
    with torch.no_grad():
        expected = module(*inputs)
    expected = expected if isinstance(expected, tuple) else (expected,)
    arrays = [np.ascontiguousarray(values.numpy(), np.float32) for values in inputs]
    outputs = [np.zeros(tuple(values.shape), np.float32) for values in expected]
    work = np.zeros(max(1, function.workspace), np.float32)
    everything = [array.ctypes.data_as(ctypes.c_void_p) for array in (*arrays, *outputs, work)]
    ctypes.CDLL(str(library)).run(*everything)
    return outputs


def check(folder: Path, module: nn.Module | Callable[..., object], *inputs: Tensor, rtol: float = 1e-5) -> None:
    module = module if isinstance(module, nn.Module) else Wrapped(module)
    with torch.no_grad():
        expected = module.eval()(*inputs)
    expected = expected if isinstance(expected, tuple) else (expected,)
    for one, other in zip(run_c(folder, module, inputs), expected, strict=True):
        np.testing.assert_allclose(one, other.numpy(), rtol=rtol, atol=2e-6)


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations(tmp_path: Path, name: str) -> None:
    function, inputs = OPERATIONS[name]
    check(tmp_path, function, *inputs)


def test_computed_positions_beyond_exact_floats_are_refused() -> None:
    far = torch.zeros(1).expand(2**24 + 1)
    with pytest.raises(TranslationError, match="16777216"):
        translate("run", Wrapped(lambda x: far.index_select(0, (x > 0).int())), (rand(3),), Constants())


@pytest.mark.parametrize("batch_first", [True, False])
def test_layers(tmp_path: Path, batch_first: bool) -> None:
    torch.manual_seed(0)
    check(tmp_path, Layers(batch_first), rand(1, 5, 3) if batch_first else rand(5, 1, 3))


def test_an_unknown_operation_is_refused_by_name() -> None:
    with pytest.raises(TranslationError, match=r"aten\.sort"):
        translate("run", Wrapped(lambda x: x.sort()[0]), (rand(3),), Constants())
