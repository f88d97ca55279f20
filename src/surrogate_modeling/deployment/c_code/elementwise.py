"""The operations that compute element by element; NaN stays NaN wherever it does in PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable

from surrogate_modeling.deployment.c_code.builder import Array, Builder, literal

Operand = Array | float
UNARY = {
    "relu": "$x < 0.0f ? 0.0f : $x", "silu": "$x * sigmoid($x)", "tanh": "tanhf($x)", "sigmoid": "sigmoid($x)",
    "exp": "expf($x)", "expm1": "expm1f($x)", "log": "logf($x)", "log1p": "log1pf($x)", "sqrt": "sqrtf($x)",
    "rsqrt": "1.0f / sqrtf($x)", "neg": "-$x", "abs": "fabsf($x)", "sin": "sinf($x)", "cos": "cosf($x)",
    "erf": "erff($x)", "reciprocal": "1.0f / $x", "logical_not": "$x == 0.0f ? 1.0f : 0.0f",
}  # fmt: skip
BINARY = {
    "add": "$x + $y", "sub": "$x - $y", "mul": "$x * $y", "div": "$x / $y", "gt": "$x > $y ? 1.0f : 0.0f",
    "lt": "$x < $y ? 1.0f : 0.0f", "ge": "$x >= $y ? 1.0f : 0.0f", "le": "$x <= $y ? 1.0f : 0.0f",
    "eq": "$x == $y ? 1.0f : 0.0f", "ne": "$x != $y ? 1.0f : 0.0f",
}  # fmt: skip


def unary(expression: str) -> Callable[[Builder, Array], Array]:
    """``$x`` in the expression stands for the element."""
    return lambda b, x: b.elementwise([x], lambda element: expression.replace("$x", element))


def binary(expression: str) -> Callable[..., Array]:
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
        return unary("$x * $x")(b, x)
    if exponent == 0.5:
        return unary("sqrtf($x)")(b, x)
    return binary("powf($x, $y)")(b, x, exponent)


def gelu(b: Builder, x: Array, approximate: str = "none") -> Array:
    """Gaussian error linear unit, exact or by its tanh approximation."""
    if approximate == "none":
        return unary("0.5f * $x * (1.0f + erff($x * 0.707106781f))")(b, x)
    return unary("0.5f * $x * (1.0f + tanhf(0.797884561f * ($x + 0.044715f * $x * $x * $x)))")(b, x)


def softplus(b: Builder, x: Array, beta: float = 1, threshold: float = 20) -> Array:
    """log(1 + exp(beta x)) / beta; x itself beyond the threshold."""
    scaled = f"($x * {literal(beta)})"
    return unary(f"{scaled} > {literal(threshold)} ? $x : log1pf(expf({scaled})) / {literal(beta)}")(b, x)


def clamp(b: Builder, x: Array, low: float | None = None, high: float | None = None) -> Array:
    """Elements kept between low and high; None is no bound."""
    low, high = -math.inf if low is None else low, math.inf if high is None else high
    return unary(f"smaller(larger($x, {literal(low)}), {literal(high)})")(b, x)


def leaky_relu(b: Builder, x: Array, slope: float = 0.01) -> Array:
    """x where it is positive, ``slope`` x elsewhere."""
    return unary(f"$x > 0.0f ? $x : {literal(slope)} * $x")(b, x)


def elu(b: Builder, x: Array, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Array:
    """Exponential linear unit, scaled (ELU, SELU, CELU)."""
    negative = f"{literal(alpha)} * expm1f({literal(input_scale)} * $x)"
    return unary(f"{literal(scale)} * ($x > 0.0f ? $x : {negative})")(b, x)


def where(b: Builder, condition: Array, x: Operand, y: Operand) -> Array:
    """Elements of x where the condition is not 0, of y elsewhere; either may be a number."""
    arrays = [condition, *(operand for operand in (x, y) if isinstance(operand, Array))]

    def filled(chosen: str, *elements: str) -> str:
        left = iter(elements)
        first, second = (next(left) if isinstance(operand, Array) else literal(operand) for operand in (x, y))
        return f"{chosen} != 0.0f ? {first} : {second}"

    return b.elementwise(arrays, filled)
