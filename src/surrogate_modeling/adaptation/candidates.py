"""What an adaptation may end with: the surrogate as it is, with what new units have of their own, or other weights."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.split import CaseSplit
from surrogate_modeling.evaluation.scores import Scores, score
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.calibration import add_band
from surrogate_modeling.training.finishing import with_effects
from surrogate_modeling.training.portfolio import LeftOut
from surrogate_modeling.training.unit_effects import FreeRuns, fit_units

AS_IT_IS, LATENT, UNIT, FINETUNE = "as it is", "latent", "unit", "finetune"


@dataclass(frozen=True)
class Candidate:
    """One way to adapt.

    Attributes:
        how: its name.
        surrogate: adapted to all given cases; without a band.
        left_out: free runs over the given cases, each by what the other cases gave.
        seconds: that it took.
        changed: what differs from the surrogate before, for people.
        copies_spread: whether the spread of an ensemble's members is that of networks that had all not seen the case.
    """

    how: str
    surrogate: Surrogate
    left_out: LeftOut
    seconds: float
    changed: tuple[str, ...] = ()
    copies_spread: bool = True

    @property
    def nade(self) -> float:
        """nADE over the given cases, each left out."""
        return score_runs(self.surrogate, self.left_out).nade

    def calibrate(self) -> None:
        """Calibrate the band on the given cases, each left out."""
        add_band(self.surrogate, CaseSplit([], [], []), self.left_out)
        if self.surrogate.band is not None:
            self.surrogate.band = replace(self.surrogate.band, of_copies=self.copies_spread)


def score_runs(surrogate: Surrogate, runs: LeftOut) -> Scores:
    """Scores of free runs that were done."""
    return score(runs.cases, runs.rows, surrogate.description.channels, surrogate.predicted_scale)


def free_runs(surrogate: Surrogate, cases: Sequence[Case], copies: bool = True) -> LeftOut:
    """Free runs over cases, with the spread of all members; without ``copies`` not that within an ensemble."""
    return LeftOut(list(cases), *surrogate.predict_spread(cases, copies))


def as_it_is(surrogate: Surrogate, given: Sequence[Case]) -> Candidate:
    """The surrogate without a change; it has seen none of the given cases."""
    same = deepcopy(surrogate)
    same.band = None
    return Candidate(AS_IT_IS, same, free_runs(same, given), 0.0)


def with_units(before: Candidate) -> Candidate | None:
    """An offset and a gain per column of each unit of the given cases, shrunk; None where they gain nothing.

    Args:
        before: the surrogate as it is, or trained further; its free runs over the given cases are those of their
            units where these were known, or of the mean unit.
    """
    fitted = fit_units(before.surrogate, FreeRuns(before.left_out.cases, before.left_out.rows), FreeRuns([], []))
    if fitted is None:
        return None
    surrogate, effects = deepcopy(before.surrogate), fitted.effects
    known = surrogate.units.names if surrogate.units is not None else ()
    surrogate.units = effects if surrogate.units is None else surrogate.units.adjusted(effects)
    columns = int(((effects.offset != 0) | (effects.gain != 0)).any(axis=0).sum())
    changed = tuple(
        f"offset and gain of unit {name!r}{' (known before)' if name in known else ''}, of at most {columns} columns"
        for name in effects.names
    )
    how = UNIT if before.how == AS_IT_IS else f"{before.how} and {UNIT}"
    left_out = with_effects(before.left_out, fitted)
    return Candidate(how, surrogate, left_out, before.seconds, (*before.changed, *changed), before.copies_spread)
