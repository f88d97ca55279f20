"""What a simulator is to the generation of cases: one protocol for the embedded circuit, FMUs and other programs.

Shape letters: T rows, F columns (controls first, then predicted columns).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np


# Key of a content: digest of each file that a command line names.
PROGRAM = "program"


class PlanError(ValueError):
    """An invalid plan, or one that differs from that of the cases already in the folder."""


class CaseFailed(Exception):
    """A case that the simulator could not finish; the text is the reason."""


class ProcessSpent(CaseFailed):
    """A case that failed so that its process must not make another."""


@dataclass(frozen=True)
class Outcome:
    """What became of a case.

    Attributes:
        number: of the case.
        reason: why it failed; empty if it did not.
        remarks: what the user should know of its reading.
        spent: its process must not make another case.
    """

    number: int
    reason: str = ""
    remarks: tuple[str, ...] = ()
    spent: bool = False


@dataclass(frozen=True)
class CaseTable:
    """Content of a case.

    Attributes:
        units: of each column after time, by name.
        time: (T,) [s].
        values: (T, F).
        digits: significant ones in the file.
        remarks: what the user should know.
    """

    units: dict[str, str]
    time: np.ndarray
    values: np.ndarray
    digits: int
    remarks: tuple[str, ...] = ()


class Simulator(Protocol):
    """Makes the case of a number, which depends on nothing else; pickled for the worker processes."""

    def content(self) -> dict[str, object]:
        """Everything that determines the content of a case, as it reads in ``plan.json``; not the number of cases."""
        ...

    def case_list(self, count: int) -> tuple[str, list[list[str]]]:
        """Name and lines of a CSV about the first ``count`` cases, the case's name first; no lines: no file."""
        ...

    @property
    def controls(self) -> tuple[str, ...]:
        """Names of the controls, the first columns of every case."""
        ...

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of those controls that are constant within a case."""
        ...

    @property
    def one_case_per_process(self) -> bool:
        """Whether each case needs a process of its own."""
        ...

    def schedule(self, number: int) -> CaseTable:
        """Controls of a case as they are planned, without a simulation; a feedback may change them."""
        ...

    def prepare(self, scratch: Path) -> Callable[[int], CaseTable]:
        """Make a worker process ready, with a folder of its own; returns the function that makes cases.

        The function raises :class:`CaseFailed` with the reason where a case cannot be finished, and
        :class:`ProcessSpent` where no other may follow in the same process. A folder with the name
        of the case in ``scratch`` is kept then for the user, and removed otherwise.
        """
        ...


def edited_files(content: Mapping[str, object], other: Mapping[str, object]) -> list[str]:
    """Words of a command line that name a file of another content than before.

    Those that only one of the two knows are left out: it may be older than these digests, or of a command that was
    given where the file does not stand.

    Args:
        content: of a simulator, as it reads in ``plan.json``.
        other: that it is compared with.
    """
    own, known = content.get(PROGRAM), other.get(PROGRAM)
    if not isinstance(own, dict) or not isinstance(known, dict):
        return []
    return [word for word, digest in own.items() if known.get(word, digest) != digest]


def case_name(number: int) -> str:
    """Name of a case: its file name without suffix."""
    return f"case{number:04d}"


def require_whole_steps(duration: float, step: float) -> None:
    """Check that a duration is a positive whole number of steps.

    Raises:
        PlanError: it is not.
    """
    rows = duration / step if step > 0 else math.nan
    if not (math.isfinite(rows) and rows > 0.5 and abs(rows - round(rows)) < 1e-6):
        raise PlanError(f"duration = {duration} s: use a positive multiple of the step, {step} s")
