"""Latents of new units, fitted to their cases in free run; all weights of the networks stay as they are.

The estimate is the most probable one (maximum a posteriori) where the latents of the units known so far say how such
numbers are distributed, and what is left of the error is noise of an unknown variance, one value of it per case: a
latent that takes little from the error stays near the mean of the known ones.

Shape letters: U units, K latent.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from copy import deepcopy

import numpy as np
import torch
from torch import Tensor

from surrogate_modeling.adaptation.candidates import AS_IT_IS, LATENT, Candidate, free_runs
from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.split import CaseSplit
from surrogate_modeling.config.saved_config import unflattened
from surrogate_modeling.networks.base import Batch
from surrogate_modeling.networks.unit_latent import UnitLatent
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.portfolio import LeftOut
from surrogate_modeling.training.setup import with_given_starts
from surrogate_modeling.training.windows import WindowDataset

log = logging.getLogger(__name__)
# Parts that the given cases are left out in.
FOLDS = 5
MAX_WINDOWS, ITERATIONS = 64, 30
# Rows of a window where the surrogate's file does not say how it was trained.
ROWS = 200
# Least standard deviation of a latent among the known units.
MIN_SPREAD = 1e-2
# Square error, in training variances, below which a fit is exact.
LEAST_SQUARE = 1e-6


def with_latents(before: Candidate) -> Candidate | None:
    """A latent of each unit of the given cases; None where the networks are told no units, or a fit diverged.

    Args:
        before: the surrogate as it is.
    """
    surrogate, given = before.surrogate, before.left_out.cases
    units = list(dict.fromkeys(case.unit for case in given if case.unit is not None))
    if not surrogate.description.units or not units:
        return None
    began, count = time.monotonic(), min(FOLDS, len(given))
    told, known = told_of_units(surrogate, given), len(surrogate.description.units)
    runs: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for k in range(count):
        left_out = given[k::count]
        kept = [case for i, case in enumerate(given) if i % count != k]
        part = free_runs(fitted_to(told, kept, known), left_out)
        pairs = zip(part.rows, part.spreads, strict=True)
        runs |= {case.name: pair for case, pair in zip(left_out, pairs, strict=True)}
    if not all(np.isfinite(rows).all() for rows, _ in runs.values()):
        log.warning("no latents of new units: the free run over some case diverged")
        return None
    adapted = fitted_to(told, given, known)
    networks, latents = len(list(_told_units(adapted))), adapted.description.unit_latents
    old = surrogate.description.units
    changed = tuple(
        f"latent of unit {name!r}{' (known before)' if name in old else ''}: {latents} numbers in each of {networks} "
        "networks"
        for name in units
    )
    rows, spreads = ([runs[case.name][i] for case in given] for i in (0, 1))
    assert before.how == AS_IT_IS, "latents come first"
    seconds = time.monotonic() - began
    return Candidate(LATENT, adapted, LeftOut(given, rows, spreads), seconds, changed, before.copies_spread)


def told_of_units(surrogate: Surrogate, cases: Sequence[Case]) -> Surrogate:
    """A copy of a surrogate whose networks are told of the units of cases too, where they are told any."""
    adapted, names = deepcopy(surrogate), dict.fromkeys(case.unit for case in cases if case.unit is not None)
    if surrogate.description.units:
        adapted.add_units([name for name in names if name not in surrogate.description.units])
    return adapted


def fitted_to(told: Surrogate, cases: Sequence[Case], known: int) -> Surrogate:
    """A copy of a surrogate with the latents of the cases' units fitted to them.

    Args:
        told: whose networks are told these units.
        cases: a unit without any keeps its latent.
        known: number of the units, the first ones, that say how latents are distributed.
    """
    adapted, own = deepcopy(told), [case for case in cases if case.unit is not None]
    if not own:
        return adapted
    fitted = sorted({adapted.description.units.index(str(case.unit)) for case in own})
    batch = _windows(adapted, own)
    for network in _told_units(adapted):
        for parameter in network.parameters():
            parameter.requires_grad_(parameter is network.table)
        _fit(network, batch, fitted, known=known, cases=len(own))
    return adapted


def _told_units(surrogate: Surrogate) -> Iterator[UnitLatent]:
    return (part for part in surrogate.network.modules() if isinstance(part, UnitLatent))


def _windows(surrogate: Surrogate, cases: Sequence[Case]) -> Batch:
    """Windows of the length that the networks were trained on, spread over the cases."""
    description, rows = surrogate.description, ROWS
    if surrogate.config:
        rows = unflattened(surrogate.config).settings.loss_rows
    given = with_given_starts(surrogate, CaseSplit(list(cases), [], [])).training
    windows = WindowDataset(given, surrogate.scaling, description.in_len, rows, rows, units=description.units)
    chosen = np.linspace(0, len(windows) - 1, min(len(windows), MAX_WINDOWS)).astype(np.int64)
    windows.to(windows.rows.to(surrogate.device))
    return windows.gather(torch.from_numpy(chosen).to(surrogate.device))


def _fit(network: UnitLatent, batch: Batch, fitted: Sequence[int], *, known: int, cases: int) -> None:
    """Fit the latents of some units in place.

    Args:
        network: the other weights of which need no gradient.
        batch: windows of these units.
        fitted: their places.
        known: number of units before these, which say how latents are distributed.
        cases: that the windows are of.
    """
    table = network.table
    with torch.no_grad():
        mean, spread = table[:known].mean(dim=0), table[:known].std(dim=0).clamp_min(MIN_SPREAD)
    optimiser = torch.optim.LBFGS([table], max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def objective() -> Tensor:
        """Twice the negative logarithm of the probability with the most probable variance, but for a constant."""
        optimiser.zero_grad()
        distance = ((table[list(fitted)] - mean) / spread).square().sum()
        loss = cases * (_square_error(network, batch) + LEAST_SQUARE).log() + distance
        loss.backward()
        return loss

    optimiser.step(objective)


def _square_error(network: UnitLatent, batch: Batch) -> Tensor:
    rows = network.free_run(batch.past, batch.control)
    per_row = (rows - batch.truth).square().mean(dim=-1)
    return (per_row * batch.weight).sum() / batch.weight.sum()
