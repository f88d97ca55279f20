"""Latents of new units, fitted to their cases in free run; all weights of the networks stay as they are.

The estimate is the most probable one (maximum a posteriori) where the latents of the units known so far say how such
numbers are distributed, and what is left of the error is noise of an unknown variance, one value of it per case: a
latent that takes little from the error stays near the mean of the known ones.

Shape letters: B windows, H predicted rows, P predicted columns, K latent.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from copy import deepcopy
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from surrogate_modeling.adaptation.candidates import AS_IT_IS, LATENT, Candidate, free_runs
from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.groups import unit_names
from surrogate_modeling.cases.split import CaseSplit
from surrogate_modeling.config.saved_config import unflattened
from surrogate_modeling.networks.sizes import Batch
from surrogate_modeling.networks.unit_latent import UnitLatent, told_parts
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.surrogate.parts import trained_parts
from surrogate_modeling.training.module import column_weights
from surrogate_modeling.training.portfolio import LeftOut
from surrogate_modeling.training.setup import with_given_starts
from surrogate_modeling.training.windows import WindowDataset

log = logging.getLogger(__name__)
# Parts that the given cases are left out in.
FOLDS = 5
# Rows of a window, unless the networks were trained on longer ones, and windows in all.
ROWS, MAX_WINDOWS = 200, 64
ITERATIONS = 30
# Least standard deviation of a latent among the known units.
MIN_SPREAD = 1e-2
# Square error, in training variances, below which a fit is exact.
LEAST_SQUARE = 1e-6


class Windows(NamedTuple):
    """Windows to fit to, the weight of each predicted column (P,), and the number of cases that they are of."""

    batch: Batch
    column_weight: Tensor
    cases: int


def with_latents(before: Candidate, max_minutes: float | None = None) -> Candidate | None:
    """A latent of each new unit of the given cases; None where there is none to be fitted, or no time for it.

    Args:
        before: the surrogate as it is.
        max_minutes: for all fits; None: as long as they take.
    """
    assert before.how == AS_IT_IS, "latents come first"
    surrogate, given = before.surrogate, before.left_out.cases
    new = new_units(surrogate, given)
    if not new:
        return None
    began, count = time.monotonic(), min(FOLDS, len(given))
    adapted = fitted_to(surrogate, given)
    seconds = (count + 1) * (time.monotonic() - began)
    if max_minutes is not None and seconds > 60 * max_minutes:
        log.warning("no latents of new units: their fits would take %.0f s, more than max_minutes", seconds)
        return None
    runs: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for k in range(count):
        left_out = given[k::count]
        kept = [case for i, case in enumerate(given) if i % count != k]
        part = free_runs(fitted_to(surrogate, kept), left_out)
        pairs = zip(part.rows, part.spreads, strict=True)
        runs |= {case.name: pair for case, pair in zip(left_out, pairs, strict=True)}
    latents = torch.cat([part.table for part in told_parts(adapted.network)])
    if not (all(np.isfinite(rows).all() for rows, _ in runs.values()) and bool(latents.isfinite().all())):
        log.warning("no latents of new units: the free run over some case diverged")
        return None
    numbers = f"{surrogate.description.unit_latents} numbers in each of {len(_trained(adapted))} networks"
    changed = tuple(f"latent of unit {name!r}: {numbers}" for name in new)
    rows, spreads = ([runs[case.name][i] for case in given] for i in (0, 1))
    seconds = time.monotonic() - began
    return Candidate(LATENT, adapted, LeftOut(given, rows, spreads), seconds, changed, before.copies_spread)


def new_units(surrogate: Surrogate, cases: Sequence[Case]) -> list[str]:
    """Units of cases that a surrogate does not know; none where its networks are told no units."""
    known = surrogate.description.units
    return [name for name in unit_names(cases) if name not in known] if known else []


def told_of_units(surrogate: Surrogate, cases: Sequence[Case]) -> Surrogate:
    """A copy of a surrogate whose networks have a latent of each unit of the cases, where they are told any."""
    adapted = deepcopy(surrogate)
    if surrogate.description.units:
        adapted.know(unit_names(cases))
    return adapted


def fitted_to(surrogate: Surrogate, cases: Sequence[Case]) -> Surrogate:
    """A copy of a surrogate that knows the new units of cases, with latents fitted to these.

    Args:
        surrogate: whose networks are told units.
        cases: those of known units are not looked at.
    """
    adapted, new = deepcopy(surrogate), new_units(surrogate, cases)
    if not new:
        return adapted
    priors = [_prior(_known(network)) for network in _trained(adapted)]
    adapted.know(new)
    if adapted.units is not None:
        # An offset and a gain that were found without a latent would come on top of it.
        adapted.units = adapted.units.without(new)
    windows = _windows(adapted, [case for case in cases if case.unit in new])
    for network, (mean, spread) in zip(_trained(adapted), priors, strict=True):
        _fit(network, windows, len(new), mean, spread)
    return adapted


def _trained(surrogate: Surrogate) -> list[UnitLatent]:
    """Networks that are told units and that targets rest on; what is fitted in closed form does not see latents."""
    networks = [network for part in trained_parts(surrogate) for network in part.networks]
    return [told for network in networks for told in told_parts(network)]


def _known(network: UnitLatent) -> Tensor:
    """Latents of the units that a network was trained on."""
    return network.table.detach()[:-1][network.known]


def _prior(table: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (K,) of latents (U, K); one unit says nothing of how far units are apart: 1."""
    spread = table.std(dim=0) if len(table) > 1 else table.new_ones(table.shape[1])
    return table.mean(dim=0), spread.clamp_min(MIN_SPREAD)


