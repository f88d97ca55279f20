"""Translated C against PyTorch: every network of ours, and the operations one by one."""

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from surrogate_modeling.deployment.c_code.builder import Constants, CTranslationError
from surrogate_modeling.deployment.c_code.translation import translate

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")


class Wrapped(nn.Module):
    def __init__(self, function: Callable[..., object]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> object:
        return self.function(*inputs)


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


def rand(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)))


def test_many_elementwise_operations_in_one(tmp_path: Path) -> None:
    def function(x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
        positive = x.abs() + 0.1
        return (
            fn.gelu(x), fn.gelu(x, approximate="tanh"), fn.silu(x), torch.tanh(x), torch.sigmoid(x), torch.exp(x),
            torch.log(positive), torch.log1p(positive), torch.expm1(x), fn.softplus(x), fn.softplus(20 * x), x.sqrt(),
            positive.rsqrt(), positive**0.5, x**2, x**3, positive**-1.5, 2.0**x, -x, x.sin(), x.cos(), 1 / positive,
            x + 2 * y, x - y, 1.5 - x, x * y, x / (y.abs() + 1), torch.maximum(x, y), torch.minimum(x, y),
            x.clamp(-0.5, 0.5), x.clamp(min=0.1), fn.leaky_relu(x), fn.elu(x), fn.relu(x), fn.hardtanh(x),
            torch.where(x > y, x, y * 2), torch.add(x, y, alpha=3), torch.erf(x), torch.addcmul(x, y, y, value=0.5),
        )  # fmt: skip

    check(tmp_path, function, rand(3, 4), rand(4))


def test_views_and_joins(tmp_path: Path) -> None:
    def function(x: Tensor) -> tuple[Tensor, ...]:
        first, second = x.chunk(2, dim=1)
        return (
            x.permute(2, 0, 1), x.transpose(1, 2).reshape(2, -1), x.flatten(), x[:, 1:3], x[..., ::2], x[:, -1],
            x[0, 1:, 2],
            x.unsqueeze(1).expand(2, 3, 4, 6) + 1, x[:, :1].squeeze(1), torch.cat((first, second * 2), dim=-1),
            torch.stack((first, second), dim=1), x[..., torch.tensor([3, 0, 3])], x.flip(1) + x, x.repeat(1, 2, 1),
            torch.cat(list(x.unbind(1))[::-1], dim=-1), x.unflatten(-1, (2, 3)).sum(-1),
            fn.pad(x, (1, 2), value=1.0), x.index_select(1, torch.tensor([2, 2])), torch.arange(6.0) + x[0, 0],
            x.repeat_interleave(2, dim=-1), x.split([1, 3], dim=1)[1].contiguous().view(-1), x.cumsum(1),
        )  # fmt: skip

    check(tmp_path, function, rand(2, 4, 6))


def test_computed_indices(tmp_path: Path) -> None:
    table = rand(7)

    def function(x: Tensor) -> tuple[Tensor, ...]:
        above = (x > 0).int()
        place = above.sum(-1)
        wide = above.long() * 3 + torch.arange(4)
        return (
            table[place.long() - 4], table.index_select(0, wide[0, 0]), x[:, place[0] - 1], x.index_select(2, above[1, 2]),
            x.gather(2, above.long()), x.gather(-1, wide[..., :2].clamp(max=3)), table.expand(2, 3, 7).gather(2, wide),
            (x >= x[0]).float() * (x <= 0.5) + (x == x.abs()) - (x != x[1]).int(),
        )  # fmt: skip

    check(tmp_path, function, rand(2, 3, 4))


def test_computed_positions_beyond_exact_floats_are_refused() -> None:
    far = torch.zeros(1).expand(2**24 + 1)
    with pytest.raises(CTranslationError, match="16777216"):
        translate("run", Wrapped(lambda x: far.index_select(0, (x > 0).int())), (rand(3),), Constants())


def test_sums_and_products(tmp_path: Path) -> None:
    def function(x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
        return (
            x.sum(), x.sum(1), x.mean(dim=(0, 2)), x.mean(-1, keepdim=True), x.amax(1), x.amin((1, 2)), x @ y, x[0] @ y,
            torch.bmm(x, x.transpose(1, 2)), torch.einsum("bij,jk->bki", x, y), torch.addmm(y[0], x[0], y),
            torch.softmax(x, dim=1), torch.softmax(x, dim=-1), x.var(-1), x[0, 0] @ y, torch.outer(y[0], y[1]),
        )  # fmt: skip

    check(tmp_path, function, rand(2, 3, 5), rand(5, 4))


class Layers(nn.Module):
    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        self.batch_first = batch_first
        self.lstm = nn.LSTM(3, 4, 2, batch_first=batch_first)
        self.gru = nn.GRU(4, 3, 2, batch_first=batch_first, bias=batch_first)
        self.cell = nn.GRUCell(3, 3)
        self.norm, self.plain = nn.LayerNorm(3), nn.LayerNorm(3, elementwise_affine=False)
        self.encoder = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        outputs, (h, c) = self.lstm(x)
        second, g = self.gru(outputs)
        last = second[:, -1] if self.batch_first else second[-1]
        query = outputs.reshape(1, 1, -1, 4)
        attended = fn.scaled_dot_product_attention(query, query, query, is_causal=True)
        return outputs, h, c, second, g, self.cell(last), self.norm(second), self.plain(second), attended


@pytest.mark.parametrize("batch_first", [True, False])
def test_layers(tmp_path: Path, batch_first: bool) -> None:
    torch.manual_seed(0)
    check(tmp_path, Layers(batch_first), rand(1, 5, 3) if batch_first else rand(5, 1, 3))


def test_an_unknown_operation_is_refused_by_name() -> None:
    with pytest.raises(CTranslationError, match=r"aten\.sort"):
        translate("run", Wrapped(lambda x: x.sort()[0]), (rand(3),), Constants())
