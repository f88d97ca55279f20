"""Tables in files of named arrays and groups: HDF5 and MATLAB.

A group that holds arrays is one table, with all that lies beneath it; a group of groups is a file of several. Single
numbers are parameters, those of an outer group also of the tables inside. Groups of a time and a data array each
(MATLAB's and Simulink's time series) are columns of one table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from surrogate_modeling.common.wording import names_and_rest
from surrogate_modeling.importing.raw_table import BadFile, ReadOptions


@dataclass(frozen=True)
class Leaf:
    """An array of numbers or texts, with its unit, and the names and units of its columns if it has two dimensions."""

    values: np.ndarray
    unit: str = ""
    names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()

    @property
    def is_text(self) -> bool:
        """Whether it holds texts."""
        return self.values.dtype.kind in "OUS"

    @property
    def is_array(self) -> bool:
        """Whether it holds several numbers."""
        return self.values.size > 1 and not self.is_text


Node: TypeAlias = "Leaf | Mapping[str, Node] | Sequence[Node]"
Group: TypeAlias = Mapping[str, Node]


@dataclass(frozen=True)
class Found:
    """A group that is one table.

    Attributes:
        path: of the group in the file.
        leaves: arrays, numbers and texts beneath it by their path in it.
        outer: numbers and texts of the groups around it.
        series: names of its groups of a time and a data array each.
    """

    path: str
    leaves: dict[str, Leaf]
    outer: dict[str, Leaf] = field(default_factory=dict)
    series: tuple[str, ...] = ()


def find_tables(tree: Group, options: ReadOptions, source: str) -> list[Found]:
    """The groups of a file that are tables.

    Args:
        tree: all of the file.
        options: parts to read: paths of groups or arrays.
        source: for messages.

    Raises:
        BadFile: a part that is not there, or no arrays at all.
    """
    leaves = _flat(tree)
    for part in options.parts:
        if not any(_inside(path, part) for path in leaves):
            known = names_and_rest(map(repr, tree), 30)
            raise BadFile(source, f"parts: {part!r} is not in the file; its groups and arrays are {known}")
    found = list(_tables(tree, "", {}))
    if options.parts:
        found = [_selected(table, options.parts) for table in found]
    found = [table for table in found if any(leaf.is_array for leaf in table.leaves.values())]
    if not found:
        raise BadFile(source, "no arrays of numbers; export the signals as arrays of one length, time among them")
    return found


def _selected(table: Found, parts: Sequence[str]) -> Found:
    def wanted(name: str, leaf: Leaf) -> bool:
        """Whether a leaf is a constant, or within one of the parts."""
        whole = f"{table.path}/{name}" if table.path else name
        return not leaf.is_array or any(_inside(whole, part) for part in parts)

    return replace(table, leaves={name: leaf for name, leaf in table.leaves.items() if wanted(name, leaf)})


def _inside(path: str, part: str) -> bool:
    part = part.strip("/")
    return path == part or path.startswith((f"{part}/", f"{part}["))


def _tables(node: Node, path: str, outer: dict[str, Leaf]) -> Iterator[Found]:
    """Groups that hold arrays, or whose groups are time series; the others are searched."""
    if isinstance(node, Leaf):
        return
    children = dict(_children(node))
    arrays = [name for name, child in children.items() if isinstance(child, Leaf) and child.is_array]
    series = [name for name, child in children.items() if _is_series(child)]
    if arrays or series:
        yield Found(path, _flat(children), outer, () if arrays else tuple(series))
        return
    texts_and_numbers = {name: child for name, child in children.items() if isinstance(child, Leaf)}
    for name, child in children.items():
        if not isinstance(child, Leaf):
            inner = f"{path}{name}" if name.startswith("[") or not path else f"{path}/{name}"
            yield from _tables(child, inner, outer | texts_and_numbers)


def _children(node: Group | Sequence[Node]) -> Iterator[tuple[str, Node]]:
    if isinstance(node, Mapping):
        yield from node.items()
    else:
        yield from ((f"[{i}]", child) for i, child in enumerate(node, start=1))


def _flat(node: Node, path: str = "") -> dict[str, Leaf]:
    """Every array beneath a node by its path."""
    if isinstance(node, Leaf):
        return {path: node}
    leaves: dict[str, Leaf] = {}
    for name, child in _children(node):
        leaves |= _flat(child, f"{path}{name}" if name.startswith("[") or not path else f"{path}/{name}")
    return leaves


def _is_series(node: Node) -> bool:
    return isinstance(node, Mapping) and {"time", "data"} <= {name.lower() for name in node}
