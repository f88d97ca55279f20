"""The columns of a case and the roles they play."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.wording import counted, names_and_rest

# Columns of a role that a line of the log names.
MAX_NAMES = 8


@dataclass(frozen=True)
class Channels:
    """The columns of a case, in the order controls then predicted.

    Attributes:
        controls: their names.
        predicted: the names of the others.
        targets: predicted columns that the aggregate scores cover.
        units: unit of each column.
        offsets: subtracted from each column before it is stored in float32, which would round away a small variation
            on a large level; 0 for most columns. None: no offset in any column.
        parameters: controls that are constant within a case, such as a length or the ambient temperature.
    """

    controls: tuple[str, ...]
    predicted: tuple[str, ...]
    targets: tuple[str, ...]
    units: dict[str, str]
    offsets: tuple[float, ...] | None = None
    parameters: tuple[str, ...] = ()

    def held(self, values: np.ndarray, first: int = 0) -> np.ndarray:
        """Convert physical values (..., N) to those stored in cases: offsets subtracted in double, then float32.

        Args:
            values: columns from ``first`` on, in their units.
            first: position of their first column.
        """
        offsets = self._offsets(first, values.shape[-1])
        return np.asarray(values if offsets is None else values - offsets, np.float32)

    def physical(self, values: np.ndarray, first: int = 0) -> np.ndarray:
        """Convert values (..., N) as stored in cases to physical units; float64 where an offset is added.

        Args:
            values: columns from ``first`` on, as stored.
            first: position of their first column.
        """
        offsets = self._offsets(first, values.shape[-1])
        return values if offsets is None else values + offsets

    def _offsets(self, first: int, count: int) -> np.ndarray | None:
        offsets = np.array((self.offsets or ())[first : first + count])
        return offsets if offsets.any() else None

    @property
    def target_indices(self) -> list[int]:
        """Positions of the targets among the predicted columns."""
        return [self.predicted.index(name) for name in self.targets]

    @property
    def parameter_indices(self) -> list[int]:
        """Positions of the parameters among the controls."""
        return [self.controls.index(name) for name in self.parameters]

    @property
    def byproducts(self) -> tuple[str, ...]:
        """Predicted columns that are no targets."""
        return tuple(name for name in self.predicted if name not in self.targets)

    def roles_text(self) -> str:
        """Number and first names of the columns of each role, in one line."""
        roles = {"control": self.controls, "target": self.targets, "byproduct": self.byproducts}
        return "; ".join(
            f"{counted(len(names), role)}: {names_and_rest(names, MAX_NAMES)}" for role, names in roles.items() if names
        )


@dataclass(frozen=True)
class Roles:
    """Roles of the columns as configured.

    Attributes:
        controls: how many columns after time are controls, or their names.
        targets: predicted columns that the aggregate scores cover; None for all.
        ignore: columns that are neither controls nor predicted, and not read.
        parameters: controls that are constant within a case.
    """

    controls: int | Sequence[str]
    targets: Sequence[str] | None = None
    ignore: Sequence[str] = ()
    parameters: Sequence[str] = ()


def assign_roles(names: Sequence[str], units: Sequence[str], roles: Roles) -> Channels:
    """Sort the columns into controls and predicted columns, and mark the targets among the latter.

    Args:
        names: of the columns after time that are not ignored.
        units: of the same.
        roles: as configured.

    Raises:
        UserError: a name is not among the columns, a target is a control, or nothing is left to predict.
    """
    controls, targets = roles.controls, roles.targets
    for key, named in (("controls", [] if isinstance(controls, int) else controls), ("targets", targets or [])):
        if both := [name for name in named if name in roles.ignore]:
            raise UserError(f"dataset.{key}: {', '.join(map(repr, both))} named in dataset.ignore too")
    if isinstance(controls, int):
        if controls >= len(names):
            ignored = " that dataset.ignore leaves" if roles.ignore else ""
            raise UserError(
                f"dataset.controls={controls}: the files have {len(names)} columns after time{ignored}; "
                "at least one must be left to predict"
            )
        control_names = list(names[:controls])
    else:
        _require_columns("controls", controls, names)
        control_names = [name for name in names if name in set(controls)]
    predicted = [name for name in names if name not in set(control_names)]
    if not predicted:
        raise UserError("dataset.controls: names every column; at least one must be left to predict")
    if targets is not None:
        _require_columns("targets", targets, predicted)
    _require_columns("parameters", roles.parameters, control_names)
    return Channels(
        tuple(control_names),
        tuple(predicted),
        tuple(targets or predicted),
        dict(zip(names, units, strict=True)),
        parameters=tuple(name for name in control_names if name in roles.parameters),
    )


def shifted_count(roles: Roles, names: Sequence[str], numbers: Sequence[int]) -> str | None:
    """What to say where a count of controls reaches beyond ignored columns; None where it does not.

    Args:
        roles: as configured.
        names: of the columns after time that are not ignored.
        numbers: of the same in the file, time being 1.
    """
    count = roles.controls
    if not isinstance(count, int) or not 1 <= count <= len(names) or numbers[count - 1] == count + 1:
        return None
    return (
        f"dataset.controls={count} counts the columns that dataset.ignore leaves: the last control is "
        f"{names[count - 1]!r}, column {numbers[count - 1]} of the files; if it is none, give a smaller count or names"
    )


def require_ignored(ignore: Sequence[str], found: Collection[str], used: Sequence[str]) -> None:
    """Check that each name of ``dataset.ignore`` is a column.

    Args:
        ignore: as configured.
        found: those of them that some file has.
        used: names of the columns that are left.

    Raises:
        UserError: a name is no column or is named twice.
    """
    unknown = [name for name in ignore if name not in found]
    if unknown:
        near = difflib.get_close_matches(unknown[0], used, 1, 0.0) or list(used[:1])
        raise UserError(
            f"dataset.ignore: {', '.join(map(repr, unknown))} not among the columns after time"
            + (f"; the nearest to {unknown[0]!r} is {near[0]!r}" if near else "")
        )
    _refuse_repeated("ignore", ignore)


def _require_columns(key: str, requested: Sequence[str], available: Sequence[str]) -> None:
    unknown = [name for name in requested if name not in available]
    if unknown:
        what = {"controls": "columns", "parameters": "controls"}.get(key, "predicted columns")
        raise UserError(f"dataset.{key}: {', '.join(map(repr, unknown))} not among the {what}: {', '.join(available)}")
    _refuse_repeated(key, requested)


def _refuse_repeated(key: str, requested: Sequence[str]) -> None:
    if len(set(requested)) < len(requested):
        raise UserError(
            f"dataset.{key}: {', '.join(sorted(name for name, n in Counter(requested).items() if n > 1))} named twice"
        )
