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
from surrogate_modeling.training.loaders import Rehearsal, WindowData
from surrogate_modeling.training.setup import make_windows, with_given_starts


@dataclass(frozen=True)
class WindowMix:
    """How old windows are mixed into new ones.

    Attributes:
        old: their cases.
        share: of the windows drawn, where old cases are there.
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
        table = given.table or RowTable.of(list(by_name.values()))
        split = CaseSplit(given.training, chosen, [], table)
        windows = make_windows(replace(config, settings=self.settings), surrogate, split)
        count = len(windows.training)
        if old_training:
            windows.rehearsal = Rehearsal(len(training), self.share)
            # An epoch has as many new windows as there are.
            count = math.ceil(int(windows.training.first_windows[len(training)]) / (1 - self.share))
        if self.settings.windows_per_epoch is None:
            windows.settings = replace(self.settings, windows_per_epoch=count)
        return windows, chosen
