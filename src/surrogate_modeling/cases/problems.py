"""Problems of input files, as messages that name file, line and column."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.wording import counted, lines_and_rest

MAX_RANGES_LISTED = 12
# Problems that a message about schedules lists, of which there may be thousands.
MAX_LISTED_PROBLEMS = 30
REPEAT_HINT = (
    "'pdm run import repeat=<import.yaml> source=<files> output=<folder>' makes of the files of other tools what the "
    "training had"
)


@dataclass(frozen=True)
class Problem:
    """One problem of one file, worded so that the user can correct it; foreign: of a file as another tool writes it."""

    file: Path
    text: str
    foreign: bool = False

    def __str__(self) -> str:
        # A name that is not UTF-8 could not be written to a log.
        return f"{self.file.name.encode('utf-8', 'backslashreplace').decode()}: {self.text}"


def line_ranges(lines: Iterable[int]) -> str:
    """Format line numbers as ranges: ``lines 5, 9-12``; after a dozen ranges the rest is counted."""
    ordered = list(lines)
    ranges: list[list[int]] = []
    for line in ordered:
        if ranges and line == ranges[-1][1] + 1:
            ranges[-1][1] = line
        else:
            ranges.append([line, line])
    shown = ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in ranges[:MAX_RANGES_LISTED])
    hidden = sum(b - a + 1 for a, b in ranges[MAX_RANGES_LISTED:])
    return f"{'line' if len(ordered) == 1 else 'lines'} {shown}{f' and {hidden} more' if hidden else ''}"


def name_problems(files: Sequence[Path]) -> list[Problem]:
    """Problems of file names: two files with one case name, or a name that is not UTF-8."""
    problems, seen = [], dict[str, Path]()
    for file in files:
        other = seen.setdefault(file.stem, file)
        if other is not file:
            problems.append(Problem(file, f"gives the case '{file.stem}' as {other.name} does; rename one of them"))
        if file.name.encode("utf-8", "replace").decode() != file.name:
            problems.append(Problem(file, "the file's name is not UTF-8; rename it"))
    return problems


def import_hint(folder: Path) -> str:
    """The way to cases from files that the strict reader of the case format refuses."""
    return f"'pdm run import source={folder} output=<folder>' makes cases of the files of other tools"


def file_refusal(
    place: Path | str, problems: Sequence[Problem], used: str = "", most: int | None = None, hint: str = ""
) -> UserError:
    """One error that lists the problems of all files that cannot be used.

    Args:
        place: where they are.
        problems: found in them.
        used: text about the other files.
        most: maximum number of problems listed; None for all.
        hint: last line of the message; empty: that of schedules, where files are those of another tool.
    """
    if not hint and any(problem.foreign for problem in problems):
        hint = REPEAT_HINT
    files = len({problem.file for problem in problems})
    lines = [f"  {line}" for line in lines_and_rest(list(map(str, problems)), most)]
    count = f"{counted(len(problems), 'problem')} in {counted(files, 'file')}"
    return UserError("\n".join((f"{count} of {place}{used}:", *lines, *([hint] if hint else []))))
