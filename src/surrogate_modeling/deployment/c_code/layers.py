"""Matrix products, and the layers that have routines of their own."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch

from surrogate_modeling.deployment.c_code import views
from surrogate_modeling.deployment.c_code.builder import Array, Builder, TranslationError, literal
from surrogate_modeling.deployment.c_code.elementwise import binary


def matmul(b: Builder, x: Array, y: Array) -> Array:
    """(..., I, K) times (..., K, J) -> (..., I, J)."""
    if y.size == math.prod(y.shape[-2:]) and y.is_contiguous:
        x = b.dense(x)
        plain = b.new((*x.shape[:-1], y.shape[-1]))
        _emit_dense(b, x, y, None, plain)
        return views.view(b, plain, (*torch.broadcast_shapes(x.shape[:-2], y.shape[:-2]), *plain.shape[-2:]))
    batch = torch.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    rows, inner, columns = x.shape[-2], x.shape[-1], y.shape[-1]
    result = b.new((*batch, rows, columns))
    b.loop(result.shape, lambda i: [f"{result.at(i)} = 0.0f;"])
    whole = (*batch, rows, inner, columns)
    left = views.unsqueeze(b, x, -1).broadcast(whole)
    right = views.unsqueeze(b, y, -3).broadcast(whole)
    into = views.unsqueeze(b, result, -2).broadcast(whole)
    b.loop(whole, lambda i: [f"{into.at(i)} += {left.at(i)} * {right.at(i)};"])
    return result


def addmm(b: Builder, bias: Array, x: Array, y: Array, *, beta: float = 1, alpha: float = 1) -> Array:
    """bias + x y, a matrix product; factors ``beta`` and ``alpha`` other than 1 are refused."""
    if (beta, alpha) != (1, 1):
        raise TranslationError("addmm with beta or alpha")
    return binary("$y + $x")(b, bias, matmul(b, x, y))


def linear(b: Builder, x: Array, weight: torch.Tensor | Array, bias: Array | torch.Tensor | None = None) -> Array:
    """x W^T + b over the last dimension; a constant weight is transposed when the code is written."""
    if isinstance(weight, Array):
        product = matmul(b, x if len(x.shape) > 1 else views.unsqueeze(b, x, 0), views.matrix_transpose(b, weight))
        return product if bias is None else binary("$x + $y")(b, product, _array(b, bias))
    x = b.dense(x)
    result = b.new((*x.shape[:-1], weight.shape[0]))
    _emit_dense(b, x, b.constants.add(weight.t()), bias, result)
    return result


def _emit_dense(b: Builder, x: Array, kernel: Array, bias: Any, result: Array) -> None:
    """Rows of x (..., K) times a kernel (..., K, J), all contiguous, plus a bias (J,) or None."""
    inputs, outputs = kernel.shape[-2:]
    b.emit(
        f"dense_layer({b.pointer(x)}, {x.size // inputs}, {inputs}, {outputs}, {b.pointer(kernel)}, "
        f"{_pointer(b, bias)}, {b.pointer(result)});"
    )


def layer_norm(
    b: Builder, x: Array, shape: Sequence[int], weight: Any = None, bias: Any = None, eps: float = 1e-5, *_: Any
) -> Array:
    """Layer normalisation over the last dimensions, whose sizes are ``shape`` (Ba, Kiros and Hinton 2016)."""
    x = b.dense(x)
    size = math.prod(shape)
    result = b.new(x.shape)
    b.emit(
        f"layer_norm({b.pointer(x)}, {x.size // size}, {size}, {_pointer(b, weight)}, {_pointer(b, bias)}, "
        f"{literal(eps)}, {b.pointer(result)});"
    )
    return result


def softmax(b: Builder, x: Array, dim: int, *_: Any) -> Array:
    """Softmax over one dimension."""
    last = views.transpose(b, x, dim, -1)
    result = b.elementwise([last], lambda element: element)
    b.emit(f"softmax({b.pointer(result)}, {result.size // last.shape[-1]}, {last.shape[-1]});")
    return views.transpose(b, result, dim, -1)


class AttentionOptions(NamedTuple):
    """What ``aten.scaled_dot_product_attention`` takes after query, key and value, by its names and in its order."""

    attn_mask: Any = None
    dropout_p: float = 0.0
    is_causal: bool = False
    scale: float | None = None
    enable_gqa: bool = False


def attention(b: Builder, query: Array, key: Array, value: Array, *given: Any, **named: Any) -> Array:
    """softmax(query key^T scale + mask) value; given and named are the options of :class:`AttentionOptions`."""
    options = AttentionOptions(*given, **named)
    if options.dropout_p or options.enable_gqa:
        raise TranslationError("attention with dropout or grouped heads")
    scale = 1 / math.sqrt(query.shape[-1]) if options.scale is None else options.scale
    mask = options.attn_mask
    scores = matmul(b, query, views.transpose(b, key, -2, -1))
    scores = binary("$x * $y")(b, scores, scale)
    if options.is_causal:
        mask = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool).tril()
    if isinstance(mask, torch.Tensor) and mask.dtype == torch.bool:
        mask = torch.zeros(mask.shape).masked_fill(~mask, -torch.inf)
    if mask is not None:
        scores = binary("$x + $y")(b, scores, _array(b, mask))
    return matmul(b, softmax(b, scores, -1), value)


class RecurrentOptions(NamedTuple):
    """What ``aten.lstm`` and ``aten.gru`` take after input, states and weights, by its names and in its order."""

    has_biases: bool
    num_layers: int
    dropout: float
    train: bool
    bidirectional: bool
    batch_first: bool


def recurrent(gates: int) -> Callable[..., tuple[Array, ...]]:
    """LSTM (4 gates) or GRU (3): PyTorch's ``nn.LSTM`` and ``nn.GRU`` with one sequence, one direction."""

    def apply(b: Builder, x: Array, initial: Any, weights: Sequence[torch.Tensor], *given: Any) -> tuple[Array, ...]:
        """Outputs of all rows, and the last states; given are the :class:`RecurrentOptions`."""
        options = RecurrentOptions(*given)
        per_layer = 4 if options.has_biases else 2
        is_whole = len(weights) == options.num_layers * per_layer
        if options.bidirectional or not is_whole or x.shape[0 if options.batch_first else 1] != 1:
            raise TranslationError("a recurrent layer with two directions or a projection")
        states = [_array(b, part) for part in (initial if gates == 4 else [initial])]
        size = states[0].shape[-1]
        last = [b.elementwise([state], lambda element: element) for state in states]
        work = b.new((2 * gates * size,))
        rows, kind = x.size // x.shape[-1], "lstm" if gates == 4 else "gru"
        x = b.dense(x)
        for layer in range(options.num_layers):
            own = weights[layer * per_layer : (layer + 1) * per_layer]
            kernels = [b.pointer(b.constants.add(weight.t())) for weight in own[:2]]
            biases = [b.pointer(b.constants.add(bias)) for bias in own[2:]] or [b.dialect.null] * 2
            held = [b.pointer(views.select(b, state, 0, layer)) for state in last]
            result = b.new((*x.shape[:-1], size))
            b.emit(
                f"{kind}_layer({b.pointer(x)}, {rows}, {x.shape[-1]}, {size}, {', '.join(kernels + biases + held)}, "
                f"{b.pointer(work)}, {b.pointer(result)});"
            )
            x = result
        return (x, *last)

    return apply


def _array(b: Builder, values: Any) -> Array:
    return values if isinstance(values, Array) else b.constants.add(values)


def _pointer(b: Builder, values: Any) -> str:
    return b.pointer(None if values is None else b.dense(_array(b, values)))
