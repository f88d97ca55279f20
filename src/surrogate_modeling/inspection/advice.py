"""What follows from a look: sentences, and the command to train with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surrogate_modeling.cases.sampling import LOST_SHARE
from surrogate_modeling.common.wording import counted, lines_and_rest, names_and_rest
from surrogate_modeling.config import quoting
from surrogate_modeling.config.quoting import listed
from surrogate_modeling.inspection.look import Look, usual_rows
from surrogate_modeling.inspection.tables import LASTING

# Cases, columns and groups that a sentence names.
MOST_NAMED = 6
# Lines about columns.
MOST_LINES = 15
# So many controls are named in the command; more are counted, where they come first.
MOST_CONTROLS = 12
# Fewer cases are cut in time order instead of being split whole.
FEW_CASES = 5
# The user's arguments that the suggested command does not repeat.
OWN_KEYS = ("dataset.controls", "dataset.ignore", "dataset", "step", "files", "output", "workers", "progress_bar")


def advice(look: Look, typed: Sequence[str]) -> str:
    """Sentences about what needs care, and the command.

    Args:
        look: at the cases.
        typed: arguments of the look, which the command repeats.
    """
    lines = [*_of_excesses(look), *_of_columns(look), *_of_step(look), *_of_cases(look)]
    text = "\n".join(f"- {line}" for line in lines)
    if not look.controls:
        return (
            f"{text}\n\nno column looks like a control: name them, as in dataset.controls=2 or "
            "'dataset.controls=[valve,pump]', and look again"
        )
    if not look.predicted:
        return (
            f"{text}\n\nevery column looks like a control: name the controls with dataset.controls=... and look again"
        )
    return f"{text}\n\nto train:\n  {train_command(look, typed)}"


def _of_excesses(look: Look) -> list[str]:
    lines = [
        f"{excess}: did it diverge? It is left out of everything here; move its file out of the folder before training"
        for excess in look.excesses
    ]
    return lines_and_rest(lines, MOST_NAMED, "more cases like it")


def _of_columns(look: Look) -> list[str]:
    lines = []
    names = [look.names[i] for i in look.controls]
    if not look.given and names:
        lines.append(
            f"controls (a guess: the other columns do not tell them): {_some(names, MOST_CONTROLS)}; name your own "
            "with dataset.controls=[...]"
        )
    still = [name for i, name in enumerate(look.names) if look.series.constant[i]]
    if still:
        lines.append(f"constant in all cases, so that nothing can be learnt from them: {_some(still)}")
    for i, name in enumerate(look.names):
        if notes := look.notes(i):
            lines.append(f"{name}: {'; '.join(notes)}")
    return lines_and_rest(lines, MOST_LINES, "more in look.csv (note)")


def _of_step(look: Look) -> list[str]:
    sampling, rows = look.sampling, usual_rows(look.case_set)
    lines = []
    lossy = [i for i in np.argsort(-sampling.lost) if sampling.lost[i] > LOST_SHARE]
    if lossy:
        told = [f"{look.names[i]} {sampling.lost[i]:.0%}" for i in lossy]
        lines.append(f"a step of {sampling.step:g} s loses more than {LOST_SHARE:.0%} of the variance of {_some(told)}")
    fastest = [i for i in np.argsort(sampling.longest) if np.isfinite(sampling.longest[i])]
    if fastest:
        told = [f"{look.names[i]} {max(sampling.longest[i], sampling.raw):.2g} s" for i in fastest]
        lines.append(f"steps that lose {LOST_SHARE:.0%} of the variance, fastest columns first: {_some(told, 3)}")
    lasting = LASTING * rows * look.case_set.step
    slow = [look.names[i] for i, response in look.responses.items() if response.settled >= lasting]
    if slow:
        lines.append(f"still answering when the usual case ends, since they add up or are slow: {_some(slow)}")
    return lines


def _of_cases(look: Look) -> list[str]:
    lines = []
    if look.alike:
        groups = [" = ".join([*names[:4], *([f"{len(names) - 4} more"] if names[4:] else [])]) for names in look.alike]
        lines.append(f"cases that hardly differ: {_some(groups)}; in training and test, they would flatter the scores")
    suspects = [f"{suspect.case} stands out: {suspect.reason}" for suspect in look.suspects]
    lines += lines_and_rest(suspects, MOST_NAMED, "more that stand out less")
    lines += _of_stuck_columns(look)
    if len(look.case_set.cases) < FEW_CASES:
        lines.append(
            f"{counted(len(look.case_set.cases), 'case')}: dataset.split=time trains on the first part of each"
        )
    return lines


def _of_stuck_columns(look: Look) -> list[str]:
    lines = []
    for column in dict.fromkeys(one.column for one in look.stuck):
        longest, *others = [one for one in look.stuck if one.column == column]
        more = f" (and in {_some([one.case for one in others])})" if others else ""
        lines.append(
            f"{look.names[column]} stands still from {longest.start:g} to {longest.end:g} s in {longest.case}{more}, "
            f"elsewhere for {longest.elsewhere:g} s at most: a sensor that is stuck?"
        )
    return lines_and_rest(lines, MOST_NAMED, "more columns stand still")


def train_command(look: Look, typed: Sequence[str]) -> str:
    """The command to train with, as it is pasted into a shell."""
    names = look.names
    kept = [word for word in typed if word.partition("=")[0].lstrip("+") not in OWN_KEYS]
    simulated = next((word for word in typed if word.startswith("dataset=")), "dataset=csv")
    words = [simulated, *kept]
    left = [i for i in range(len(names)) if i not in look.ignored]
    # Controls given stand first in the cases, but not in the files.
    leading = not look.given and look.controls == left[: len(look.controls)]
    if leading and len(look.controls) > MOST_CONTROLS:
        words.append(f"dataset.controls={len(look.controls)}")
    elif typed_controls := next((word for word in typed if word.startswith("dataset.controls=")), None):
        words.append(typed_controls)
    elif not look.given or not simulated.startswith("dataset=refrigerant"):
        words.append(f"dataset.controls={listed([names[i] for i in look.controls])}")
    parameters = [names[i] for i in look.controls if look.series.parameter[i]]
    if parameters and not any(word.startswith("dataset.parameters=") for word in typed):
        words.append(f"dataset.parameters={listed(parameters)}")
    ignored = [*_typed_ignored(typed), *(names[i] for i in look.ignored)]
    if ignored:
        words.append(f"dataset.ignore={listed(ignored)}")
    if len(look.case_set.cases) < FEW_CASES and not any(word.startswith("dataset.split=") for word in typed):
        words.append("dataset.split=time")
    if look.groups is not None and not any(word.startswith("dataset.groups=") for word in typed):
        words.append(f"dataset.groups={look.groups}")
    return quoting.train_command(words, look.case_set.step, f"settings.in_len={look.in_len}")


def _typed_ignored(typed: Sequence[str]) -> list[str]:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    word = next((word for word in typed if word.startswith("dataset.ignore=")), None)
    if word is None:
        return []
    value = OverridesParser.create().parse_override(word).value()
    return [str(name) for name in value] if isinstance(value, list) else []


def _some(texts: Sequence[str], most: int = MOST_NAMED) -> str:
    return names_and_rest(texts, most)