def _windows(surrogate: Surrogate, cases: Sequence[Case]) -> Windows:
    """Windows of each unit, spread over its cases; as long as those of the training, or longer."""
    description, rows, byproducts = surrogate.description, ROWS, 1.0
    if surrogate.config:
        settings = unflattened(surrogate.config).settings
        rows, byproducts = max(ROWS, settings.loss_rows), settings.byproduct_weight
    given = with_given_starts(surrogate, CaseSplit(list(cases), [], [])).training
    data = WindowDataset(given, surrogate.scaling, description.in_len, rows, rows, units=description.units)
    assert data.unit_of_case is not None
    unit = data.unit_of_case[data.cases_of(torch.arange(len(data)))]
    chosen, units = [], unit.unique()
    for number in units:
        own = torch.nonzero(unit == number)[:, 0]
        count = min(len(own), max(1, MAX_WINDOWS // len(units)))
        chosen.append(own[torch.linspace(0, len(own) - 1, count).round().long()])
    data.to(data.rows.to(surrogate.device))
    weight = column_weights(description.channels, byproducts).to(surrogate.device)
    return Windows(data.gather(torch.cat(chosen).to(surrogate.device)), weight, len(cases))


def _fit(network: UnitLatent, windows: Windows, units: int, mean: Tensor, spread: Tensor) -> None:
    """Fit the latents of the last units in place.

    Args:
        network: whose other weights stay.
        windows: of these units.
        units: their number.
        mean: of the latents of known units (K,).
        spread: their standard deviation (K,).
    """
    table, own = network.table, slice(-1 - units, -1)
    optimiser = torch.optim.LBFGS([table], max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def objective() -> Tensor:
        """Twice the negative logarithm of the probability with the most probable variance, but for a constant."""
        distance = ((table[own] - mean) / spread).square().sum()
        loss = windows.cases * (_square_error(network, windows) + LEAST_SQUARE).log() + distance
        (table.grad,) = torch.autograd.grad(loss, table)
        return loss.detach()

    optimiser.step(objective)
    table.grad = None


def _square_error(network: UnitLatent, windows: Windows) -> Tensor:
    past, control, truth, weight = windows.batch
    per_row = ((network.free_run(past, control) - truth).square() * windows.column_weight).mean(dim=-1)
    return (per_row * weight).sum() / weight.sum()
