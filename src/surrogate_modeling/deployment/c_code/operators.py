"""Every operation that can be translated, and the sums among them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from surrogate_modeling.deployment.c_code import elementwise, layers, views
from surrogate_modeling.deployment.c_code.builder import Array, Builder, literal
from surrogate_modeling.deployment.c_code.elementwise import binary, unary

aten = torch.ops.aten


def _reduce(start: str, step: str, mean: bool = False) -> Callable[..., Array]:
    """``$a`` is the result so far, ``$x`` the next element."""

    def apply(b: Builder, x: Array, dims: Any = None, keepdim: bool = False) -> Array:
        """Over some dimensions, or all."""
        rank = len(x.shape)
        given_dims = range(rank) if dims is None or dims == [] else [dims] if isinstance(dims, int) else dims
        gone = {d % rank for d in given_dims}
        kept = b.new([1 if d in gone else size for d, size in enumerate(x.shape)])
        b.loop(kept.shape, lambda i: [f"{kept.at(i)} = {start};"])
        into = kept.broadcast(x.shape)
        b.loop(x.shape, lambda i: [f"{into.at(i)} = {step.replace('$a', into.at(i)).replace('$x', x.at(i))};"])
        if mean:
            count = math.prod(x.shape[d] for d in gone)
            b.loop(kept.shape, lambda i: [f"{kept.at(i)} /= {literal(count)};"])
        return kept if keepdim else views.squeeze(b, kept, sorted(gone))

    return apply


def cumulate(b: Builder, x: Array, dim: int) -> Array:
    """Running sums along a dimension."""
    result = b.elementwise([x], lambda element: element)
    size = x.shape[dim]
    before, after = views.cut(b, result, dim, 0, size - 1), views.cut(b, result, dim, 1, size)
    # The dimension must be the outermost loop: each row adds to the one before it.
    before, after = (views.transpose(b, part, 0, dim) for part in (before, after))
    b.loop(after.shape, lambda i: [f"{after.at(i)} += {before.at(i)};"])
    return result


def variance(b: Builder, x: Array, dims: Any = None, *, correction: float = 1, keepdim: bool = False) -> Array:
    """Variance over some dimensions."""
    mean = OPERATORS[aten.mean.dim](b, x, dims, True)
    departure = binary("($x - $y)")(b, x, mean)
    squares = OPERATORS[aten.sum.dim_IntList](b, binary("$x * $y")(b, departure, departure), dims, keepdim)
    count = x.size // mean.size
    return binary("$x / $y")(b, squares, count - correction)


OPERATORS: dict[Any, Callable[..., Any]] = {
    **views.VIEWS,
    **{getattr(aten, name).default: unary(text) for name, text in elementwise.UNARY.items()},
    **{getattr(aten, name).Tensor: binary(text) for name, text in elementwise.BINARY.items()},
    **{getattr(aten, name).Scalar: binary(text) for name, text in elementwise.BINARY.items()},
    aten.maximum.default: binary("larger($x, $y)"),
    aten.minimum.default: binary("smaller($x, $y)"),
    aten.rsub.Scalar: lambda b, x, y: binary("$y - $x")(b, x, y),
    aten.pow.Tensor_Scalar: elementwise.power,
    aten.pow.Tensor_Tensor: elementwise.power,
    aten.pow.Scalar: lambda b, x, y: binary("powf($x, $y)")(b, x, y),
    aten.gelu.default: elementwise.gelu,
    aten.softplus.default: elementwise.softplus,
    aten.clamp.default: elementwise.clamp,
    aten.hardtanh.default: lambda b, x, low=-1.0, high=1.0: elementwise.clamp(b, x, low, high),
    aten.leaky_relu.default: elementwise.leaky_relu,
    aten.elu.default: elementwise.elu,
    aten.where.self: elementwise.where,
    aten.sum.default: _reduce("0.0f", "$a + $x"),
    aten.sum.dim_IntList: _reduce("0.0f", "$a + $x"),
    aten.mean.default: _reduce("0.0f", "$a + $x", mean=True),
    aten.mean.dim: _reduce("0.0f", "$a + $x", mean=True),
    aten.amax.default: _reduce("-INFINITY", "larger($a, $x)"),
    aten.amin.default: _reduce("INFINITY", "smaller($a, $x)"),
    aten.cumsum.default: cumulate,
    aten.var.correction: variance,
    aten.mm.default: layers.matmul,
    aten.bmm.default: layers.matmul,
    aten.addmm.default: layers.addmm,
    aten.linear.default: layers.linear,
    aten.layer_norm.default: layers.layer_norm,
    aten.softmax.int: layers.softmax,
    aten._softmax.default: layers.softmax,
    aten.scaled_dot_product_attention.default: layers.attention,
    aten.lstm.input: layers.recurrent(4),
    aten.gru.input: layers.recurrent(3),
}
