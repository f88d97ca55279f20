"""The verdict on a run: a light, sentences, three numbers, and what to try next as a command.

The sentences are keys of texts with their values, so that a page says them in its language.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from surrogate_modeling.evaluation.scores import Scores
from surrogate_modeling.reporting.content import Content, Sentence
from surrogate_modeling.surrogate.training_range import BEYOND

# Errors that differ by less count as equal: a mixture may be the baseline itself.
EQUAL_SHARE = 1e-3
MAX_NAMES = 6
# More time for a portfolio: three times as much as it had, and an hour at least.
MORE_TIME, LEAST_MINUTES = 3, 60
# Worst cases that are named if they are far from the training cases.
MAX_FAR = 3
# Settings of a run, not of its recipe: they stay when another recipe is tried.
OF_RUN = tuple(
    f"settings.{key}"
    for key in (
        "decimate", "use_decimate", "in_len", "start", "device", "seed", "mlflow_exp_name", "workers", "is_save_model",
        "register_model", "language", "num_figures", "progress_bar",
    )
)  # fmt: skip


@dataclass(frozen=True)
class RunChoices:
    """Choices of a run that decide what to try next.

    Attributes:
        arguments: of its command line, as typed.
        model: name of the network.
        debug: whether it was a short run for a look.
        saved: whether the surrogate was kept.
        reference: by which the surrogate is found, a run id or a folder.
        minutes: that the training might take; None for no limit.
    """

    arguments: Sequence[str]
    model: str
    debug: bool
    saved: bool
    reference: str
    minutes: float | None = None


@dataclass(frozen=True)
class BaselineError:
    """nADE of a baseline, and its mean ADE of each predicted column (P,) in its unit; None where it was not kept."""

    nade: float
    ade: np.ndarray | None

    @classmethod
    def of(cls, scores: Scores) -> BaselineError:
        """Of the scores on the test cases."""
        return cls(scores.nade, scores.ade.mean(axis=0))


def verdict(
    scores: Scores,
    reach: np.ndarray,
    baselines: Mapping[str, BaselineError],
    real_time: float | None,
    choices: RunChoices,
    shares: Mapping[str, float] | None = None,
) -> Content:
    """The verdict on a run.

    Args:
        scores: of the test cases.
        reach: (B,) largest distance of each from the training cases.
        baselines: on the same cases, by name.
        real_time: how many times faster than real time the prediction is; None if unknown.
        choices: of the run.
        shares: of the network in each target, where it was mixed with the quadratic baseline.
    """
    worse = {name: names for name, other in baselines.items() if (names := worse_targets(scores, other))}
    best = min(baselines, key=lambda name: baselines[name].nade) if baselines else None
    beaten = best is None or scores.nade <= baselines[best].nade * (1 + EQUAL_SHARE)
    light = "bad" if scores.diverged or not beaten else "fair" if worse else "good"
    if light == "good" and not _is_known(baselines):
        light = "unknown"
    unused: list[Sentence] = [("verdict_unused", {})] if shares and not any(shares.values()) else []
    reason, command = what_next(light, scores, reach, choices)
    return {
        "light": light,
        "sentences": [*_sentences(scores, baselines, worse, best, beaten), *unused],
        "numbers": _numbers(scores, baselines, best, real_time),
        "worse": worse,
        "reason": reason,
        "command": command,
    }


def worse_targets(scores: Scores, other: BaselineError) -> list[str]:
    """Targets in which the mean ADE over the cases is larger than that of a baseline, the worst first."""
    ratios = dict[str, float]()
    if other.ade is None:
        return []
    for j, name in zip(scores.channels.target_indices, scores.channels.targets, strict=True):
        own, reference = float(scores.ade[:, j].mean()), float(other.ade[j])
        if not own <= reference * (1 + EQUAL_SHARE):
            ratios[name] = own / reference if reference > 0 and np.isfinite(own) else np.inf
    return sorted(ratios, key=lambda name: -ratios[name])


def _is_known(baselines: Mapping[str, BaselineError]) -> bool:
    """Whether there are baselines, with their errors per target."""
    return bool(baselines) and all(other.ade is not None for other in baselines.values())


def _sentences(
    scores: Scores,
    baselines: Mapping[str, BaselineError],
    worse: Mapping[str, list[str]],
    best: str | None,
    beaten: bool,
) -> list[Sentence]:
    targets, sentences = len(scores.channels.targets), list[Sentence]()
    if scores.diverged:
        names = _listed(scores.diverged)
        sentences.append(("verdict_diverged", {"n": len(scores.diverged), "all": len(scores.cases), "names": names}))
    if best is not None:
        nade, reference = scores.nade, baselines[best].nade
        equal = abs(nade - reference) <= EQUAL_SHARE * reference
        key = "verdict_equal" if equal else "verdict_better" if beaten else "verdict_worse"
        times = max(nade, reference) / min(nade, reference) if min(nade, reference) > 0 else np.inf
        sentences.append((key, {"baseline": best, "times": f"{times:.3g}"}))
    for name, names in worse.items():
        values = {"n": len(names), "all": targets, "baseline": name, "names": _listed(names)}
        sentences.append(("verdict_worse_in", values))
    if not _is_known(baselines):
        sentences.append(("verdict_unknown", {}))
    elif not worse:
        sentences.append(("verdict_none_worse", {"n": targets, "baselines": list(baselines)}))
    return sentences


def _listed(names: Sequence[str]) -> list[str]:
    return [*names[:MAX_NAMES], *(["…"] if len(names) > MAX_NAMES else [])]


def _numbers(
    scores: Scores, baselines: Mapping[str, BaselineError], best: str | None, real_time: float | None
) -> list[Content]:
    """Error of the worst and of the median target, times better than the best baseline, times real time."""
    channels, places = scores.channels, scores.channels.target_indices
    error = scores.ade.mean(axis=0)
    order = sorted(places, key=lambda j: error[j] / scores.scale[j])
    numbers: list[Content] = []
    for key, j in (("number_worst", order[-1]), ("number_median", order[(len(order) - 1) // 2])):
        name = channels.predicted[j]
        share = float(error[j] / scores.scale[j])
        numbers.append(
            {"key": key, "value": float(error[j]), "unit": channels.units[name], "name": name, "share": share}
        )
    if best is not None:
        value = baselines[best].nade / scores.nade if scores.nade > 0 else np.inf
        numbers.append({"key": "number_times", "value": float(value), "unit": "×", "name": best})
    if real_time is not None:
        numbers.append({"key": "number_real_time", "value": real_time, "unit": "×", "name": None})
    return numbers


def what_next(light: str, scores: Scores, reach: np.ndarray, choices: RunChoices) -> tuple[Sentence, str]:
    """Why, and the command to try next."""
    arguments = list(choices.arguments)
    if choices.debug:
        return ("next_debug", {}), train_command(_without(arguments, "settings.is_debug"))
    worst_first = np.argsort(-scores.case_nade, kind="stable")
    far = [scores.cases[i] for i in worst_first[:MAX_FAR] if reach[i] >= BEYOND]
    if light in ("bad", "fair"):
        if choices.model == "auto":
            more = f"settings.max_minutes={max(LEAST_MINUTES, MORE_TIME * (choices.minutes or 0)):g}"
            return ("next_more_minutes", {}), train_command([*_without(arguments, "settings.max_minutes"), more])
        kept = _without(arguments, "model", "settings")
        return ("next_auto", {}), train_command(["model=auto", *kept])
    if "settings=quick" in arguments:
        kept = ["settings=stable" if word == "settings=quick" else word for word in arguments]
        return ("next_stable", {}), train_command(kept)
    if not choices.saved:
        key: Sentence = ("next_far", {"names": far}) if far else ("next_save", {})
        return key, train_command([*arguments, "settings.is_save_model=True"])
    key = ("next_far", {"names": far}) if far else ("next_predict", {})
    return key, shlex.join(["pdm", "run", "predict", f"surrogate={choices.reference}", "cases=<folder>", "output=out"])


def _without(arguments: Sequence[str], *keys: str) -> list[str]:
    """Arguments without those of some keys and of all below them, but for what is of the run, not of its recipe."""
    kept = []
    for argument in arguments:
        name = argument.lstrip("+~").partition("=")[0]
        below = any(name == key or name.startswith(f"{key}.") for key in keys)
        if not below or name.startswith(OF_RUN):
            kept.append(argument)
    return kept


def train_command(arguments: Sequence[str]) -> str:
    """The command of a run, for a shell."""
    return shlex.join(["pdm", "run", "train", *arguments])
