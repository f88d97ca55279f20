"""Controls that have no values between: on or off, and the modes of a text column, of which a row has exactly one.

Shape letters: T rows of a case, C controls.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from surrogate_modeling.cases.case import Case

# The import writes a column of text as columns <column>=<mode>.
MODE = "="
# A sum of interpolated modes is rounded.
ROUNDING = 1e-3


class Switches(nn.Module):
    """Which controls are switches, as the training cases show it.

    Args:
        controls: C.
    """

    on_off: Tensor
    text: Tensor

    def __init__(self, controls: int) -> None:
        super().__init__()
        # Whether a control was 0 in some rows, 1 in others, and never anything else.
        self.register_buffer("on_off", torch.zeros(controls, dtype=torch.bool))
        # Number of the text column that a control is a mode of; 0: of none.
        self.register_buffer("text", torch.zeros(controls, dtype=torch.long))

    def fit(self, cases: Sequence[Case]) -> None:
        """Find the switches of training cases."""
        names = cases[0].channels.controls
        texts = [name.partition(MODE)[0] if MODE in name else "" for name in names]
        several = [text for text in dict.fromkeys(texts) if text and texts.count(text) > 1]
        self.text.copy_(torch.tensor([several.index(text) + 1 if text in several else 0 for text in texts]))
        self.on_off.fill_(True)
        seen = np.zeros((2, len(names)), bool)
        # Once over all rows, which may lie in a file.
        for case in cases:
            controls = case.controls
            seen |= np.stack([(controls == value).any(axis=0) for value in (0, 1)])
            self._leave_out(controls)
        self.on_off &= torch.from_numpy(seen.all(axis=0)).to(self.on_off)

    def extend(self, cases: Sequence[Case]) -> None:
        """Leave out what is no switch in more training cases."""
        for case in cases:
            self._leave_out(case.controls)

    def _leave_out(self, controls: np.ndarray) -> None:
        """Leave out what is no switch in the controls (T, C) of a case."""
        self.on_off &= torch.from_numpy(np.isin(controls, (0, 1)).all(axis=0)).to(self.on_off)
        for places in self.modes:
            if not _is_one(controls[:, places]).all():
                self.text[places] = 0

    @property
    def modes(self) -> list[list[int]]:
        """Places of the controls that are the modes of one text column, for each such column."""
        texts = self.text.tolist()
        return [[i for i, text in enumerate(texts) if text == number] for number in sorted({*texts} - {0})]

    @property
    def places(self) -> list[int]:
        """Places of all controls that are on or off, or modes."""
        return (self.on_off | (self.text > 0)).nonzero()[:, 0].tolist()

    def impossible(self, case: Case) -> list[str]:
        """What no training case has, in words: rows with no mode or several, or with a value between off and on."""
        controls, names, found = case.controls, case.channels.controls, []
        count = len(controls)
        for places in self.modes:
            if wrong := int((~_is_one(controls[:, places])).sum()):
                text = names[places[0]].partition(MODE)[0]
                said = f"the modes of {text!r} ({', '.join(names[i] for i in places)}) do not sum to 1"
                found.append(f"{said} in {wrong} of {count} rows")
        for i in self.on_off.nonzero()[:, 0].tolist():
            between = (controls[:, i] > 0) & (controls[:, i] < 1)
            if wrong := int(between.sum()):
                found.append(f"{names[i]!r}, which is 0 or 1 in training, lies between in {wrong} of {count} rows")
        return found


def _is_one(modes: np.ndarray) -> np.ndarray:
    """Whether the modes (T, N) of each row sum to 1."""
    return np.asarray(np.abs(modes.sum(axis=1) - 1) <= ROUNDING)
