"""The look as text and as CSV: a row for each column."""

from __future__ import annotations

import math

from surrogate_modeling.common.tables import aligned, csv_text
from surrogate_modeling.common.wording import counted
from surrogate_modeling.inspection.look import Look, usual_rows

HEAD = ("column", "unit", "role", "min", "max", "lost", "63 % after", "95 % after", "of", "linear")
CSV_HEAD = (
    "column", "unit", "role", "min", "max", "mean", "std", "lost_share", "longest_step_s", "time_constant_s",
    "settled_s", "moved_by", "linear_share", "others_tell", "note",
)  # fmt: skip
# Where the linear model tells less, its time constants mean nothing.
LEAST_TOLD = 0.3
# An answer that takes this share of the usual case has not ended in it.
LASTING = 0.85


def text_of(look: Look) -> str:
    """A head line and the table for a terminal."""
    low, high = look.series.low, look.series.high
    units, sampling = look.case_set.channels.units, look.sampling
    rows = []
    for i, name in enumerate(look.names):
        response = look.responses.get(i)
        answer = (
            [_seconds(response.seconds, look), _seconds(response.settled, look),
             look.names[look.controls[response.control]], f"{response.told:.0%}"]
            if response and response.told >= LEAST_TOLD
            else ["", "", "", f"{max(response.told, 0.0):.0%}" if response else ""]
        )  # fmt: skip
        lost = f"{sampling.lost[i]:.1%}" if sampling.lost[i] > 0 else ""
        rows.append((name, units[name], look.role(i), f"{low[i]:.4g}", f"{high[i]:.4g}", lost, *answer))
    head = (
        f"{counted(len(look.case_set.cases), 'case')}, {usual_rows(look.case_set)} rows in the usual one on a step of "
        f"{look.case_set.step:g} s (files: a row every {sampling.raw:g} s; {sampling.files} read for what is lost)\n"
        "  lost: share of the variance that the step cannot show\n"
        "  63 %, 95 % after: answer to a step of the control that moves the column most, within the usual case\n"
        "  linear: share of the variance that a linear model tells from the controls, over cases it was not fitted on"
    )
    return f"{head}\n\n{aligned([HEAD, *rows], left=3)}"


def _seconds(seconds: float, look: Look) -> str:
    """A time, or that it is shorter than a row or about as long as the usual case."""
    step, most = look.case_set.step, LASTING * usual_rows(look.case_set) * look.case_set.step
    return f"< {step:g} s" if seconds == 0 else f"{seconds:.3g} s" if seconds < most else "lasting"


def csv_of(look: Look) -> str:
    """All columns and numbers as CSV."""
    low, high = look.series.low, look.series.high
    units, series, sampling = look.case_set.channels.units, look.series, look.sampling
    rows: list[list[object]] = [list(CSV_HEAD)]
    for i, name in enumerate(look.names):
        response = look.responses.get(i)
        rows.append(
            [
                name, units[name], look.role(i), float(low[i]), float(high[i]), float(series.mean[i]),
                0.0 if series.constant[i] else float(series.scale[i]), float(sampling.lost[i]),
                _or_empty(sampling.longest[i]), *(
                    (response.seconds, response.settled, look.names[look.controls[response.control]], response.told)
                    if response else ("", "", "", "")
                ),
                _or_empty(look.told.finest[i]), "; ".join(look.notes(i)),
            ]
        )  # fmt: skip
    return csv_text(rows)


def _or_empty(value: float) -> float | str:
    return float(value) if math.isfinite(value) else ""
