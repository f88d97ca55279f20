"""Lineage of a surrogate: on which cases it was trained, from which surrogate it was made, and what was changed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor

from surrogate_modeling.common.errors import UserError

PARTS = ("training", "validation", "test")
TRAINED, ADAPTED = "trained", "adapted"
DIGEST_LETTERS = 16


@dataclass(frozen=True)
class LineageStep:
    """One training or adaptation.

    Attributes:
        what: ``trained`` or ``adapted``.
        folder: of the cases.
        pattern: of their files' names.
        files: number of files read, the first ones in natural name order.
        fingerprint: of their content.
        parts: training, validation and test cases by name, each with its unit or None.
        ignore: columns that were not read.
        seconds: of the fits.
        parent: the surrogate that it began with, as it was named; None for fresh weights.
        parent_digest: of the parent's weights.
        changed: what differs from the parent, for people.
    """

    what: str
    folder: str
    pattern: str
    files: int
    fingerprint: str
    parts: dict[str, dict[str, str | None]]
    ignore: tuple[str, ...] = ()
    seconds: float = 0.0
    parent: str | None = None
    parent_digest: str | None = None
    changed: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Plain values to be saved beside the weights."""
        return {**asdict(self), "ignore": list(self.ignore), "changed": list(self.changed)}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> LineageStep:
        """Make a step from the values of :meth:`to_dict`.

        Raises:
            UserError: they are not those of a step.
        """
        step = cls(**{**saved, "ignore": tuple(saved["ignore"]), "changed": tuple(saved["changed"])})
        texts = (step.what, step.folder, step.pattern, step.fingerprint, *step.ignore, *step.changed)
        if not all(isinstance(text, str) for text in texts) or not isinstance(step.files, int):
            raise UserError("the lineage is not that of a surrogate")
        if set(step.parts) != set(PARTS) or not all(isinstance(part, dict) for part in step.parts.values()):
            raise UserError("the lineage does not name training, validation and test cases")
        return step


def weights_digest(weights: Mapping[str, Tensor]) -> str:
    """Digest of all weights of a surrogate, independent of the file and of the device."""
    total = hashlib.sha256()
    for name in sorted(weights):
        total.update(name.encode())
        total.update(weights[name].detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()[:DIGEST_LETTERS]
