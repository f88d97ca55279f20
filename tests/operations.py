"""Modules with every operation that can be translated to C and JavaScript, and inputs of them."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as fn


class Wrapped(nn.Module):
    def __init__(self, function: Callable[..., object]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> object:
        return self.function(*inputs)


def rand(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)))


def elementwise(x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
    positive = x.abs() + 0.1
    return (
        fn.gelu(x), fn.gelu(x, approximate="tanh"), fn.silu(x), torch.tanh(x), torch.sigmoid(x), torch.exp(x),
        torch.log(positive), torch.log1p(positive), torch.expm1(x), fn.softplus(x), fn.softplus(20 * x), x.sqrt(),
        positive.rsqrt(), positive**0.5, x**2, x**3, positive**-1.5, 2.0**x, -x, x.sin(), x.cos(), 1 / positive,
        x + 2 * y, x - y, 1.5 - x, x * y, x / (y.abs() + 1), torch.maximum(x, y), torch.minimum(x, y),
        x.clamp(-0.5, 0.5), x.clamp(min=0.1), fn.leaky_relu(x), fn.elu(x), fn.relu(x), fn.hardtanh(x),
        torch.where(x > y, x, y * 2), torch.add(x, y, alpha=3), torch.erf(x), torch.addcmul(x, y, y, value=0.5),
    )  # fmt: skip


def views(x: Tensor) -> tuple[Tensor, ...]:
    first, second = x.chunk(2, dim=1)
    return (
        x.permute(2, 0, 1), x.transpose(1, 2).reshape(2, -1), x.flatten(), x[:, 1:3], x[..., ::2], x[:, -1],
        x[0, 1:, 2],
        x.unsqueeze(1).expand(2, 3, 4, 6) + 1, x[:, :1].squeeze(1), torch.cat((first, second * 2), dim=-1),
        torch.stack((first, second), dim=1), x[..., torch.tensor([3, 0, 3])], x.flip(1) + x, x.repeat(1, 2, 1),
        torch.cat(list(x.unbind(1))[::-1], dim=-1), x.unflatten(-1, (2, 3)).sum(-1),
        fn.pad(x, (1, 2), value=1.0), x.index_select(1, torch.tensor([2, 2])), torch.arange(6.0) + x[0, 0],
        x.repeat_interleave(2, dim=-1), x.split([1, 3], dim=1)[1].contiguous().view(-1), x.cumsum(1), torch.full_like(x, 2.5),
    )  # fmt: skip


TABLE = rand(7)


def computed_indices(x: Tensor) -> tuple[Tensor, ...]:
    table = TABLE
    above = (x > 0).int()
    place = above.sum(-1)
    wide = above.long() * 3 + torch.arange(4)
    return (
        table[place.long() - 4], table.index_select(0, wide[0, 0]), x[:, place[0] - 1], x.index_select(2, above[1, 2]),
        x.gather(2, above.long()), x.gather(-1, wide[..., :2].clamp(max=3)), table.expand(2, 3, 7).gather(2, wide),
        (x >= x[0]).float() * (x <= 0.5) + (x == x.abs()) - (x != x[1]).int(),
    )  # fmt: skip


def sums_and_products(x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
    return (
        x.sum(), x.sum(1), x.mean(dim=(0, 2)), x.mean(-1, keepdim=True), x.amax(1), x.amin((1, 2)), x @ y, x[0] @ y,
        torch.bmm(x, x.transpose(1, 2)), torch.einsum("bij,jk->bki", x, y), torch.addmm(y[0], x[0], y),
        torch.softmax(x, dim=1), torch.softmax(x, dim=-1), x.var(-1), x[0, 0] @ y, torch.outer(y[0], y[1]),
    )  # fmt: skip


def with_nan(x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
    return (
        fn.relu(x), x.clamp(-0.5, 0.5), x.clamp(min=0.1), x.clamp(max=0.1), fn.hardtanh(x), torch.maximum(x, y),
        torch.maximum(y, x), torch.minimum(x, y), torch.minimum(y, x), x.amax(1), x.amin(1), x.amax(0), x.amin(0),
        fn.leaky_relu(x), fn.elu(x), fn.silu(x), fn.gelu(x), fn.softplus(x), torch.softmax(x, dim=1), torch.erf(x),
        (x > y).float(), (x <= y).float(),
    )  # fmt: skip


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


OPERATIONS: dict[str, tuple[Callable[..., tuple[Tensor, ...]], tuple[Tensor, ...]]] = {
    "elementwise": (
        elementwise,
        (
            rand(3, 4),
            rand(4),
        ),
    ),
    "with_nan": (with_nan, (torch.tensor([[torch.nan, 2.0, -1.0], [0.3, torch.nan, torch.nan]]), rand(3))),
    "views": (views, (rand(2, 4, 6),)),
    "computed_indices": (computed_indices, (rand(2, 3, 4),)),
    "sums_and_products": (
        sums_and_products,
        (
            rand(2, 3, 5),
            rand(5, 4),
        ),
    ),
}
