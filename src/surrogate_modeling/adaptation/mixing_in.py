"""Windows of new cases with a share of old ones among them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from surrogate_modeling.adaptation.old_cases import OldCases
from surrogate_modeling.cases.case import Case, RowTable
from surrogate_modeling.cases.split import CaseSplit
from surrogate_modeling.config.commands import Config
from surrogate_modeling.config.settings import SettingsConfig
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.calibration import spread_over
from surrogate_modeling.training.loaders import WindowData
from surrogate_modeling.training.setup import make_windows, with_given_starts


@dataclass(frozen=True)
class WindowMix:
    """How old windows are mixed into new ones.

    Attributes:
        old: their cases.
        share: of all windows, where old cases are there.
        settings: the recipe.
    """

    old: OldCases
    share: float
    settings: SettingsConfig

    def windows(
        self, surrogate: Surrogate, config: Config, training: Sequence[Case], validation: Sequence[Case]
    ) -> tuple[WindowData, list[Case]]:
        """Windows to train on and to validate, and the cases whose free runs stop the training.

        As many old validation cases are among these as new ones: what is forgotten counts as well.

        Args:
            surrogate: whose scaling standardises the windows.
            config: of the training, whose settings are replaced.
            training: new cases.
            validation: new cases that stop the training.
        """
        mixes = self.old.are_there and self.share > 0
        old_training = self.old.training if mixes else []
        old_validation = spread_over(self.old.validation, len(validation)) if mixes and self.old.validation else []
        # In the last fit, whose number of epochs is known, the validation cases are the training cases: each is listed
        # once.
        own = {case.name for case in training}
        extra = [case for case in validation if case.name not in own]
        unique = CaseSplit([*training, *old_training], [*extra, *old_validation], [])
        given = with_given_starts(surrogate, replace(unique, table=None))
        by_name = {case.name: case for case in (*given.training, *given.validation)}
        chosen = [by_name[case.name] for case in (*validation, *old_validation)]
        new, old = given.training[: len(training)], given.training[len(training) :]
        settings = self.settings
        if settings.windows_per_epoch is None:
            settings = replace(settings, windows_per_epoch=math.ceil(self._count(new) / (1 - self.share * bool(old))))
        table = given.table or RowTable.of(list(by_name.values()))
        split = CaseSplit(self._repeated(new, old), chosen, [], table)
        return make_windows(replace(config, settings=settings), surrogate, split), chosen

    def _repeated(self, new: list[Case], old: list[Case]) -> list[Case]:
        """New and old cases, the fewer of them several times, so that windows drawn from all have the share."""
        if not old:
            return new
        wanted = self.share / (1 - self.share) * self._count(new) / self._count(old)
        if wanted >= 1:
            return [*new, *(old * round(wanted))]
        return [*(new * round(1 / wanted)), *old]

    def _count(self, cases: Sequence[Case]) -> int:
        settings = self.settings
        lost = settings.in_len + (settings.loss_rows + 1) // 2
        return sum(max(0, len(case.values) - lost) + 1 for case in cases)
