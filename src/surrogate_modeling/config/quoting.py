"""Quote command-line values for Hydra's grammar, which reads Latin letters and a few signs only.

``dataset.path=データ/夏`` or ``dataset.targets=[圧力,T out]`` come from the shell without quotes.
A value that Hydra can read is left as it is, so nothing changes its meaning.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

# Sweeps and casts are Hydra's own syntax: an error in one must be reported, not quoted as a text.
# Read as a value of another type.
WORDS = ("null", "true", "false", "nan", "inf")
FUNCTION = re.compile(r"(choice|range|interval|glob|shuffle|sort|tag|str|int|float|bool|json_str|extend_list)\(")


def quoted(arguments: Sequence[str]) -> list[str]:
    """Quote the values of a command's arguments that Hydra could not read otherwise."""
    return [_quoted(argument) for argument in arguments]


def listed(names: Sequence[str]) -> str:
    """Names as a list that Hydra reads, those in quotes that it could not read otherwise: ``[valve,"T out"]``."""
    parts = []
    for name in names:
        plain = re.fullmatch(r"[A-Za-z_][\w.-]*", name, re.ASCII) and name.lower() not in WORDS
        parts.append(name if plain else quote(name, '"'))
    return f"[{','.join(parts)}]"


def train_command(dataset: Sequence[str], step: float, *settings: str) -> str:
    """The command that trains on cases, as it is pasted into a shell.

    Args:
        dataset: arguments that say which cases, and the roles of their columns.
        step: between their rows [s].
        settings: more arguments.
    """
    words = ["dataset=csv"] * (not any(word.startswith("dataset=") for word in dataset))
    return pasted("train", [*words, *dataset, f"settings.decimate_range={step:g}", *settings, "model=auto"])


def pasted(command: str, words: Sequence[str]) -> str:
    """A command with arguments in the quotes that a shell needs."""
    return " ".join([f"pdm run {command}", *map(shlex.quote, words)])


def quote(text: str, mark: str = "'") -> str:
    """A text that Hydra's grammar reads back as it is."""
    # Hydra reads a backslash as an escape only before a quote.
    escaped = re.sub(rf"(\\*){mark}", rf"\1\1\\{mark}", text)
    return mark + re.sub(r"(\\+)$", r"\1\1", escaped) + mark


def _quoted(argument: str) -> str:
    key, equals, value = argument.partition("=")
    if argument.startswith("-") or not equals or FUNCTION.match(value) or "${" in value or _is_readable(argument):
        return argument
    if value.startswith("[") and value.endswith("]"):
        inner = ",".join(part if _is_readable(f"x={part}") else quote(part.strip()) for part in value[1:-1].split(","))
        attempt = f"{key}=[{inner}]"
    else:
        attempt = f"{key}={quote(value)}"
    return attempt if _is_readable(attempt) else argument


def _is_readable(argument: str) -> bool:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        OverridesParser.create().parse_override(argument)
    except HydraException:
        return False
    return True
