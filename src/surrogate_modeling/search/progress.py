"""Progress of a search, a line after each trial: done, failed, best so far, time left."""

from __future__ import annotations

import logging
import time

from optuna.trial import TrialState

from surrogate_modeling.search.study import INTERRUPTED, SearchStudy

log = logging.getLogger(__name__)


class Progress:
    """The state of a search in words.

    Args:
        study: of the search.
    """

    def __init__(self, study: SearchStudy) -> None:
        self.study = study
        self.started = time.monotonic()
        self.before = len(study.with_result())

    def line(self) -> str:
        """E.g. ``7 of 12 trials done (2 pruned), 1 failed, best val_loss 0.0123 (trial 4), about 3 min left``."""
        trials = self.study.trials()
        done = self.study.with_result()
        pruned = sum(trial.state is TrialState.PRUNED for trial in done)
        failed = sum(t.state is TrialState.FAIL and INTERRUPTED not in t.user_attrs for t in trials)
        parts = [
            f"{len(done)} of {self.study.target} trials done" + (f" ({pruned} pruned)" if pruned else ""),
            f"{failed} failed",
        ]
        best = self.study.best()
        names = self.study.settings.objective
        if best and len(names) == 1:
            parts.append(f"best {names[0]} {best[0].values[0]:.4g} (trial {best[0].number})")
        elif best:
            parts.append(f"{len(best)} on the Pareto front")
        missing, gained = self.study.target - len(done), len(done) - self.before
        if gained and missing > 0:
            # Trials of other processes on the study count here as well: they take work off this one.
            parts.append(f"about {duration((time.monotonic() - self.started) / gained * missing)} left")
        return ", ".join(parts)

    def report(self) -> None:
        """Log the line."""
        log.info(self.line())


def duration(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3.5 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
