"""The operations that compute: elementwise, matrix products, sums, and layers with routines of their own."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

from surrogate_modeling.deployment.c_code import views
from surrogate_modeling.deployment.c_code.builder import Array, Builder, TranslationError, literal

aten = torch.ops.aten
Operand = Array | float


def _unary(expression: str) -> Callable[[Builder, Array], Array]:
    """``$x`` in the expression stands for the element."""
    return lambda b, x: b.elementwise([x], lambda element: expression.replace("$x", element))


def _binary(expression: str) -> Callable[..., Array]:
    """``$x`` and ``$y`` stand for the elements; either operand may be a number."""

    def apply(b: Builder, x: Operand, y: Operand, alpha: float = 1) -> Array:
        """Element by element; ``alpha`` times the second operand."""
        arrays = [operand for operand in (x, y) if isinstance(operand, Array)]

        def filled(*elements: str) -> str:
            left = iter(elements)
            first = next(left) if isinstance(x, Array) else literal(x)
            second = next(left) if isinstance(y, Array) else literal(y)
            if alpha != 1:
                second = f"({literal(alpha)} * {second})"
            return expression.replace("$x", first).replace("$y", second)

        return b.elementwise(arrays, filled)

    return apply


def power(b: Builder, x: Array, exponent: Operand) -> Array:
    """x to the power of ``exponent``, element by element."""
    if exponent == 2:
        return _unary("$x * $x")(b, x)
    if exponent == 0.5:
        return _unary("sqrtf($x)")(b, x)
    return _binary("powf($x, $y)")(b, x, exponent)


def gelu(b: Builder, x: Array, approximate: str = "none") -> Array:
    """Gaussian error linear unit, exact or by its tanh approximation."""
    if approximate == "none":
        return _unary("0.5f * $x * (1.0f + erff($x * 0.707106781f))")(b, x)
    return _unary("0.5f * $x * (1.0f + tanhf(0.797884561f * ($x + 0.044715f * $x * $x * $x)))")(b, x)


def softplus(b: Builder, x: Array, beta: float = 1, threshold: float = 20) -> Array:
    """log(1 + exp(beta x)) / beta; x itself beyond the threshold."""
    scaled = f"($x * {literal(beta)})"
    return _unary(f"{scaled} > {literal(threshold)} ? $x : log1pf(expf({scaled})) / {literal(beta)}")(b, x)


def clamp(b: Builder, x: Array, low: float | None = None, high: float | None = None) -> Array:
    """Elements kept between low and high; None is no bound."""
    low, high = -math.inf if low is None else low, math.inf if high is None else high
    return _unary(f"fminf(fmaxf($x, {literal(low)}), {literal(high)})")(b, x)


def leaky_relu(b: Builder, x: Array, slope: float = 0.01) -> Array:
    """x where it is positive, ``slope`` x elsewhere."""
    return _unary(f"$x > 0.0f ? $x : {literal(slope)} * $x")(b, x)


def elu(b: Builder, x: Array, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Array:
    """Exponential linear unit, scaled (ELU, SELU, CELU)."""
    negative = f"{literal(alpha)} * expm1f({literal(input_scale)} * $x)"
    return _unary(f"{literal(scale)} * ($x > 0.0f ? $x : {negative})")(b, x)


def where(b: Builder, condition: Array, x: Operand, y: Operand) -> Array:
    """Elements of x where the condition is not 0, of y elsewhere; either may be a number."""
    arrays = [condition, *(operand for operand in (x, y) if isinstance(operand, Array))]

    def filled(chosen: str, *elements: str) -> str:
        left = iter(elements)
        first, second = (next(left) if isinstance(operand, Array) else literal(operand) for operand in (x, y))
        return f"{chosen} != 0.0f ? {first} : {second}"

    return b.elementwise(arrays, filled)


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
    departure = _binary("($x - $y)")(b, x, mean)
    squares = OPERATORS[aten.sum.dim_IntList](b, _binary("$x * $y")(b, departure, departure), dims, keepdim)
    count = x.size // mean.size
    return _binary("$x / $y")(b, squares, count - correction)


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
    return _binary("$y + $x")(b, bias, matmul(b, x, y))


def linear(b: Builder, x: Array, weight: torch.Tensor | Array, bias: Array | torch.Tensor | None = None) -> Array:
    """x W^T + b over the last dimension; a constant weight is transposed when the code is written."""
    if isinstance(weight, Array):
        product = matmul(b, x if len(x.shape) > 1 else views.unsqueeze(b, x, 0), views.matrix_transpose(b, weight))
        return product if bias is None else _binary("$x + $y")(b, product, _array(b, bias))
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


def attention(
    b: Builder, query: Array, key: Array, value: Array, mask: Any = None, dropout: float = 0, causal: bool = False, *,
    scale: float | None = None, enable_gqa: bool = False,
) -> Array:  # fmt: skip
    """softmax(query key^T scale + mask) value."""
    if dropout or enable_gqa:
        raise TranslationError("attention with dropout or grouped heads")
    scores = matmul(b, query, views.transpose(b, key, -2, -1))
    scores = _binary("$x * $y")(b, scores, 1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if causal:
        mask = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool).tril()
    if isinstance(mask, torch.Tensor) and mask.dtype == torch.bool:
        mask = torch.zeros(mask.shape).masked_fill(~mask, -torch.inf)
    if mask is not None:
        scores = _binary("$x + $y")(b, scores, _array(b, mask))
    return matmul(b, softmax(b, scores, -1), value)


def _recurrent(gates: int) -> Callable[..., tuple[Array, ...]]:
    """LSTM (4 gates) or GRU (3): PyTorch's ``nn.LSTM`` and ``nn.GRU`` with one sequence, one direction."""

    def apply(
        b: Builder, x: Array, initial: Any, weights: Sequence[torch.Tensor], has_bias: bool, layers: int,
        _dropout: float, _train: bool, bidirectional: bool, batch_first: bool,
    ) -> tuple[Array, ...]:  # fmt: skip
        """Outputs of all rows, and the last states."""
        per_layer = 4 if has_bias else 2
        if bidirectional or len(weights) != layers * per_layer or x.shape[0 if batch_first else 1] != 1:
            raise TranslationError("a recurrent layer with two directions or a projection")
        states = [_array(b, part) for part in (initial if gates == 4 else [initial])]
        size = states[0].shape[-1]
        last = [b.elementwise([state], lambda element: element) for state in states]
        work = b.new((2 * gates * size,))
        rows, kind = x.size // x.shape[-1], "lstm" if gates == 4 else "gru"
        x = b.dense(x)
        for layer in range(layers):
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


