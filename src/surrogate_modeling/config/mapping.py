"""Dictionaries by column that Hydra's grammar cannot read, as a name in them has other signs than plain Latin.

They arrive as one text (:mod:`surrogate_modeling.config.quoting`), which is read as YAML here.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

import yaml

# A name that YAML wants in quotes within braces, as it has brackets.
BARE_KEY = re.compile(r"([{,]\s*)([^\s{},\"':][^{},\"':]*?)\s*:")


class _Loader(yaml.SafeLoader):
    """Reads 1e-3 as a number, and on, no, 12:30 and dates as texts, as Hydra does and YAML 1.1 does not."""

    yaml_implicit_resolvers: ClassVar[Any] = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag.endswith(":null")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


for _kind, _pattern in (
    ("bool", r"true|false"),
    ("int", r"[-+]?(0|[1-9]\d*)"),
    ("float", r"[-+]?((\d+\.\d*|\.\d+)(e[-+]?\d+)?|\d+e[-+]?\d+|inf)|nan"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_kind}", re.compile(rf"({_pattern})$", re.IGNORECASE), list("+-.0123456789tTfFiInN")
    )


def mapping_of(value: Any) -> Any:
    """The dictionary that a text such as ``{圧力: 3}`` or ``{P [bar]: 3}`` stands for; any other value unchanged."""
    if not isinstance(value, str):
        return value
    for text in (value, BARE_KEY.sub(r'\1"\2":', value)):
        try:
            found = yaml.load(text, _Loader)
            return _with_blanks(found) if isinstance(found, dict) else value
        except (yaml.YAMLError, ValueError):
            continue
    return value


def _with_blanks(mapping: dict[Any, Any]) -> dict[Any, Any]:
    """Entries such as ``pressure:bar``, behind whose colon YAML wants a blank, as key and value."""
    made: dict[Any, Any] = {}
    for key, value in mapping.items():
        if value is None and ":" in str(key):
            name, _, text = str(key).rpartition(":")
            made[name] = yaml.load(text, _Loader)
        else:
            made[key] = _with_blanks(value) if isinstance(value, dict) else value
    return made
