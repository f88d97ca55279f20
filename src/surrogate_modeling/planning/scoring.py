"""What a surrogate does not know of a schedule, and a batch of schedules that tell it most.

Shape letters: N candidates, R rows of a candidate that are compared, D features of a row (controls, averages of their
past), C controls, M rows that are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from surrogate_modeling.cases.case import Case
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.plan_keys import By
from surrogate_modeling.planning.candidates import Candidate
from surrogate_modeling.surrogate.model import Surrogate

# Rows of a candidate that are compared with others, evenly spread.
COMPARED_ROWS = 64


@dataclass(frozen=True)
class Unknown:
    """What is not known of candidates.

    Attributes:
        features: (N, R, D) of their rows, in the unit of distance between training cases.
        near: (N, R) distance of each row from the nearest training row.
        spread: (N,) of the members, mean over rows and targets in training standard deviations; 0 for one network.
        band: (N,) half-width of the 90 % band of rows, the same mean; NaN without a band.
        farthest: control that takes most part in the distance.
    """

    features: np.ndarray
    near: np.ndarray
    spread: np.ndarray
    band: np.ndarray
    farthest: list[str]

    @property
    def distance(self) -> np.ndarray:
        """Mean distance (N,) from the training rows."""
        return np.asarray(self.near.mean(axis=1))

    @property
    def outside(self) -> np.ndarray:
        """Share of rows (N,) farther from the training cases than these are from each other."""
        return np.asarray((self.near > 1).mean(axis=1))


@dataclass(frozen=True)
class Chosen:
    """A candidate that was chosen.

    Attributes:
        place: among the candidates.
        distance: from the training cases and what was chosen before.
        value: by which it was chosen.
    """

    place: int
    distance: float
    value: float


def look_at(surrogate: Surrogate, candidates: Sequence[Candidate], unit: str | None = None) -> Unknown:
    """Measure what a surrogate does not know of candidates.

    Args:
        surrogate: on its device.
        candidates: schedules.
        unit: that the spread and the band are of; None: the mean unit.
    """
    there = surrogate.training_range.measured_rows.cpu()
    features = torch.stack([_features(surrogate, candidate.rows) for candidate in candidates])
    near, farthest = [], []
    for rows in features:
        distance, place = torch.cdist(rows, there).min(dim=1)
        near.append(distance)
        farthest.append(_farthest(surrogate, (rows - there[place]).square().sum(dim=0)))
    cases = [replace(_case(surrogate, candidate), unit=unit) for candidate in candidates]
    (_, spreads), scale = surrogate.predict_spread(cases), surrogate.predicted_scale
    targets = surrogate.description.channels.target_indices
    spread = np.array([_mean(rows / scale, targets) for rows in spreads])
    band = np.full(len(candidates), np.nan)
    if surrogate.band is not None:
        halves = surrogate.band.half_widths(spreads)
        band = np.array([_mean(half / scale, targets) for half in halves])
    return Unknown(features.numpy(), torch.stack(near).numpy(), spread, band, farthest)


def choose(unknown: Unknown, by: By, count: int, seed: int) -> list[Chosen]:
    """Choose a batch, one after the other: each the candidate of most value beside those before.

    The value is the worth of a candidate (its spread or band, or 1) times its mean distance from the training rows and
    those of what is chosen already, so that no two of a batch are alike (Gonzalez 1985 for the distance alone).

    Args:
        unknown: of the candidates.
        by: what they are worth.
        count: of the batch.
        seed: of a random choice.

    Raises:
        UserError: the surrogate does not have what they are to be worth.
    """
    worth = _worth(unknown, by)
    order = np.random.default_rng(seed).permutation(len(worth)) if by is By.random else None
    features, near = torch.from_numpy(unknown.features), unknown.near.copy()
    left, chosen = np.ones(len(worth), dtype=bool), list[Chosen]()
    for turn in range(count):
        distance = near.mean(axis=1)
        value = np.where(left, worth * distance, -np.inf)
        place = int(value.argmax()) if order is None else int(order[turn])
        chosen.append(Chosen(place, float(distance[place]), float(value[place])))
        left[place] = False
        to_new = torch.cdist(features.flatten(0, 1), features[place]).min(dim=1).values
        near = np.minimum(near, to_new.numpy().reshape(near.shape))
    return chosen


def _worth(unknown: Unknown, by: By) -> np.ndarray:
    if by in (By.distance, By.random):
        return np.ones(len(unknown.near))
    worth = unknown.spread if by is By.spread else unknown.band
    if not np.nan_to_num(worth, nan=0.0).any():
        one = "it has one network, or one for each part of the cases, whose spread does not count"
        what = one if by is By.spread else "it has no band"
        raise UserError(f"by={by}: the surrogate cannot tell, as {what}; use by=distance")
    # What diverges is worth as much as what is known least of the others.
    finite = worth[np.isfinite(worth)]
    return np.where(np.isfinite(worth), worth, finite.max() if len(finite) else 1.0)


def _features(surrogate: Surrogate, rows: np.ndarray) -> torch.Tensor:
    """Features (R, D) of evenly spread rows of controls (T, C)."""
    scaling = surrogate.scaling
    given = torch.tensor(rows, dtype=scaling.number, device=surrogate.device)
    scaled = scaling.standardise(given, slice(0, rows.shape[1]))
    places = np.linspace(0, len(rows) - 1, COMPARED_ROWS).round().astype(int)
    return surrogate.training_range.measured(scaled[None])[0].cpu()[places]


def _farthest(surrogate: Surrogate, squares: torch.Tensor) -> str:
    """The control that takes most part in squared differences (D,)."""
    controls = surrogate.description.channels.controls
    return controls[int(squares.reshape(-1, len(controls)).sum(dim=0).argmax())]


def _case(surrogate: Surrogate, candidate: Candidate) -> Case:
    """A candidate as a case, which starts like the training row whose controls are nearest to its first ones."""
    description = surrogate.description
    channels, given = description.channels, description.given_rows
    controls = len(channels.controls)
    values = np.full((len(candidate.rows), controls + len(channels.predicted)), np.nan)
    values[:, :controls] = candidate.rows
    if given:
        known = surrogate.training_range
        first = _features(surrogate, candidate.rows)[:1]
        place = int(torch.cdist(first, known.measured_rows.cpu()).argmin())
        start = surrogate.scaling.restore(known.output_rows[place], slice(controls, None))
        values[:given, controls:] = start.cpu().numpy()
    return Case(candidate.name, np.arange(len(values)) * description.step, channels.held(values), channels)


def _mean(rows: np.ndarray, targets: list[int]) -> float:
    with np.errstate(all="ignore"):
        return float(np.nan_to_num(rows[:, targets], nan=np.inf).mean())
