"""Train a surrogate further on new cases, from the weights that it has.

Old windows are mixed in where their cases are there, against forgetting (rehearsal; Robins 1995, Connection Science 7).
A part of the given cases is left out of each fit, stops it, and is predicted by it:

- Where several networks stand side by side (an ensemble, the folds of a portfolio), each network is fitted without
  another part, and all are kept, as those of the folds of a training are.
- One network is fitted without each part in turn, for so many epochs as were best, and in the end to all cases for
  their mean.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from surrogate_modeling.adaptation.candidates import FINETUNE, Candidate, free_runs
from surrogate_modeling.adaptation.latents import told_of_units
from surrogate_modeling.adaptation.mixing_in import WindowMix
from surrogate_modeling.adaptation.old_cases import OldCases
from surrogate_modeling.cases.case import Case
from surrogate_modeling.common.errors import TrainingDiverged, UserError
from surrogate_modeling.common.progress import OnEpoch
from surrogate_modeling.config.adapt_keys import AdaptConfig
from surrogate_modeling.config.composition import member_settings
from surrogate_modeling.config.models import AutoConfig
from surrogate_modeling.config.saved_config import unflattened
from surrogate_modeling.config.settings import Launcher, LrSchedule, Monitor, SettingsConfig
from surrogate_modeling.networks import Network
from surrogate_modeling.networks.unit_latent import keep_absent
from surrogate_modeling.surrogate.lineage import TRAINED
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.surrogate.parts import TrainedPart, single, trained_parts, with_networks
from surrogate_modeling.training.fit import fit, seed_run
from surrogate_modeling.training.portfolio import LeftOut

log = logging.getLogger(__name__)
# Parts that the given cases are left out in, where one network is fitted without each.
FOLDS = 3
# Share of the training's time, and the least that is given [s].
TIME_SHARE, LEAST_SECONDS = 0.1, 60.0
WARMUP, EPOCHS_PER_FREE_RUN = 0.1, 2


class CannotTune(UserError):
    """Nothing in a surrogate can be trained further, or its file does not say how."""


@dataclass(frozen=True)
class Tuned:
    """A fitted network, and the number of epochs after which it was best; 0 for the weights it began with."""

    network: Network
    best: int


class Tuning:
    """Fits of all trained networks of a surrogate to new cases.

    Args:
        surrogate: to begin with; it is not changed.
        given: new cases.
        old: cases of the training.
        config: of the adaptation.
        folder: for checkpoints.
        on_epoch: is given the metrics of each epoch as ``<network>/fold<k>/<metric>``.

    Raises:
        CannotTune: nothing in the surrogate was trained, or its file does not say how.
    """

    def __init__(
        self,
        surrogate: Surrogate,
        given: Sequence[Case],
        old: OldCases,
        config: AdaptConfig,
        folder: Path,
        on_epoch: OnEpoch,
    ) -> None:
        self.surrogate, self.given, self.old, self.config = told_of_units(surrogate, given), list(given), old, config
        self.folder, self.on_epoch = folder, on_epoch
        self.new_units = self.surrogate.description.units[len(surrogate.description.units) :]
        self.parts = trained_parts(self.surrogate)
        if not self.parts:
            raise CannotTune(
                "how=finetune: this surrogate has no trained network that any target rests on, closed forms alone; "
                "how=unit adapts it, or train anew on the old and the new cases together"
            )
        if not surrogate.config:
            raise CannotTune("how=finetune: the surrogate's file does not say with which settings it was trained")
        self.run_config = unflattened(surrogate.config)
        copies = min(len(part.networks) for part in self.parts)
        self.side_by_side = copies > 1
        count = min(copies, len(self.given)) if self.side_by_side else min(FOLDS, len(self.given))
        order = np.random.default_rng(config.seed).permutation(len(self.given)).tolist()
        self.folds = [sorted(order[k::count]) for k in range(count)]
        self._fits_left = sum(len(part.networks) * (1 if self.side_by_side else count + 1) for part in self.parts)
        self._ends = time.monotonic() + self._seconds()

    def _seconds(self) -> float:
        if self.config.max_minutes is not None:
            return 60 * self.config.max_minutes
        trained = sum(step.seconds for step in self.surrogate.lineage if step.what == TRAINED)
        return max(LEAST_SECONDS, TIME_SHARE * trained)

    def run(self) -> Candidate | None:
        """Fit everything; None where a fit diverged."""
        began = time.monotonic()
        log.info("finetune: %s", self.plan())
        try:
            surrogate, without = self._side_by_side() if self.side_by_side else self._in_turn()
        except TrainingDiverged as error:
            log.warning("finetune: %s", error)
            return None
        # The band is to count the spread that it is set with.
        copies = not self.side_by_side
        runs = [
            free_runs(part, [self.given[i] for i in fold], copies)
            for part, fold in zip(without, self.folds, strict=True)
        ]
        places = [i for fold in self.folds for i in fold]
        flat = [pair for run in runs for pair in zip(run.rows, run.spreads, strict=True)]
        ordered = [flat[places.index(i)] for i in range(len(self.given))]
        left_out = LeftOut(self.given, [rows for rows, _ in ordered], [spread for _, spread in ordered])
        surrogate.scaling.extend_range(case.values for case in self.given)
        surrogate.training_range.extend(self.given, surrogate.scaling)
        seconds = time.monotonic() - began
        return Candidate(FINETUNE, surrogate, left_out, seconds, (self.plan(),), copies)

    def plan(self) -> str:
        """What is trained and what stays, for people."""
        counts = ", ".join(
            part.member.name
            + f" ({len(part.networks)} networks)" * (len(part.networks) > 1)
            + f", mean weight {part.weight:.2f}" * bool(self.surrogate.description.mixture)
            for part in self.parts
        )
        trained = {part.member.name for part in self.parts}
        stay = [member.name for member in self.surrogate.description.mixture if member.name not in trained]
        kept = f"; {', '.join(stay)} and the weights of the mixture stay as they are" if stay else ""
        mixed = f"{self.config.old_share:.0%} of the windows are old" if self._mixes_old else "no old windows"
        told = ", ".join(map(repr, self.new_units))
        return f"all weights of {counts} are trained further, {mixed}{kept}{f'; new units: {told}' if told else ''}"

    @property
    def _mixes_old(self) -> bool:
        return self.old.are_there and self.config.old_share > 0

    def _side_by_side(self) -> tuple[Surrogate, list[Surrogate]]:
        """Network j without fold j modulo their number; the surrogate of all, and those that have not seen a fold."""
        count, tuned = len(self.folds), dict[str, list[Network]]()
        for part in self.parts:
            tuned[part.member.name] = [
                self._fit(part, j, self._kept(j % count), self._left_out(j % count)).network
                for j in range(len(part.networks))
            ]
        without = [
            with_networks(self.surrogate, {name: networks[k::count] for name, networks in tuned.items()})
            for k in range(count)
        ]
        return with_networks(self.surrogate, tuned), without

    def _in_turn(self) -> tuple[Surrogate, list[Surrogate]]:
        """Every network without each fold, then on all given cases for as many epochs as were best."""
        without: list[dict[str, list[Network]]] = [{} for _ in self.folds]
        final = dict[str, list[Network]]()
        for part in self.parts:
            name = part.member.name
            final[name] = []
            for j, network in enumerate(part.networks):
                fits = [self._fit(part, j, self._kept(k), self._left_out(k)) for k in range(len(self.folds))]
                for networks, each in zip(without, fits, strict=True):
                    networks.setdefault(name, []).append(each.network)
                epochs = round(float(np.mean([each.best for each in fits])))
                log.info("%s: best after %s epochs without a part", name, ", ".join(str(each.best) for each in fits))
                last = self._fit(part, j, self.given, self.given, epochs).network if epochs else network
                final[name].append(last)
        return with_networks(self.surrogate, final), [with_networks(self.surrogate, each) for each in without]

    def _kept(self, k: int) -> list[Case]:
        return [case for i, case in enumerate(self.given) if i not in self.folds[k]]

    def _left_out(self, k: int) -> list[Case]:
        return [self.given[i] for i in self.folds[k]]

    def _fit(
        self, part: TrainedPart, j: int, kept: Sequence[Case], left_out: Sequence[Case], epochs: int | None = None
    ) -> Tuned:
        """Fit a copy of a network; ``left_out`` stop it, unless the number of epochs is given."""
        settings = self._settings(part)
        mix = WindowMix(self.old, self.config.old_share, settings)
        if epochs is not None:
            settings = replace(settings, epochs=epochs, patience=epochs)
        minutes = max(1e-3, (self._ends - time.monotonic()) / 60 / max(1, self._fits_left))
        self._fits_left -= 1
        alone = single(self.surrogate, part.member, part.networks[j])
        windows, validation = mix.windows(alone, self.run_config, kept, left_out)
        settings = replace(windows.settings, max_minutes=minutes, epochs=settings.epochs, patience=settings.patience)
        windows.settings = settings
        name = f"{part.member.name}{j}/{self._fits_left}"
        best = _BestEpoch(lambda values, epoch: self.on_epoch({f"{name}/{k}": v for k, v in values.items()}, epoch))
        seed_run(self.config.seed)
        before = deepcopy(alone.network)
        result = fit(alone.train(), windows, validation, settings, self.folder / name, best)
        if (present := windows.training.unit_of_case) is not None:
            keep_absent(alone.network, before, present)
        if (least := result.least.get("val_nADE")) is None:
            raise TrainingDiverged(
                "the free run over new cases that stop the training diverged, before training further and after"
            )
        return Tuned(alone.network, best.epochs(least))

    def _settings(self, part: TrainedPart) -> SettingsConfig:
        """The recipe of the training for a network, changed for training on."""
        config = self.run_config
        is_portfolio = isinstance(config.model, AutoConfig)
        recipe = member_settings(config, part.member.model.name) if is_portfolio else config.settings
        every = min(EPOCHS_PER_FREE_RUN, self.config.epochs)
        return replace(
            recipe, lr=recipe.lr * self.config.lr_share, lr_schedule=LrSchedule.cosine, warmup=WARMUP,
            epochs=self.config.epochs, patience=self.config.patience, monitor=Monitor.val_nADE, free_run_every=every,
            horizon_growth=0, stack=False, ensemble=1, seed=self.config.seed, device=self.config.device,
            devices=1, launched_by=Launcher.none, progress_bar=self.config.progress_bar,
        )  # fmt: skip


class _BestEpoch:
    """Note the epoch with the least nADE of the cases left out."""

    def __init__(self, on_epoch: OnEpoch) -> None:
        self.on_epoch, self.values = on_epoch, dict[int, float]()

    def __call__(self, metrics: dict[str, float], epoch: int) -> None:
        self.values[epoch + 1] = metrics.get("val_nADE", math.inf)
        self.on_epoch(metrics, epoch)

    def epochs(self, kept: float) -> int:
        """Epochs after which it was least; 0 where the value of the weights kept is less, which are those before."""
        best = min(self.values, key=self.values.__getitem__, default=0)
        return best if best and self.values[best] <= kept else 0
