"""What is wrong with input files, written as messages that name file, line and column."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from surrogate_modeling.common.errors import UserError

SHOWN_RANGES = 12


@dataclass(frozen=True)
class Problem:
    """One thing wrong with one file, said so that its author can mend it."""

    file: Path
    text: str

    def __str__(self) -> str:
        # A name that is not UTF-8 could not be written to a log.
        return f"{self.file.name.encode('utf-8', 'backslashreplace').decode()}: {self.text}"


def line_ranges(lines: Iterable[int]) -> str:
    """Line numbers as people write them: ``lines 5, 9-12``; after a dozen ranges the rest is counted."""
    ordered = list(lines)
    ranges: list[list[int]] = []
    for line in ordered:
        if ranges and line == ranges[-1][1] + 1:
            ranges[-1][1] = line
        else:
            ranges.append([line, line])
    shown = ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in ranges[:SHOWN_RANGES])
    hidden = sum(b - a + 1 for a, b in ranges[SHOWN_RANGES:])
    return f"{'line' if len(ordered) == 1 else 'lines'} {shown}{f' and {hidden} more' if hidden else ''}"


def _problem_message(folder: Path, problems: list[Problem]) -> str:
    files = len({problem.file for problem in problems})
    lines = "\n".join(f"  {problem}" for problem in problems)
    return (
        f"{len(problems)} problem{'s' * (len(problems) > 1)} in {files} file{'s' * (files > 1)} of {folder}:\n{lines}"
    )


SHOWN_PROBLEMS = 30


def file_refusal(place: str, problems: Sequence[Problem], predicted: int) -> UserError:
    """The one message about files that could not be predicted."""
    files = len({problem.file for problem in problems})
    count = f"{len(problems)} problem{'s' * (len(problems) > 1)} in {files} file{'s' * (files > 1)}"
    lines = "\n".join(f"  {problem}" for problem in problems[:SHOWN_PROBLEMS])
    if len(problems) > SHOWN_PROBLEMS:
        lines += f"\n  and {len(problems) - SHOWN_PROBLEMS} more"
    rest = f"; the other {predicted} were predicted" if predicted else ""
    return UserError(f"{count} of {place}{rest}:\n{lines}")
