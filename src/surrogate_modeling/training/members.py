"""Fit one network, or the members of an ensemble one after another."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from surrogate_modeling.cases.case import Case
from surrogate_modeling.common import early_end
from surrogate_modeling.common.progress import OnEpoch
from surrogate_modeling.config.models import ModelConfig
from surrogate_modeling.networks import CHOICES, Network
from surrogate_modeling.networks.ensemble import EnsembleNetwork
from surrogate_modeling.networks.sizes import Batch
from surrogate_modeling.surrogate.device import choose_device
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.checkpoints import FitResult
from surrogate_modeling.training.fit import fit, seed_run
from surrogate_modeling.training.loaders import WindowData
from surrogate_modeling.training.warm_start import WarmStart
from surrogate_modeling.training.windows import WindowDataset

log = logging.getLogger(__name__)
MAX_SPREAD_WINDOWS = 256
# Of the cases that structures and closed forms are fitted to, the shorter ones filled up.
MAX_WHOLE_ROWS = 200_000


def fit_members(
    surrogate: Surrogate,
    windows: WindowData,
    validation: Sequence[Case],
    folder: Path,
    on_epoch: OnEpoch,
    warm: WarmStart | None = None,
) -> FitResult:
    """Train the surrogate in place: a single network, or every member of an ensemble in turn.

    Member k is what a run with the seed :func:`member_seed` and the same split gives. Its checkpoints are in
    ``member<k>/``, and a member that is finished is not trained again. When training is asked to end, members that were
    not begun are left out.

    Args:
        surrogate: with fitted scaling.
        windows: training and validation windows, with the recipe.
        validation: the validation cases.
        folder: where checkpoints go.
        on_epoch: is given the metrics of each epoch, those of member k > 0 as ``member<k>/<metric>``.
        warm: surrogate to begin with; None for fresh weights.

    Returns:
        The mean over the members of the least of each metric, the epochs of the longest fit, and the seconds of all.
    """
    settings = windows.settings
    model = structure(surrogate.description.model, windows.training, warm)
    if model != surrogate.description.model:
        surrogate.rebuild(model)
    if surrogate.description.members == 1:
        initialise(surrogate, windows.training, warm)
        return fit(surrogate, windows, validation, settings, folder, on_epoch)
    fits, members = list[FitResult](), list[Network]()
    for k in range(settings.ensemble):
        if members and early_end.is_asked(folder):
            log.warning("training was asked to end: the ensemble has %d of %d members", k, settings.ensemble)
            break
        log.info("member %d of %d", k + 1, settings.ensemble)
        own = replace(settings, seed=member_seed(settings.seed, k))
        seed_run(own.seed)
        member = _new_member(surrogate)
        initialise(member, windows.training, warm, k)
        data = WindowData(windows.training, windows.validation, own)
        report = _prefixed(on_epoch, f"member{k}/") if k else on_epoch
        fits.append(fit(member, data, validation, own, folder / f"member{k}", report))
        members.append(member.network)
    surrogate.description = replace(surrogate.description, members=len(members))
    surrogate.network = EnsembleNetwork(members) if len(members) > 1 else members[0]
    surrogate.to(choose_device(settings)).eval()
    return _together(fits)


def _new_member(surrogate: Surrogate) -> Surrogate:
    """An untrained surrogate of one network, with what was fitted before."""
    member = Surrogate(replace(surrogate.description, members=1))
    member.scaling.load_state_dict(surrogate.scaling.state_dict())
    if member.first_row is not None and surrogate.first_row is not None:
        member.first_row.load_state_dict(surrogate.first_row.state_dict())
    return member


def _together(fits: Sequence[FitResult]) -> FitResult:
    shared = set.intersection(*(set(fitted.least) for fitted in fits))
    least = {name: float(np.mean([fitted.least[name] for fitted in fits])) for name in sorted(shared)}
    epochs, seconds = max(fitted.epochs for fitted in fits), sum(fitted.seconds for fitted in fits)
    return FitResult(least, epochs, seconds, any(fitted.timed_out for fitted in fits))


def member_seed(seed: int, member: int) -> int:
    """Seed of one member of an ensemble; ensembles of different seeds share no member.

    The first member has the ensemble's own seed, the others numbers drawn from both (NumPy's ``SeedSequence``).
    """
    return seed if member == 0 else int(np.random.SeedSequence((seed, member)).generate_state(1)[0])


def _prefixed(on_epoch: OnEpoch, prefix: str) -> OnEpoch:
    return lambda metrics, epoch: on_epoch({f"{prefix}{name}": value for name, value in metrics.items()}, epoch)


def initialise(surrogate: Surrogate, windows: WindowDataset, warm: WarmStart | None = None, member: int = 0) -> None:
    """Fit the closed-form weights of the network on windows spread over all training cases, or take weights.

    Args:
        surrogate: of one network.
        windows: of the training cases.
        warm: surrogate whose weights are taken then, as far as they fit.
        member: number of the network within an ensemble.
    """
    # Where rows lie in a file, windows spread over all cases take seconds.
    if surrogate.network.has_closed_form:
        log.info("fitting what %s starts from", surrogate.description.model.name)
        surrogate.network.initialise(*_windows(windows))
    if warm is not None:
        warm.take_weights(surrogate, member)


def structure(model: ModelConfig, windows: WindowDataset, warm: WarmStart | None = None) -> ModelConfig:
    """The configuration of a network with what the training cases decide about its structure, or those of ``warm``."""
    known = warm.structure(model) if warm is not None else None
    if known is not None:
        return known
    if model.name not in CHOICES:
        return model
    whole, spread = _windows(windows)
    if windows.unit_of_case is not None:
        # The number of a unit is no column of the plant.
        whole, spread = (batch._replace(past=batch.past[..., :-1]) for batch in (whole, spread))
    return CHOICES[model.name](model, whole, spread)


def _windows(windows: WindowDataset) -> tuple[Batch, Batch]:
    """One window of each of some cases, as long as these, and windows: the first of each of these, then any."""
    spread = np.linspace(0, len(windows) - 1, min(len(windows), MAX_SPREAD_WINDOWS)).astype(np.int64)
    firsts = windows.spread_cases(MAX_WHOLE_ROWS)
    chosen = torch.cat((firsts, torch.from_numpy(spread).to(firsts.device)))
    return windows.whole_cases(firsts, MAX_WHOLE_ROWS), windows.gather(chosen, windows.hold(chosen))
