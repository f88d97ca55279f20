"""Look at some cases, and write which control matters for which target, with a picture."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from surrogate_modeling.cases.case import Case
from surrogate_modeling.common.atomic_file import write_atomic
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.progress import track
from surrogate_modeling.common.tables import aligned, csv_text
from surrogate_modeling.common.wording import counted, unit_per, with_unit
from surrogate_modeling.config.explain_keys import ExplainConfig
from surrogate_modeling.deployment.influence.sensitivity import gradients, sobol, step_responses
from surrogate_modeling.deployment.loading import read_case, say_mean_unit
from surrogate_modeling.evaluation.figures import new_figure, picture_or_warning, png_of
from surrogate_modeling.surrogate.model import Surrogate

log = logging.getLogger(__name__)
# Parts of a trajectory over which the gradients are shown.
PARTS = 60
CONSTANT = "constant in training"


@dataclass(frozen=True)
class Influence:
    """What was found over the cases; targets N, controls C, cases K, parts of a trajectory Q.

    Attributes:
        targets: names.
        controls: names.
        over_time: (N, C, Q) root mean square of the gradients over the cases, along the trajectory.
        share: (N, C) of the root mean square gradient in the sum over the controls.
        constant: (C,), whether a control is constant in training, so that there is no step of it.
        gains: (K, N, C), in units; NaN where a response does not settle, or the control is constant.
        seconds: (K, N, C) until 63 % of the change.
        change: (K, N, C), gains in standard deviations.
        sobol: first-order and total indices (N, C); none without samples.
    """

    targets: tuple[str, ...]
    controls: tuple[str, ...]
    over_time: np.ndarray
    share: np.ndarray
    constant: np.ndarray
    gains: np.ndarray
    seconds: np.ndarray
    change: np.ndarray
    sobol: tuple[np.ndarray, ...] = ()


def explain(surrogate: Surrogate, files: list[Path], output: Path, config: ExplainConfig) -> None:
    """Look at the cases, write the files, and log the table.

    Args:
        surrogate: on its device.
        files: schedules.
        output: folder, exists.
        config: checked.

    Raises:
        UserError: a schedule cannot be used, the unit is not known, or no free run stays finite.
    """
    if config.unit is not None:
        surrogate.require_unit(config.unit)
    else:
        say_mean_unit(surrogate, "name one by unit=<name>")
    chosen = sorted({round(place) for place in np.linspace(0, len(files) - 1, min(len(files), config.num_cases))})
    about, place, unit = surrogate.description, config.cases, config.unit
    cases = [read_case(files[i], about, place, max_gap=config.max_gap, unit=unit) for i in chosen]
    found = look(surrogate, cases, config)
    units = about.channels.units
    write_atomic(output / "gains.csv", csv_text(gain_lines(found, units)).encode(), durable=False)
    write_atomic(output / "influence.csv", csv_text(influence_lines(found)).encode(), durable=False)
    if found.sobol:
        lines: list[tuple[str, ...]] = [("target", "control", "first order", "total")]
        for n, target in enumerate(found.targets):
            lines += [
                (target, control, *(f"{index[n, i]:.4f}" for index in found.sobol))
                for i, control in enumerate(found.controls)
            ]
        write_atomic(output / "sobol.csv", csv_text(lines).encode(), durable=False)
    if (picture := picture_or_warning("influence.png", lambda: draw(found))) is not None:
        write_atomic(output / "influence.png", picture, durable=False)
    log.info("share of the gradients, and gains at %d operating points:\n%s", len(found.gains), _table(found, units))
    log.info("results in %s", output)


def look(surrogate: Surrogate, cases: list[Case], config: ExplainConfig) -> Influence:
    """Gradients, step responses and, with samples, Sobol indices over the cases.

    Cases whose gradients are not finite, as where a free run diverges, are left out with a warning.

    Raises:
        UserError: no case is left.
    """
    channels, in_len = surrogate.description.channels, surrogate.description.in_len
    # Cases may be of several lengths: parts are shares of the trajectory, as many as the shortest one has rows.
    count = min(PARTS, min(len(case.time) for case in cases) - in_len)
    squares, answers, used = [], [], list[Case]()
    for case in track(cases, len(cases), "cases"):
        square = gradients(surrogate, case, config.unit)[:, in_len:].astype(float) ** 2
        if not np.isfinite(square).all():
            continue
        used.append(case)
        squares.append(np.stack([part.mean(axis=1) for part in np.array_split(square, count, axis=1)], axis=-1))
        answers.append(step_responses(surrogate, case, config.step, config.settle, config.unit))
    _require_finite(cases, used)
    over_time = np.sqrt(np.mean(squares, axis=0))
    whole = np.sqrt(np.mean([each.mean(axis=-1) for each in squares], axis=0))
    share = whole / np.maximum(whole.sum(axis=1, keepdims=True), 1e-30)
    indices = sobol(surrogate, used[0], config.samples, config.seed, config.unit) if config.samples else ()
    gains, seconds, change = (np.stack([getattr(a, name) for a in answers]) for name in ("gain", "seconds", "change"))
    constant = surrogate.scaling.constant[: len(channels.controls)].cpu().numpy()
    return Influence(channels.targets, channels.controls, over_time, share, constant, gains, seconds, change, indices)


def _require_finite(cases: list[Case], used: list[Case]) -> None:
    """Warn of the cases that are left out; refuse where none is left."""
    lost = [case.name for case in cases if not any(case is each for each in used)]
    if not used:
        raise UserError(
            f"cases: no gradient of {counted(len(lost), 'case')} is finite, as the free run diverges; give shorter "
            "cases, or a surrogate whose free run stays finite"
        )
    if lost:
        log.warning(
            "%d of %s left out, as gradients are not finite (the free run diverges): %s",
            len(lost), counted(len(cases), "case"), ", ".join(lost),
        )  # fmt: skip


def gain_lines(found: Influence, units: dict[str, str]) -> list[tuple[str, ...]]:
    """A line for each target and control: gain and time constant, median and range over the cases."""
    lines: list[tuple[str, ...]] = [
        ("target", "control", "unit", "gain", "lowest", "highest", "settled", "time constant [s]", "share of gradients")
    ]
    for n, target in enumerate(found.targets):
        for i, control in enumerate(found.controls):
            gains, seconds = (values[:, n, i] for values in (found.gains, found.seconds))
            real, times = gains[np.isfinite(gains)], seconds[np.isfinite(seconds)]
            cells = [f"{f(real):.5g}" if real.size else "" for f in (np.median, np.min, np.max)]
            time = f"{np.median(times):.4g}" if times.size else ""
            unit = unit_per(units[target], units[control])
            settled = CONSTANT if found.constant[i] else f"{real.size} of {gains.size}"
            lines.append((target, control, unit, *cells, settled, time, f"{found.share[n, i]:.3f}"))
    return lines


def influence_lines(found: Influence) -> list[tuple[str, ...]]:
    """A line for each target, control and part of the trajectory: root mean square of the gradients."""
    lines: list[tuple[str, ...]] = [("target", "control", "share of the trajectory", "gradient")]
    count = found.over_time.shape[-1]
    for n, target in enumerate(found.targets):
        for i, control in enumerate(found.controls):
            for q in range(count):
                lines.append((target, control, f"{(q + 0.5) / count:.4f}", f"{found.over_time[n, i, q]:.5g}"))
    return lines


def _table(found: Influence, units: dict[str, str]) -> str:
    """For each target the controls that make up nine tenths of the gradients, the largest first."""
    lines: list[tuple[str, ...]] = []
    every = gain_lines(found, units)
    for n in range(len(found.targets)):
        order = np.argsort(-found.share[n])
        before = np.cumsum(found.share[n][order]) - found.share[n][order]
        for i in order[before < 0.9].tolist():
            target, control, unit, gain, *_, settled, time, share = every[1 + n * len(found.controls) + i]
            none = "" if settled == CONSTANT else "not settled"
            lines.append((target, control, share, with_unit(gain, unit) if gain else none, time, settled))
    return aligned([("target", "control", "share", "gain", "time constant [s]", "settled"), *lines], 2)


def draw(found: Influence) -> bytes:
    """PNG: shares of the gradients, gains in standard deviations, and gradients along the trajectory."""
    count, width = len(found.targets), len(found.controls)
    size = 15, 2.5 + 0.45 * count + 0.1 * width
    figure = new_figure([*found.targets, *found.controls], figsize=size, dpi=110)
    shares, gains, times = figure.subplots(1, 3, width_ratios=(1, 1, 1.4))
    _draw_grid(shares, found, found.share, "share of the gradients", "{:.2f}")
    finite = np.where(np.isfinite(found.change), found.change, 0.0)
    counted = np.isfinite(found.change).sum(axis=0)
    mean = np.where(counted > 0, finite.sum(axis=0) / np.maximum(counted, 1), np.nan)
    _draw_grid(gains, found, mean, "gain in standard deviations (empty: not settled, or constant)", "{:.2f}")
    place = (np.arange(found.over_time.shape[-1]) + 0.5) / found.over_time.shape[-1]
    for i in np.argsort(-found.share.mean(axis=0))[:8]:
        times.plot(place, found.over_time[:, i].mean(axis=0), label=found.controls[i])
    times.set_xlabel("share of the trajectory")
    times.set_title("gradient along the trajectory, mean over the targets", fontsize=9)
    times.grid(alpha=0.3)
    times.legend(fontsize=7)
    return png_of(figure)


def _draw_grid(axes: Any, found: Influence, values: np.ndarray, title: str, form: str) -> None:
    edge = float(np.nanmax(np.abs(values))) if np.isfinite(values).any() else 1.0
    axes.imshow(values, cmap="RdBu_r", vmin=-edge, vmax=edge, aspect="auto")
    for (n, i), value in np.ndenumerate(values):
        if np.isfinite(value):
            color = "w" if abs(value) > 0.6 * edge else "k"
            axes.text(i, n, form.format(value), ha="center", va="center", fontsize=7, color=color)
    axes.set_xticks(range(len(found.controls)), found.controls, rotation=60, ha="right", fontsize=7, parse_math=False)
    axes.set_yticks(range(len(found.targets)), found.targets, fontsize=7, parse_math=False)
    axes.set_title(title, fontsize=9)
