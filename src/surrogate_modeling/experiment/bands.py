"""What of the test cases lies inside the uncertainty bands: written, recorded and logged."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from surrogate_modeling.cases.case import Case
from surrogate_modeling.common.wording import names_and_rest
from surrogate_modeling.evaluation.coverage import Coverage, coverage_table, write_coverage
from surrogate_modeling.evaluation.scores import Scores
from surrogate_modeling.surrogate.band import existing
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.tracking.run import Run

log = logging.getLogger(__name__)
MOST_NAMED = 10


def report_coverage(
    run: Run,
    surrogate: Surrogate,
    cases: Sequence[Case],
    runs: Sequence[tuple[np.ndarray, np.ndarray]],
    scores: Scores,
) -> Coverage:
    """Write ``coverage.csv``, record the metrics, and log what was promised and reached.

    Args:
        run: of the training.
        surrogate: with a band.
        cases: with the truth.
        runs: mean and spread (H, P) of the free run over each.
        scores: of these.
    """
    band = existing(surrogate.band)
    table = Coverage.of(cases, runs, band, surrogate.description.channels)
    run.log_metrics(table.metrics())
    write_coverage(run.folder / "coverage.csv", table)
    log.info(
        "%.0f %% bands on %d test cases (calibrated on %d other cases), each of what it is to hold: rows, whole "
        "trajectories, those of all targets of a case:\n%s",
        100 * band.level, len(cases), band.cases, coverage_table(table),
    )  # fmt: skip
    if wide := table.wide_targets(scores):
        widest_first = sorted(wide, key=wide.__getitem__, reverse=True)
        log.warning(
            "bands that are far wider than the errors: %s. The worst of the %d cases that set them is far off; look at "
            "that case, or give more of them (dataset.validation)",
            names_and_rest((f"{name} {wide[name]:.0f} times" for name in widest_first), MOST_NAMED), band.cases,
        )  # fmt: skip
    return table
