"""Export a surrogate as one HTML file that holds it and runs it in the browser: no server, no Python, no network.

The network is JavaScript, written by the translation that writes the C of an FMU
(:mod:`surrogate_modeling.deployment.c_code`), with its weights as base64. Before the page is written, a browser without
a window opens it with cases inside, and what it computes is compared with the surrogate.

Shape letters: B case, T rows, H = T - in_len predicted rows, C controls, P predicted columns.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from markupsafe import Markup

from surrogate_modeling.cases.schedules import Schedule
from surrogate_modeling.common.atomic_file import write_atomic
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.deployment.export_check import (
    Difference,
    FreeRunInputs,
    largest_difference,
    random_cases,
    real_cases,
)
from surrogate_modeling.deployment.html.browser import find_browser, run_page
from surrogate_modeling.deployment.html.content import packed, page_data
from surrogate_modeling.deployment.html.network import write_network
from surrogate_modeling.pages.rendering import render
from surrogate_modeling.surrogate.band import BandScope
from surrogate_modeling.surrogate.model import Surrogate

log = logging.getLogger(__name__)
# Largest difference that is written, in training standard deviations.
TOLERANCE = 1e-5
# Of the half-width of a band, as a share of the widest.
BAND_TOLERANCE = 1e-5
# Of the deviation of several members: it is the root of a sum of squares that has the rounding of float32.
ROOT_ROUNDING = float(np.sqrt(np.finfo(np.float32).eps))
ANSWER = re.compile(r'<pre id="answer"[^>]*>([^<]*)</pre>')


class Answer(NamedTuple):
    """What a page computes of one case: rows (H, P), and the half-widths of each band (H, P)."""

    predicted: np.ndarray
    halves: dict[BandScope, np.ndarray]


def export_html(
    surrogate: Surrogate, path: Path, cases: Sequence[Schedule] = (), *, starts: int = 3, language: str = "en",
    browser: str | None = None, check: bool = True,
) -> Difference | None:  # fmt: skip
    """Write the page, after comparing it with the surrogate in a browser.

    Args:
        surrogate: on the CPU, in evaluation mode.
        path: of the page; it appears there only when the comparison has passed.
        cases: to compare beside random ones.
        starts: how many of them a schedule in the page may begin as.
        language: of the page, ``en`` or ``ja``.
        browser: to check in; None for one that is found.
        check: False writes the page unchecked.

    Returns:
        The largest difference found; None where nothing was compared.

    Raises:
        UserError: the network cannot be translated, there is no browser, or the page differs.
    """
    program = find_browser(browser) if check else None
    script = write_network(surrogate)
    title = f"{path.stem}: {surrogate.description.model.name}"
    content = {"data": page_data(surrogate, script, cases[:starts]), "network": Markup(script.text), "title": title}
    difference = None
    if program is None:
        log.warning("check=false: the page was not compared with the surrogate")
    else:
        difference = _compare(surrogate, path, real_cases(surrogate, cases), program, {**content, "language": language})
    write_atomic(path, render("surrogate", language, check=None, **content).encode())
    return difference


def _compare(
    surrogate: Surrogate, path: Path, real: Sequence[FreeRunInputs], program: str, content: dict[str, object]
) -> Difference:
    """Open the page with the cases inside; the largest difference from the surrogate."""
    random = random_cases(surrogate)
    # The random ones twice: with the kernel of WebAssembly, and without it.
    batches = [random, *real, random]
    cases = [case for batch in batches for case in zip(*batch, strict=True)]
    plain_from = len(cases) - len(random[0])
    check = [
        {"initial": packed(initial), "controls": packed(controls), "plain": i >= plain_from}
        for i, (initial, controls) in enumerate(cases)
    ]
    # Beside the page: a browser in a container of its own may see no folder for temporary files.
    part = path.with_name(f"{path.stem}.part.html")
    try:
        write_atomic(part, render("surrogate", check=check, **content).encode(), durable=False)  # type: ignore[arg-type]
        answers = _answers(run_page(program, part), surrogate, [controls for _, controls in cases])
    finally:
        part.unlink(missing_ok=True)
    rest = iter(answers)

    def run(initial: np.ndarray, _: np.ndarray) -> np.ndarray:
        """The answers for one batch, in the order in which they were asked for."""
        return np.stack([next(rest).predicted for _ in initial])

    differences = [largest_difference(surrogate, run, part, "the page", TOLERANCE) for part in (real, ())]
    for case, answer in zip(cases, answers, strict=True):
        _compare_bands(surrogate, *case, answer)
    return max(differences, key=lambda difference: difference.relative)


def _answers(elements: str, surrogate: Surrogate, controls: Sequence[np.ndarray]) -> list[Answer]:
    """What the page computed of each case.

    Raises:
        UserError: the page failed.
    """
    if (found := ANSWER.search(elements)) is None:
        raise UserError("format=html: the page gave no answer in the browser; browser=<path> names another one")
    if found[1].startswith("error"):
        raise UserError(f"format=html: the page failed in the browser: {found[1][:300]}")
    values = np.frombuffer(base64.b64decode(found[1]), "<f8")
    scopes = [] if surrogate.band is None else list(BandScope)
    columns, answers, start = surrogate.description.sizes.predicted, [], 0
    for schedule in controls:
        rows = len(schedule) - surrogate.description.in_len
        parts = values[start : (start := start + rows * columns * (1 + len(scopes)))].reshape(-1, rows, columns)
        answers.append(Answer(parts[0], dict(zip(scopes, parts[1:], strict=True))))
    return answers


def _compare_bands(surrogate: Surrogate, initial: np.ndarray, controls: np.ndarray, answer: Answer) -> None:
    """Compare the half-widths of the bands.

    Raises:
        UserError: one differs by more than rounding.
    """
    _, spread = surrogate.free_run_spread(torch.from_numpy(initial[None]), torch.from_numpy(controls[None]))
    for scope, half in answer.halves.items():
        assert surrogate.band is not None
        banded = surrogate.free_run_band(initial, controls, scope=scope)
        # From the half-width itself, not from bounds that were rounded on the level of their column.
        reference = (banded.upper.astype(np.float64) - banded.lower) / 2
        rounding = np.finfo(banded.upper.dtype).eps * np.abs(banded.mean).max(axis=0)
        allowed = BAND_TOLERANCE * (reference.max(axis=0) + surrogate.predicted_scale) + rounding
        if bool(spread.any()):
            allowed += ROOT_ROUNDING * surrogate.band.factors(scope) * surrogate.predicted_scale
        if not (np.abs(half - reference).max(axis=0) <= allowed).all():
            raise UserError(
                f"the {scope.value} band of the page differs from that of the surrogate; it was not written"
            )
