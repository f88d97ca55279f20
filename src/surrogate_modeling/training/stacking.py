"""Stack the network with the quadratic baseline: choose the mix of each column on the validation cases.

Shape letters: H predicted rows of a case, P predicted columns.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from surrogate_modeling.cases.case import Case
from surrogate_modeling.config.models import RegressionConfig
from surrogate_modeling.evaluation.metrics import ade
from surrogate_modeling.surrogate.description import Member
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.baselines import Baseline

log = logging.getLogger(__name__)
SHARES = np.linspace(0.0, 1.0, 11)
# Part of a column's error that mixing must take away: less is chance on few cases, and the regression costs time.
MIN_GAIN = 0.05


def stack(surrogate: Surrogate, baseline: Baseline, validation: Sequence[Case]) -> dict[str, float]:
    """Stack the surrogate's network with the baseline where the validation cases improve; logs the shares.

    Args:
        surrogate: with its best weights; changed in place.
        baseline: fitted on the same training cases.
        validation: cases that choose; without any the network stays alone.

    Returns:
        Share of the network in each target, by name.
    """
    channels = surrogate.description.channels
    alone, regressed = surrogate.predict(validation), baseline.predict(validation)
    truth = [case.truth(len(rows)) for case, rows in zip(validation, alone, strict=True)]
    share = np.ones(len(channels.predicted))
    if not validation:
        log.warning("settings.stack: there are no validation cases to choose by; the network stays alone")
    elif not all(np.isfinite(rows).all() for rows in alone):
        log.warning("settings.stack: the free run over some validation case diverged; the network stays alone")
    else:
        share = choose_shares(alone, regressed, truth)
    shares = {channels.predicted[i]: float(share[i]) for i in channels.target_indices}
    if (share < 1.0).any():
        network = Member("network", surrogate.description.model, surrogate.description.members)
        regression = Member("quadratic", RegressionConfig(products=baseline.network.products))
        weight = np.stack((share, 1.0 - share))
        members = [(network, surrogate.network), (regression, baseline.network)]
        # What has no share anywhere would only cost time in each prediction.
        used = [i for i in range(len(members)) if weight[i].any()]
        surrogate.mix([members[i] for i in used], weight[used])
        log.info(
            "mixed with the quadratic baseline in %d of %d columns; share of the network: %s",
            (share < 1.0).sum(), len(share), ", ".join(f"{name} {value:.1f}" for name, value in shares.items()),
        )  # fmt: skip
        if not share.any():
            log.warning(
                "settings.stack: the network has no share in any column: it is left out, and the surrogate is the "
                "quadratic baseline; more training or another model may do better"
            )
    return shares


def choose_shares(
    network: Sequence[np.ndarray], regressed: Sequence[np.ndarray], truth: Sequence[np.ndarray]
) -> np.ndarray:
    """Share (P,) of the network with the least mean ADE; 1 where mixing gains less than ``MIN_GAIN``.

    Args:
        network: (H, P) per case.
        regressed: the same of the regression.
        truth: the same, measured.
    """
    errors = np.zeros((len(SHARES), truth[0].shape[1]))
    for rows, others, wanted in zip(network, regressed, truth, strict=True):
        errors += [ade(others + share * (rows - others), wanted) for share in SHARES]
    return np.where(errors.min(axis=0) < (1.0 - MIN_GAIN) * errors[-1], SHARES[errors.argmin(axis=0)], 1.0)
