"""Comparisons between controls, as a user writes them: parsed as Python, evaluated without it.

Only numbers, names of controls, arithmetic, comparisons, ``and``, ``or``, ``not`` and four functions are understood;
anything else is refused. Names that are no words of Python stand in backquotes: ```fan duty` <= 80``.

Shape letters: T rows.
"""

from __future__ import annotations

import ast
import operator
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from surrogate_modeling.common.errors import UserError

# Longer ones could nest deeper than Python's stack.
MAX_LETTERS = 300
LARGEST = 1e300
QUOTED = re.compile(r"`([^`]*)`")
ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
COMPARISONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
# Name -> function and number of its arguments.
FUNCTIONS: dict[str, tuple[Callable[..., Any], int]] = {
    "abs": (np.abs, 1),
    "sqrt": (np.sqrt, 1),
    "min": (np.minimum, 2),
    "max": (np.maximum, 2),
}


@dataclass(frozen=True)
class Constraint:
    """A comparison that every row of a schedule must satisfy.

    Attributes:
        text: as the user wrote it.
        tree: checked.
        quoted: name of a control by the word that stands for it in the tree.
    """

    text: str
    tree: ast.expr
    quoted: Mapping[str, str]

    @classmethod
    def of(cls, text: str, controls: Sequence[str]) -> Constraint:
        """Parse a comparison.

        Args:
            text: such as ``0 <= valve - 0.5 * pump <= 1``.
            controls: names that it may hold.

        Raises:
            UserError: it cannot be read, holds anything but the above, or compares nothing.
        """
        if len(text) > MAX_LETTERS:
            raise UserError(f"constraints: {text[:40]}...: longer than {MAX_LETTERS} letters")
        quoted: dict[str, str] = {}

        def stand_in(found: re.Match[str]) -> str:
            """A word in the place of a quoted name."""
            word = f"quoted_{len(quoted)}_"
            quoted[word] = found[1]
            return word

        try:
            tree = ast.parse(QUOTED.sub(stand_in, text).strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise UserError(f"constraints: '{text}': {_how()}") from None
        # Python folds compatible letters of names (PEP 3131).
        plain = {unicodedata.normalize("NFKC", name): name for name in controls}
        names = {**plain, **quoted}
        for name in quoted.values():
            if name not in controls:
                raise UserError(f"constraints: '{text}': no control `{name}`; there are {', '.join(controls)}")
        _check(tree, text, names)
        if not _is_comparison(tree):
            raise UserError(f"constraints: '{text}': compares nothing; {_how()}")
        return cls(text, tree, names)

    def holds(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Whether the comparison holds in each row (T,); not where a value is not a number.

        Args:
            columns: values (T,) of the controls, by name.
        """
        with np.errstate(all="ignore"):
            return np.asarray(self._value(self.tree, columns), dtype=bool)

    def _value(self, node: ast.expr, columns: Mapping[str, np.ndarray]) -> Any:
        def of(inner: ast.expr) -> Any:
            """Value of a part."""
            return self._value(inner, columns)

        match node:
            case ast.Constant():
                return np.float64(node.value)  # type: ignore[arg-type]
            case ast.Name():
                return columns[self.quoted[node.id]].astype(np.float64)
            case ast.UnaryOp(op=ast.Not()):
                return np.logical_not(of(node.operand))
            case ast.UnaryOp():
                return -of(node.operand) if isinstance(node.op, ast.USub) else of(node.operand)
            case ast.BinOp():
                return ARITHMETIC[type(node.op)](of(node.left), of(node.right))
            case ast.BoolOp():
                joined = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
                return joined.reduce(np.broadcast_arrays(*map(of, node.values)))
            case ast.Compare():
                parts = [of(part) for part in (node.left, *node.comparators)]
                pairs = zip(node.ops, parts, parts[1:], strict=False)
                return np.logical_and.reduce(
                    np.broadcast_arrays(*(COMPARISONS[type(op)](left, right) for op, left, right in pairs))
                )
            case ast.Call(func=ast.Name(id=name)):
                return FUNCTIONS[name][0](*map(of, node.args))
        raise AssertionError(f"{type(node).__name__} was not refused")


def _check(node: ast.expr, text: str, names: Mapping[str, str]) -> None:
    """Refuse what is not understood.

    Raises:
        UserError: such a part is there.
    """
    inner: Sequence[ast.expr] = ()
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool) and abs(value) < LARGEST:
            return
        case ast.Name(id=name):
            if name in names:
                return
            raise UserError(
                f"constraints: '{text}': no control {name!r}; there are {', '.join(dict.fromkeys(names.values()))} "
                "(names with spaces or dots in `backquotes`)"
            )
        case ast.UnaryOp(op=ast.UAdd() | ast.USub() | ast.Not()):
            inner = [node.operand]
        case ast.BinOp() if type(node.op) in ARITHMETIC:
            inner = [node.left, node.right]
        case ast.BoolOp():
            inner = node.values
        case ast.Compare() if all(type(op) in COMPARISONS for op in node.ops):
            inner = [node.left, *node.comparators]
        case ast.Call(func=ast.Name(id=name)) if name in FUNCTIONS and not node.keywords:
            if len(node.args) != FUNCTIONS[name][1]:
                raise UserError(f"constraints: '{text}': {name} takes {FUNCTIONS[name][1]}, not {len(node.args)}")
            inner = node.args
        case _:
            raise UserError(f"constraints: '{text}': '{ast.unparse(node)[:40]}' is not understood; {_how()}")
    for part in inner:
        _check(part, text, names)


def _is_comparison(node: ast.expr) -> bool:
    if isinstance(node, ast.BoolOp):
        return all(map(_is_comparison, node.values))
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Not) and _is_comparison(node.operand)
    return isinstance(node, ast.Compare)


def _how() -> str:
    return (
        "give a comparison of controls and numbers with + - * / **, and, or, not, "
        f"{', '.join(FUNCTIONS)}, as in 'valve + 0.5 * pump <= 1.2'; names with other signs than letters, digits and _ "
        "stand in backquotes: '`gear=D1` < 1'"
    )
