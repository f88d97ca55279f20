"""Translate a PyTorch module at fixed sizes to one function in C, which needs only the C library, or in JavaScript.

The module is exported to PyTorch's own graph of ATen operations, and each of them is written as plain loops. So every
network works whose operations are among ``OPERATORS``; any other is refused by name. Values that depend on no input
(position tables, transposed weights) are computed here and written as constants.
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.export.graph_signature import InputKind

from surrogate_modeling.deployment.c_code.builder import Array, Builder, Constants, TranslationError, contiguous
from surrogate_modeling.deployment.c_code.dialects import Dialect
from surrogate_modeling.deployment.c_code.operators import OPERATORS

aten = torch.ops.aten
# Written as routines; PyTorch would take them apart into dozens of small operations.
PRESERVED_OPERATIONS = (
    aten.linear.default, aten.layer_norm.default, aten.softmax.int, aten.scaled_dot_product_attention.default,
    aten.lstm.input, aten.gru.input,
)  # fmt: skip
# These are given constants as they are.
TENSOR_OPERATIONS = (*PRESERVED_OPERATIONS, aten.index.Tensor, aten.index_select.default, aten.gather.default)


@dataclass(frozen=True)
class Function:
    """Function of the arrays ``in0``, ..., which fills ``out0``, ..., and the length of its workspace ``w``."""

    name: str
    text: str
    workspace: int


def translate(
    name: str, module: nn.Module, inputs: Sequence[Tensor], constants: Constants, dialect: Dialect | None = None
) -> Function:
    """Write the module as a function for inputs of these shapes.

    Args:
        name: of the function.
        module: in evaluation mode; returns a tensor or several.
        inputs: examples, float32.
        constants: of the file; the weights are added to them.
        dialect: of the language; None for C.

    Raises:
        TranslationError: an operation has no counterpart here.
    """
    graph = export_graph(module, inputs)
    builder = Builder(constants, dialect)
    node_values = _placeholders(graph, inputs)
    outputs: Sequence[Any] = ()
    for node in graph.graph.nodes:
        if node.op == "call_function":
            node_values[node] = _evaluate(builder, node, node_values)
        elif node.op == "output":
            outputs = [node_values[argument] for argument in node.args[0]]
    for i, values in enumerate(outputs):
        array = values if isinstance(values, Array) else constants.add(values)
        builder.copy(array, Array(f"out{i}", array.shape, contiguous(array.shape)))
    text = builder.dialect.function(name, len(inputs), len(outputs), builder.statements)
    return Function(name, text, builder.workspace)


def export_graph(module: nn.Module, inputs: Sequence[Tensor]) -> Any:
    """Export the module as a graph of core ATen operations and the layers that are kept whole."""
    table = torch.export.default_decompositions()
    for operation in PRESERVED_OPERATIONS:
        table.pop(operation, None)
    with warnings.catch_warnings():
        # Recurrent layers rearrange their own weights while being traced; the graph does not see it.
        warnings.filterwarnings("ignore", message="The tensor attributes")
        return torch.export.export(module, tuple(inputs)).run_decompositions(table)


def _placeholders(program: Any, inputs: Sequence[Tensor]) -> dict[Any, Any]:
    """Weights as tensors, inputs as arrays."""
    node_values: dict[Any, Any] = {}
    weights = {**program.state_dict, **program.constants}
    nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    count = 0
    for spec in program.graph_signature.input_specs:
        node = nodes[spec.arg.name]
        if spec.kind is InputKind.USER_INPUT:
            shape = tuple(inputs[count].shape)
            node_values[node] = Array(f"in{count}", shape, contiguous(shape))
            count += 1
        else:
            node_values[node] = weights[spec.target]
    return node_values


def _evaluate(builder: Builder, node: Any, node_values: dict[Any, Any]) -> Any:
    """The value of a node: a tensor where no input is involved, else an array."""
    arguments = torch.fx.node.map_arg(node.args, node_values.__getitem__)
    keywords = torch.fx.node.map_arg(node.kwargs, node_values.__getitem__)
    if node.target is operator.getitem:
        return arguments[0][arguments[1]]
    if not _holds_array((arguments, keywords)):
        return node.target(*arguments, **keywords)
    if node.target not in OPERATORS:
        raise TranslationError(f"the operation {node.target} of this network cannot be translated yet")
    if node.target not in TENSOR_OPERATIONS:
        arguments = _map_tensors(arguments, builder.constants.add)
    return OPERATORS[node.target](builder, *arguments, **_drop_storage(keywords))


def _holds_array(value: Any) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    return isinstance(value, Array) or (isinstance(value, list | tuple) and any(map(_holds_array, value)))


def _map_tensors(value: Any, change: Any) -> Any:
    if isinstance(value, Tensor):
        return change(value)
    return [_map_tensors(part, change) for part in value] if isinstance(value, list | tuple) else value


def _drop_storage(keywords: dict[str, Any]) -> dict[str, Any]:
    """Drop keywords that choose where or how tensors are stored."""
    storage = ("dtype", "layout", "device", "pin_memory", "memory_format", "non_blocking")
    return {key: value for key, value in keywords.items() if key not in storage}
