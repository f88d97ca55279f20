"""Content of the report of an adaptation: what was tried and kept, the errors before and after, and trajectories.

Shape letters: H predicted rows of a case, P predicted columns.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surrogate_modeling.cases.case import Case
from surrogate_modeling.evaluation.scores import Scores
from surrogate_modeling.reporting.content import Content, Sentence
from surrogate_modeling.reporting.curves import drawing_limits, pack_curves

# Growth of the error on old test cases that is no mere chance and is warned of.
FORGOTTEN = 0.1
# Cases whose trajectories are drawn, those with the largest errors, and points of each curve.
MAX_DRAWN, MAX_POINTS = 12, 1200


@dataclass(frozen=True)
class PartFacts:
    """Errors of the same cases by the surrogate before and after."""

    before: Scores
    after: Scores


@dataclass(frozen=True)
class KeptOutFacts:
    """New cases that nothing was fitted to, and their free runs (H, P) before and after."""

    cases: Sequence[Case]
    before: Sequence[np.ndarray]
    after: Sequence[np.ndarray]


@dataclass(frozen=True)
class AdaptationFacts:
    """What the page of an adaptation is made of.

    Attributes:
        title: name of the run.
        how: name of what was kept.
        is_same: whether nothing was kept.
        tried: name, nADE of the given cases each left out, and seconds, of everything that was tried.
        new: errors of the new cases kept out.
        old: those of the old test cases; None where they are gone.
        kept_out: the new cases that nothing was fitted to, with their free runs.
        given: number of cases that were adapted to.
        facts: key and value of everything else, for people.
    """

    title: str
    how: str
    is_same: bool
    tried: Sequence[tuple[str, float, float]]
    new: PartFacts
    old: PartFacts | None
    kept_out: KeptOutFacts
    given: int
    facts: Sequence[tuple[str, str]]


def adaptation_content(facts: AdaptationFacts) -> Content:
    """Content of the page, of the kind ``adaptation``."""
    light, sentences = _verdict(facts)
    drawn, blocks = _curves(facts)
    channels = facts.new.after.channels
    return {
        "kind": "adaptation",
        "title": facts.title,
        "written": time.strftime("%Y-%m-%d %H:%M"),
        "verdict": {"light": light, "sentences": sentences},
        "how": facts.how,
        "tried": [{"how": how, "nade": nade, "seconds": seconds} for how, nade, seconds in facts.tried],
        "targets": list(channels.targets),
        "units": [channels.units[name] for name in channels.targets],
        "new": _part(facts.new),
        "old": _part(facts.old) if facts.old else None,
        "drawn": drawn,
        "facts": [list(pair) for pair in facts.facts],
        "blocks": blocks,
    }


def _part(part: PartFacts) -> Content:
    """Errors of each case, nADE, and the mean of each target in its unit."""
    names = part.after.channels.targets
    both = part.before, part.after
    return {
        "cases": list(part.after.cases),
        "nade": [scores.nade for scores in both],
        "case_nade": [scores.case_nade.tolist() for scores in both],
        "targets": [[float(scores.column(name)[0].mean()) for name in names] for scores in both],
    }


def relative_change(before: float, after: float) -> float:
    """Relative change of an error.

    -1 where only the free runs before diverged, infinite where only those after do, and 0 where both do or there was
    no error.
    """
    if not np.isfinite(before):
        return -1.0 if np.isfinite(after) else 0.0
    return after / before - 1 if before > 0 else 0.0


def _verdict(facts: AdaptationFacts) -> tuple[str, list[Sentence]]:
    change = relative_change(facts.new.before.nade, facts.new.after.nade)
    errors = {"before": _short(facts.new.before.nade), "after": _short(facts.new.after.nade)}
    values = {"n": len(facts.new.after.cases), **errors, "change": _percent(change)}
    sentences: list[Sentence] = [
        ("adapt_same", values) if facts.is_same else ("adapt_kept", {"how": facts.how, **values})
    ]
    light = "bad" if change > 0 else "fair" if facts.is_same else "good"
    worse = [
        name
        for name in facts.new.after.channels.targets
        if _mean(facts.new.after, name) > _mean(facts.new.before, name)
    ]
    if worse and not facts.is_same:
        sentences.append(("adapt_worse_in", {"n": len(worse), "names": worse}))
        light = "fair" if light == "good" else light
    if facts.old is None:
        sentences.append(("adapt_old_gone", {}))
    else:
        change = relative_change(facts.old.before.nade, facts.old.after.nade)
        values = {"n": len(facts.old.after.cases), "before": _short(facts.old.before.nade)}
        key = "adapt_forgotten" if change > FORGOTTEN else "adapt_old"
        sentences.append((key, {**values, "after": _short(facts.old.after.nade), "change": _percent(change)}))
        light = "fair" if light == "good" and change > FORGOTTEN else light
    return light, sentences


def _mean(scores: Scores, name: str) -> float:
    return float(scores.column(name)[0].mean())


def _short(error: float) -> str:
    return f"{error:.3g}"


def _percent(change: float) -> str:
    return f"{100 * change:+.0f}"


def _curves(facts: AdaptationFacts) -> tuple[list[Content], list[str]]:
    """Truth and both predictions of each target of the cases with the largest errors, packed."""
    kept, scores = facts.kept_out, facts.new.after
    worst = np.argsort(-scores.case_nade, kind="stable")[:MAX_DRAWN]
    targets = scores.channels.target_indices
    drawn, blocks = [], []
    for i in worst.tolist():
        case, given = kept.cases[i], len(kept.cases[i].time) - len(kept.after[i])
        truth = case.outputs.astype(np.float64)[:, targets]
        parts = [truth]
        for rows in (kept.before[i], kept.after[i]):
            own = rows.astype(np.float64)[:, targets]
            low, high, _ = drawing_limits(truth, own)
            shown = np.where(np.isfinite(own), np.clip(own, low, high), np.nan)
            parts.append(np.vstack((np.full((given, own.shape[1]), np.nan), shown)))
        content, text = pack_curves(case.time, np.hstack(parts).T, MAX_POINTS)
        drawn.append({**content, "name": case.name, "place": i})
        blocks.append(text)
    return drawn, blocks
