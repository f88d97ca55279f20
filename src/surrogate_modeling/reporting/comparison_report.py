"""Content of the report of a comparison: networks and recipes beside the baselines."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from surrogate_modeling.reporting.content import Content, Sentence


@dataclass(frozen=True)
class RowFacts:
    """A line: a model with a recipe, or a baseline, one number per seed that came to scores.

    Attributes:
        model: as typed.
        recipe: as typed; empty for a baseline.
        nade: on the test cases.
        nfde: on the test cases.
        validation: nADE on the validation cases; empty for a baseline.
        fit_seconds: of the training.
        seconds_per_case: of the prediction.
        parameters: trained numbers.
        targets: mean nADE of each.
        lost: why seeds did not come to scores.
    """

    model: str
    recipe: str
    nade: list[float]
    nfde: list[float]
    validation: list[float]
    fit_seconds: list[float]
    seconds_per_case: list[float]
    parameters: list[float]
    targets: Mapping[str, float]
    lost: Sequence[str]


def comparison_content(
    title: str,
    rows: Sequence[RowFacts],
    weights: Sequence[Sequence[str]],
    facts: Mapping[str, str],
    command: str,
    best_command: Mapping[tuple[str, str], str],
) -> Content:
    """Content of the page of a comparison.

    Args:
        title: of the comparison.
        rows: baselines first.
        weights: table of the members of portfolios, with its head; may be empty.
        facts: seeds, cases, devices, commits, as texts.
        command: that makes the comparison.
        best_command: of each model and recipe, the command that trains it.
    """
    chosen = _chosen(rows)
    sentences, light = _verdict(rows, chosen)
    return {
        "kind": "comparison",
        "title": title,
        "written": time.strftime("%Y-%m-%d %H:%M"),
        "verdict": {"light": light, "sentences": sentences},
        "rows": [asdict(row) for row in rows],
        "chosen": [chosen.model, chosen.recipe] if chosen else None,
        "weights": [list(row) for row in weights],
        "facts": dict(facts),
        "command": command,
        "next": best_command.get((chosen.model, chosen.recipe), "") if chosen else "",
        "missing": [],
    }


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.inf


def _chosen(rows: Sequence[RowFacts]) -> RowFacts | None:
    """The least nADE on the validation cases: chosen by the test cases it would be flattered. None without a result."""
    trained = [row for row in rows if row.recipe and row.nade and not row.lost]
    return min(trained, key=lambda row: _mean(row.validation)) if trained else None


def _verdict(rows: Sequence[RowFacts], chosen: RowFacts | None) -> tuple[list[Sentence], str]:
    lost = [f"{row.model}, {row.recipe}" for row in rows if row.lost]
    sentences: list[Sentence] = []
    if chosen is None:
        return [("compare_none", {})], "bad"
    own = _mean(chosen.nade)
    values = {"model": chosen.model, "recipe": chosen.recipe, "nade": f"{own:.4g}"}
    sentences.append(("compare_chosen", values))
    light = "good"
    if baselines := [row for row in rows if not row.recipe and row.nade]:
        best = min(baselines, key=lambda row: _mean(row.nade))
        reference = _mean(best.nade)
        times = f"{max(own, reference) / min(own, reference):.3g}" if min(own, reference) > 0 else "∞"
        worse = [name for name, error in chosen.targets.items() if error > best.targets.get(name, math.inf)]
        light = "bad" if own > reference else "fair" if worse else "good"
        key = "compare_worse" if own > reference else "compare_better"
        sentences.append((key, {"baseline": best.model, "times": times}))
        if worse:
            counts = {"n": len(worse), "all": len(chosen.targets), "names": worse, "baseline": best.model}
            sentences.append(("compare_worse_in", counts))
    least = min((row for row in rows if row.recipe and row.nade), key=lambda row: _mean(row.nade))
    if (least.model, least.recipe) != (chosen.model, chosen.recipe):
        values = {"model": least.model, "recipe": least.recipe, "nade": f"{_mean(least.nade):.4g}"}
        sentences.append(("compare_least", values))
    if lost:
        sentences.append(("compare_lost", {"names": lost}))
    return sentences, light
