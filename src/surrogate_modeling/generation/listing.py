"""What an FMU has, printed as a plan to edit: a YAML file whose comments are the table of its variables."""

from __future__ import annotations

import json

from surrogate_modeling.common.tables import aligned
from surrogate_modeling.generation.cases_plan import FAMILIES
from surrogate_modeling.generation.fmu_model import FmuModel, FmuVariable

HINTS = f"""
# An input is a range [low, high], or a mapping:
#   range: [low, high]
#   family: steps         # {", ".join(FAMILIES)}; or a list, of which each case draws one
#   times: [2, 20]        # shortest and longest time [s] a level, ramp or period lasts; of prbs the first is the clock
#   rate: null            # largest change per second
#   file: null            # family recorded: a CSV in the case format, a folder or a pattern
"""


def list_fmu(model: FmuModel) -> str:
    """The whole text."""
    head = [["name", "causality", "unit", "start", "min", "max", "description"]]
    shown = [item for item in model.variables if item.causality in ("input", "output", "parameter")]
    rows = [
        [item.name, item.causality, item.unit, *map(_shown, (item.start, item.low, item.high)), item.description]
        for item in shown
    ]
    others = len(model.variables) - len(shown)
    lines = [f"# {model}", "#", *(f"# {line}".rstrip() for line in aligned([*head, *rows]).splitlines())]
    if others:
        lines.append(f"# and {others} more numbers, which outputs may name and, where they have one, start may set")
    if model.left_out:
        lines.append(f"# not supported, left as they are (arrays, texts): {', '.join(model.left_out)}")
    if model.step is not None:
        lines.append(f"# the FMU asks for a step of {model.step:g} s: dataset.output_step should be a multiple of it")
    return "\n".join(
        [
            *lines,
            HINTS,
            "inputs:" if model.of("input") else "inputs: {}",
            *(_range_line(item) for item in model.of("input").values()),
            "# one value per case, drawn from its range: take away the # of those that shall vary",
            "parameter_ranges:",
            *(f"#{_range_line(item)}  # start {_shown(item.start)}" for item in model.of("parameter").values()),
            "# one value for all cases, where it shall not be the start value: name: value",
            "start:",
            f"outputs: {json.dumps(list(model.of('output')), ensure_ascii=False)}",
        ]
    )


def _range_line(item: FmuVariable) -> str:
    limits = f"[{_shown(item.low) or 'LOW'}, {_shown(item.high) or 'HIGH'}]"
    unsaid = "" if item.low is not None and item.high is not None else "  # not in the model description: write numbers"
    return f"  {json.dumps(item.name, ensure_ascii=False)}: {limits}{unsaid}"


def _shown(value: float | None) -> str:
    return "" if value is None else repr(value).removesuffix(".0")