UNARY = {
    "relu": "$x > 0.0f ? $x : 0.0f", "silu": "$x * sigmoid($x)", "tanh": "tanhf($x)", "sigmoid": "sigmoid($x)",
    "exp": "expf($x)", "expm1": "expm1f($x)", "log": "logf($x)", "log1p": "log1pf($x)", "sqrt": "sqrtf($x)",
    "rsqrt": "1.0f / sqrtf($x)", "neg": "-$x", "abs": "fabsf($x)", "sin": "sinf($x)", "cos": "cosf($x)",
    "erf": "erff($x)", "reciprocal": "1.0f / $x", "logical_not": "$x == 0.0f ? 1.0f : 0.0f",
}  # fmt: skip
BINARY = {
    "add": "$x + $y", "sub": "$x - $y", "mul": "$x * $y", "div": "$x / $y", "gt": "$x > $y ? 1.0f : 0.0f",
    "lt": "$x < $y ? 1.0f : 0.0f", "ge": "$x >= $y ? 1.0f : 0.0f", "le": "$x <= $y ? 1.0f : 0.0f",
    "eq": "$x == $y ? 1.0f : 0.0f", "ne": "$x != $y ? 1.0f : 0.0f",
}  # fmt: skip
OPERATORS: dict[Any, Callable[..., Any]] = {
    **views.VIEWS,
    **{getattr(aten, name).default: _unary(text) for name, text in UNARY.items()},
    **{getattr(aten, name).Tensor: _binary(text) for name, text in BINARY.items()},
    **{getattr(aten, name).Scalar: _binary(text) for name, text in BINARY.items()},
    aten.maximum.default: _binary("fmaxf($x, $y)"),
    aten.minimum.default: _binary("fminf($x, $y)"),
    aten.rsub.Scalar: lambda b, x, y: _binary("$y - $x")(b, x, y),
    aten.pow.Tensor_Scalar: power,
    aten.pow.Tensor_Tensor: power,
    aten.pow.Scalar: lambda b, x, y: _binary("powf($x, $y)")(b, x, y),
    aten.gelu.default: gelu,
    aten.softplus.default: softplus,
    aten.clamp.default: clamp,
    aten.hardtanh.default: lambda b, x, low=-1.0, high=1.0: clamp(b, x, low, high),
    aten.leaky_relu.default: leaky_relu,
    aten.elu.default: elu,
    aten.where.self: where,
    aten.sum.default: _reduce("0.0f", "$a + $x"),
    aten.sum.dim_IntList: _reduce("0.0f", "$a + $x"),
    aten.mean.default: _reduce("0.0f", "$a + $x", mean=True),
    aten.mean.dim: _reduce("0.0f", "$a + $x", mean=True),
    aten.amax.default: _reduce("-INFINITY", "fmaxf($a, $x)"),
    aten.amin.default: _reduce("INFINITY", "fminf($a, $x)"),
    aten.cumsum.default: cumulate,
    aten.var.correction: variance,
    aten.mm.default: matmul,
    aten.bmm.default: matmul,
    aten.addmm.default: addmm,
    aten.linear.default: linear,
    aten.layer_norm.default: layer_norm,
    aten.softmax.int: softmax,
    aten._softmax.default: softmax,
    aten.scaled_dot_product_attention.default: attention,
    aten.lstm.input: _recurrent(4),
    aten.gru.input: _recurrent(3),
}
