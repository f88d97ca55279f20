"""Content of the report of a search: trials, history, importance, the best configuration."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from surrogate_modeling.reporting.content import Content, Sentence


@dataclass(frozen=True)
class TrialFacts:
    """One trial; without ``values`` it has no result."""

    number: int
    state: str
    values: list[float] | None
    params: Mapping[str, Any]
    seconds: float | None
    reason: str


@dataclass(frozen=True)
class SearchFacts:
    """A search and its trials.

    Attributes:
        name: of the study.
        status: how it ended: FINISHED, FAILED or KILLED.
        objective: names.
        directions: minimize or maximize, one per objective.
        keys: searched ones.
        trials: all, in their order.
        best: numbers, best first; of several objectives the Pareto front.
        importance: objective -> key -> share of the objective's variance over the trials; without what too few trials
            cannot say.
        best_yaml: the best configuration as a file; empty without a result.
        command: that trains it; empty without a result.
        wanted: trials that the search was to have.
        storage: of the study.
    """

    name: str
    status: str
    objective: Sequence[str]
    directions: Sequence[str]
    keys: Sequence[str]
    trials: Sequence[TrialFacts]
    best: Sequence[int]
    importance: Mapping[str, Mapping[str, float]]
    best_yaml: str
    command: str
    wanted: int
    storage: str


def search_content(facts: SearchFacts) -> Content:
    """Content of the page of a search."""
    return {
        "kind": "search",
        "title": facts.name,
        "written": time.strftime("%Y-%m-%d %H:%M"),
        "verdict": {"light": "good" if facts.best else "bad", "sentences": _sentences(facts)},
        **{
            key: getattr(facts, key)
            for key in ("status", "objective", "directions", "keys", "best", "best_yaml", "command", "storage")
        },
        "importance": {name: dict(shares) for name, shares in facts.importance.items()},
        "trials": [
            {**asdict(trial), "params": {key: _plain(value) for key, value in trial.params.items()}}
            for trial in facts.trials
        ],
        "missing": [],
    }


def _plain(value: Any) -> float | int | str | bool | None:
    return value if isinstance(value, float | int | str | bool) or value is None else str(value)


def _sentences(facts: SearchFacts) -> list[Sentence]:
    states = [trial.state for trial in facts.trials]
    counts = {"complete": states.count("COMPLETE"), "pruned": states.count("PRUNED"), "failed": states.count("FAIL")}
    if not facts.best:
        return [("search_none", {"n": len(states), **counts})]
    best = next(trial for trial in facts.trials if trial.number == facts.best[0])
    values = [f"{name} {value:.5g}" for name, value in zip(facts.objective, best.values or [], strict=False)]
    sentences: list[Sentence] = []
    if len(facts.objective) > 1:
        sentences.append(("search_front", {"n": len(facts.best), "trial": best.number, "values": values}))
    else:
        sentences.append(("search_best", {"trial": best.number, "values": values}))
    sentences.append(("search_counts", {"n": len(states), "wanted": facts.wanted, **counts}))
    if (gain := _gain(facts)) is not None:
        key = "search_settled" if gain < SETTLED else "search_falling"
        sentences.append((key, {"share": f"{100 * gain:.1f}"}))
    for name, shares in facts.importance.items():
        if shares:
            key = max(shares, key=lambda k: shares[k])
            sentences.append(
                ("search_importance", {"objective": name, "key": key, "share": f"{100 * shares[key]:.0f}"})
            )
            break
    return sentences


# A best value that improved by a smaller share in the last third of the trials has settled.
SETTLED, FEWEST_FOR_GAIN = 0.01, 9


def _gain(facts: SearchFacts) -> float | None:
    """Share by which the last third of the trials improved the best value of one objective; None with few trials."""
    values = [trial.values[0] for trial in facts.trials if trial.values]
    if len(facts.objective) > 1 or len(values) < FEWEST_FOR_GAIN:
        return None
    sign = 1 if facts.directions[0] == "minimize" else -1
    ordered = [sign * value for value in values]
    before, now = min(ordered[: 2 * len(ordered) // 3]), min(ordered)
    return (before - now) / abs(before) if before else 0.0
