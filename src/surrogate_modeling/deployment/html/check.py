"""Compare what a page computes with its surrogate: the cases that the page is asked, and its answers.

Shape letters: B case, T rows, H = T - in_len predicted rows, C controls, P predicted columns.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.deployment.export_check import (
    Difference,
    FreeRunInputs,
    largest_difference,
    prediction_difference,
    random_cases,
    reference_of,
)
from surrogate_modeling.deployment.html.content import packed
from surrogate_modeling.surrogate.band import BandScope
from surrogate_modeling.surrogate.model import Surrogate

# Largest difference of a row that is written, as a share of the size of its column.
TOLERANCE = 1e-5
# Of an edge of a band: a deviation of members is the root of a sum of squares.
BAND_TOLERANCE = 1e-4
# Or so many times what its own rounding makes of a surrogate, of which one comparison finds the order of magnitude.
TIMES_ROUNDING = 4.0
ANSWER = re.compile(r'<pre id="answer"[^>]*>([^<]*)</pre>')


class Asked(NamedTuple):
    """A case that a page is asked; ``plain``: without the kernel of WebAssembly, ``bands``: with the bands."""

    initial: np.ndarray
    controls: np.ndarray
    plain: bool
    bands: bool


class Answer(NamedTuple):
    """What a page computes of a case: rows (H, P), and the half-widths of the bands (H, P) by scope, or none."""

    predicted: np.ndarray
    halves: dict[BandScope, np.ndarray]

    def edged(self, scope: BandScope | None) -> np.ndarray:
        """Rows (H, P), or rows, lower and upper edges (H, 3 P)."""
        if scope is None:
            return self.predicted
        half = self.halves[scope]
        return np.concatenate((self.predicted, self.predicted - half, self.predicted + half), axis=-1)


class Check:
    """Random cases and real ones, and what a surrogate makes of them.

    Args:
        surrogate: the reference.
        real: cases beside the random ones, each batch of a length of its own.
    """

    def __init__(self, surrogate: Surrogate, real: Sequence[FreeRunInputs]) -> None:
        self.surrogate, self.real = surrogate, real
        self.scopes = [] if surrogate.band is None else list(BandScope)
        # The random ones twice: with the kernel and without it. Bands of all cases would triple what the browser says.
        random = [random_cases(surrogate)]
        batches = ((random, False, True), (real[:1], False, True), (real[1:], False, False), (random, True, False))
        self.cases = [
            Asked(*case, plain=plain, bands=bands and bool(self.scopes))
            for several, plain, bands in batches
            for batch in several
            for case in zip(*batch, strict=True)
        ]

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The cases for the page."""
        return [
            {**case._asdict(), "initial": packed(case.initial), "controls": packed(case.controls)}
            for case in self.cases
        ]

    def compare(self, elements: str) -> Difference:
        """The largest difference of the rows.

        Args:
            elements: of the page, as text.

        Raises:
            UserError: the page failed or differs.
        """
        answers = self._answers(elements)
        aided = [answer for case, answer in zip(self.cases, answers, strict=True) if not case.plain]
        plain = answers[len(aided) :]
        with_bands = aided[: sum(case.bands for case in self.cases)]
        rounding = TIMES_ROUNDING * own_rounding(self.surrogate, (random_cases(self.surrogate), *self.real))
        tolerance, band_tolerance = max(TOLERANCE, rounding), max(BAND_TOLERANCE, rounding)
        differences = [
            largest_difference(self.surrogate, _replayed(aided), self.real, "the page", tolerance),
            largest_difference(self.surrogate, _replayed(plain), (), "the page without WebAssembly", tolerance),
        ]
        for scope in self.scopes:
            run, what = _replayed(with_bands, scope), f"the page, with the band of scope {scope},"
            largest_difference(self.surrogate, run, self.real[:1], what, band_tolerance, scope)
        return max(differences, key=lambda difference: difference.relative)

    def _answers(self, elements: str) -> list[Answer]:
        """What the page computed of each case.

        Raises:
            UserError: the page failed.
        """
        if (found := ANSWER.search(elements)) is None:
            raise UserError("format=html: the page gave no answer in the browser; browser=<path> names another one")
        if found[1].startswith("error"):
            raise UserError(f"format=html: the page failed in the browser: {found[1][:300]}")
        values, start = np.frombuffer(base64.b64decode(found[1]), "<f8"), 0
        sizes, answers = self.surrogate.description.sizes, []
        for case in self.cases:
            scopes, rows = self.scopes if case.bands else [], len(case.controls) - sizes.in_len
            end = start + rows * sizes.predicted * (1 + len(scopes))
            parts, start = values[start:end].reshape(-1, rows, sizes.predicted), end
            answers.append(Answer(parts[0], dict(zip(scopes, parts[1:], strict=True))))
        return answers


def own_rounding(surrogate: Surrogate, batches: Sequence[FreeRunInputs]) -> float:
    """Largest difference of cases run alone and together, which are summed in another order, as a share of the size.

    Args:
        surrogate: whose free run may make much of rounding.
        batches: initial (B, G, P) and controls (B, T, C) of each.
    """
    shares = []
    for initial, controls in batches:
        cases = zip(initial, controls, strict=True)
        alone = np.concatenate([surrogate.free_run(given[None], driven[None]) for given, driven in cases])
        # Twice, as a batch may be of one case.
        given, driven, alone = (np.concatenate((part, part)) for part in (initial, controls, alone))
        together = reference_of(surrogate, given, driven, alone)
        shares.append(prediction_difference(surrogate, alone, together).relative)
    return max(shares)


def _replayed(
    answers: Sequence[Answer], scope: BandScope | None = None
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A free run that gives the answers one after another, in the order in which they were asked for."""
    rest = iter(answers)
    return lambda initial, _: np.stack([next(rest).edged(scope) for _ in initial])
