"""Folds: parts of the cases that are left out in turn, and a network fitted without each of them.

A free run over a case by the network that has not seen it is what a new case would get. The networks of all folds
together are one model, the mean of their trajectories (cross-validation committees, Parmanto et al. 1996), so that no
case is lost to validation.

Shape letters: H predicted rows of a case, P predicted columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from surrogate_modeling.cases.case import Case, RowTable
from surrogate_modeling.cases.groups import unit_names
from surrogate_modeling.cases.split import CaseSplit
from surrogate_modeling.cases.stretches import blocks, without_block
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.progress import OnEpoch
from surrogate_modeling.config.commands import Config
from surrogate_modeling.config.models import ModelConfig
from surrogate_modeling.config.settings import SettingsConfig
from surrogate_modeling.networks import Network
from surrogate_modeling.networks.unit_latent import blind
from surrogate_modeling.surrogate.description import Member, of_member
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.checkpoints import FitResult
from surrogate_modeling.training.fit import fit, seed_run
from surrogate_modeling.training.loaders import WindowData
from surrogate_modeling.training.members import initialise, structure
from surrogate_modeling.training.setup import make_windows
from surrogate_modeling.training.warm_start import WarmStart


@dataclass(frozen=True)
class Folds:
    """Parts of the cases that are left out in turn.

    Attributes:
        parts: left out in turn.
        table: the array of the cases' rows, if they share one.
        records: the cases that the parts were cut from; empty where the parts hold whole cases.
        stretches: for each part, what is left of the records without it; empty where that is the other parts.
        gap: rows left out around a block of a record.
        least: rows that a block or a stretch of a record has.
    """

    parts: list[list[Case]]
    table: RowTable | None = None
    records: list[Case] = field(default_factory=list)
    stretches: list[list[Case]] = field(default_factory=list)
    gap: int = 0
    least: int = 0

    def __reduce__(self) -> tuple[Callable[..., Folds], tuple[Any, ...]]:
        # A view that is sent to another process brings its rows along, and a table all of them: records are sent once,
        # and cut there.
        if self.records:
            return _in_blocks, (self.records, len(self.parts), self.gap, self.least)
        return Folds, (self.parts,)

    @property
    def cases(self) -> list[Case]:
        """All cases, uncut."""
        return self.records or self.left_out

    @property
    def left_out(self) -> list[Case]:
        """The cases of all parts."""
        return [case for part in self.parts for case in part]

    def kept(self, k: int) -> list[Case]:
        """What is fitted while part k is left out."""
        if self.stretches:
            return self.stretches[k]
        return [case for i, part in enumerate(self.parts) if i != k for case in part]

    def free_runs(self, k: int, predict: Callable[[Sequence[Case]], list[np.ndarray]]) -> list[np.ndarray]:
        """Free runs (H, P) over the cases of part k, to be compared with their last H rows.

        The run over a block is cut from one that starts with its record: a new record is predicted from its first rows
        to its end, so that errors which add up over its length count.

        Args:
            k: the part.
            predict: gives the free runs of a model, which was fitted without the part.
        """
        if not self.records:
            return predict(self.parts[k])
        runs = []
        for record, run, block in zip(self.records, predict(self.records), self.parts[k], strict=True):
            first, given = int(np.searchsorted(record.time, block.time[0])), len(record.time) - len(run)
            runs.append(run[first : first + len(block.time) - given])
        return runs


def make_folds(
    cases: Sequence[Case], settings: SettingsConfig, count: int, table: RowTable | None, *, by_unit: bool = True
) -> Folds:
    """Deal the cases into folds, unit by unit where these are known; fewer cases than folds are cut into blocks.

    Args:
        cases: to fit on.
        settings: whose seed deals, and whose lengths a block must have.
        count: of the folds; fewer where there are fewer units, or cases too short to be cut.
        table: the array of the cases' rows.
        by_unit: whether cases of one unit stay together, so that units are left out as a whole.

    Raises:
        UserError: the only case is too short to be cut.
    """
    names = unit_names(cases)
    units = [[case for case in cases if case.unit == name] for name in names]
    if not by_unit or len(units) < 2:
        units = [[case] for case in cases]
        if len(cases) < count and (folds := _cut(cases, settings, count, table)):
            return folds
    order = np.random.default_rng(settings.seed).permutation(len(units)).tolist()
    parts = [[case for i in order[k::count] for case in units[i]] for k in range(min(count, len(units)))]
    return Folds(parts, table)


def _cut(cases: Sequence[Case], settings: SettingsConfig, count: int, table: RowTable | None) -> Folds | None:
    """Leave out one block of every case in turn, the last first; None where several cases are too short for that."""
    try:
        folds = _in_blocks(list(cases), count, settings.in_len, 2 * (settings.in_len + settings.out_len))
    except UserError:
        if len(cases) == 1:
            raise
        return None
    views = [case for several in (*folds.parts, *folds.stretches) for case in several]
    return replace(folds, table=table and table.including(views))


def _in_blocks(records: list[Case], count: int, gap: int, least: int) -> Folds:
    """Folds of one block of every record.

    Raises:
        UserError: a record is too short.
    """
    cut = [blocks(record, count, gap, least) for record in records]
    # The last first: what is judged on one part is judged after the longest run.
    parts = [[pieces[k] for pieces in cut] for k in reversed(range(count))]
    stretches = [
        [left for record, block in zip(records, part, strict=True) for left in without_block(record, block, gap, least)]
        for part in parts
    ]
    return Folds(parts, None, records, stretches, gap, least)


@dataclass(frozen=True)
class FoldTraining:
    """What the fits of all folds share.

    Attributes:
        config: of the run.
        surrogate: whose scaling and columns every network has.
        folds: the cases.
        folder: of the checkpoints, one folder per network and fold in it.
        on_epoch: is given the metrics of each epoch as ``<network>/fold<k>/<metric>``.
        warm: surrogate to begin with; None for fresh weights.
    """

    config: Config
    surrogate: Surrogate
    folds: Folds
    folder: Path
    on_epoch: OnEpoch
    warm: WarmStart | None = None

    def single(self, member: Member, network: Network | None = None) -> Surrogate:
        """A surrogate of one network, new or given, that shares all else."""
        alone = Surrogate(of_member(self.surrogate.description, replace(member, copies=1)))
        for name, part in self.surrogate.named_children():
            if name != "network":
                alone.add_module(name, part)
        if network is not None:
            alone.network = blind(network) if alone.description.units else network
        return alone.to(self.surrogate.device).eval()

    def structured(self, model: ModelConfig) -> ModelConfig:
        """The configuration of a network with what the cases decide about its structure, the same for all folds."""
        return structure(model, self._windows(self.config.settings, None).training, self.warm)

    def start(self, model: ModelConfig, k: int | None) -> Surrogate:
        """A new network with the weights that have a closed form, fitted without fold k; None: on all cases."""
        seed_run(self.config.settings.seed + (k or 0))
        alone = self.single(Member(model.name, model))
        initialise(alone, self._windows(self.config.settings, k).training, self.warm, k or 0)
        return alone.eval()

    def fit(self, name: str, alone: Surrogate, settings: SettingsConfig, k: int) -> FitResult:
        """Train a network of a name in place without fold k, which chooses its best weights."""
        name = f"{name}/fold{k}"
        seed_run(settings.seed + k)

        def report(metrics: dict[str, float], epoch: int) -> None:
            self.on_epoch({f"{name}/{key}": value for key, value in metrics.items()}, epoch)

        windows = self._windows(settings, k)
        return fit(alone.train(), windows, self.folds.parts[k], settings, self.folder / name, report)

    def _windows(self, settings: SettingsConfig, k: int | None) -> WindowData:
        kept = self.folds.cases if k is None else self.folds.kept(k)
        split = CaseSplit(kept, kept if k is None else self.folds.parts[k], [], self.folds.table)
        return make_windows(replace(self.config, settings=settings), self.surrogate, split)
