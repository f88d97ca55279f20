"""Compare an exported model with the surrogate it was exported from.

Shape letters: B case, T rows, H = T - in_len predicted rows, C controls, P predicted columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from surrogate_modeling.cases.problems import MAX_LISTED_PROBLEMS, file_refusal
from surrogate_modeling.cases.schedules import Schedule, read_schedule, schedule_files
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.wording import with_unit
from surrogate_modeling.config.commands import BandScope, ExportConfig
from surrogate_modeling.deployment.band_stepping import edge_names
from surrogate_modeling.deployment.loading import demands_of
from surrogate_modeling.networks.trees import leaning
from surrogate_modeling.surrogate.model import Surrogate

# Initial rows (B, G, P), G of them given, and controls (B, T, C), both of the type of _number, physical units.
FreeRunInputs = tuple[np.ndarray, np.ndarray]
# Not the 2 that exports are traced with: a batch size that got fixed must show.
CASES, ROWS = 3, 60
# Of the size of a column (see Difference), and of the features of trees [training standard deviations]. Rounding of
# float32 is 1e-7; a free run carries it on from row to row.
TOLERANCE = 1e-4
# A pressure of 1e5 Pa that hardly moves is still rounded at 1e5.
LEVEL_SHARE = 0.01
HELD_ROWS = 10


@dataclass(frozen=True)
class Difference:
    """Largest difference of two predictions, and its share of the column's scale.

    Attributes:
        standardised: in training standard deviations.
        physical: in the unit of its column.
        relative: to the size of the column: the training standard deviation, the span of the trajectory where that is
            more (it may run away), or a hundredth of its level.
    """

    standardised: float
    physical: float
    relative: float
    column: str
    unit: str

    def __str__(self) -> str:
        physical = with_unit(f"{self.physical:.2g}", self.unit)
        return f"{self.standardised:.2g} training standard deviations ({physical} of {self.column!r})"


def random_cases(surrogate: Surrogate, cases: int = CASES, rows: int = ROWS) -> FreeRunInputs:
    """Random cases around the training mean, with controls that are held for some rows and then jump.

    Returns:
        Initial (B, G, P) and controls (B, T, C), both of the type of :func:`_number`, physical units.
    """
    rng = np.random.default_rng(0)
    sizes = surrogate.description.sizes
    scaling = surrogate.scaling
    level, scale = scaling.level.cpu().numpy(), scaling.scale.cpu().numpy()
    number = _number(surrogate)
    total = sizes.in_len + rows
    jumps = rng.normal(size=(cases, -(-total // HELD_ROWS), sizes.controls))
    controls = np.repeat(jumps, HELD_ROWS, axis=1)[:, :total]
    constant = surrogate.description.channels.parameter_indices
    controls[:, :, constant] = controls[:, :1, constant]
    initial = rng.normal(size=(cases, 1, sizes.predicted)) + 0.1 * rng.normal(
        size=(cases, sizes.in_len, sizes.predicted)
    )
    initial = initial[:, : surrogate.description.given_rows]
    return (
        (initial * scale[sizes.controls :] + level[sizes.controls :]).astype(number),
        (controls * scale[: sizes.controls] + level[: sizes.controls]).astype(number),
    )


def given_rows(surrogate: Surrogate, initial: np.ndarray, controls: np.ndarray) -> np.ndarray:
    """Rows that a free run starts from: (B, in_len, F), or (B, in_len, C) where controls are all that is given."""
    past = controls[:, : surrogate.description.in_len]
    return np.concatenate((past, initial), axis=-1) if surrogate.description.given_rows else past


def largest_difference(
    surrogate: Surrogate,
    run: Callable[[np.ndarray, np.ndarray], np.ndarray],
    real: Sequence[FreeRunInputs],
    what: str,
    tolerance: float = TOLERANCE,
    scope: BandScope | None = None,
) -> Difference:
    """Run random and real cases through an exported model and the surrogate; the largest difference.

    Args:
        surrogate: the reference.
        run: initial (B, G, P) and controls (B, T, C) -> (B, H, P) by the exported model.
        real: cases beside the random ones, each batch of a length of its own.
        what: was exported, for the message.
        tolerance: largest difference that passes, as a share of the size of a column.
        scope: of the band whose lower and upper edges ``run`` gives beside the rows, (B, H, 3 P); None: no band.

    Raises:
        UserError: the difference is more than rounding, or one of the two diverges.
    """
    found = []
    for initial, controls in (random_cases(surrogate), *real):
        predicted = run(initial, controls)
        reference = reference_of(surrogate, initial, controls, predicted, scope)
        found.append(prediction_difference(surrogate, predicted, reference))
        if not found[-1].relative <= tolerance:
            raise UserError(
                f"{what} differs from the surrogate by {found[-1]}; it was not written. Rounding may grow in "
                "its free run: try another format, or a surrogate of another model, such as model=nss"
            )
    return max(found, key=lambda difference: difference.relative)


def reference_of(
    surrogate: Surrogate,
    initial: np.ndarray,
    controls: np.ndarray,
    predicted: np.ndarray,
    scope: BandScope | None = None,
) -> np.ndarray:
    """The surrogate's prediction (B, H, P) that an exported one is compared with.

    A network of trees jumps where a feature passes a threshold: among thousands of comparisons a row, rounding decides
    some. So of such a network it is the nearest to ``predicted`` of what lies between the ends that the surrogate gives
    where each comparison closer than ``TOLERANCE`` goes either way.

    Args:
        surrogate: the reference.
        initial: (B, G, P).
        controls: (B, T, C).
        predicted: (B, H, P), by the exported model; with a band (B, H, 3 P).
        scope: of the band.
    """
    reference = _free_run(surrogate, initial, controls, scope)
    if not surrogate.network.has_jumps:
        return reference
    low = high = reference
    for upper in (False, True):
        with leaning(surrogate.network, TOLERANCE, upper=upper):
            end = _free_run(surrogate, initial, controls, scope)
        low, high = np.minimum(low, end), np.maximum(high, end)
    return np.clip(predicted, low, high)


def _free_run(surrogate: Surrogate, initial: np.ndarray, controls: np.ndarray, scope: BandScope | None) -> np.ndarray:
    """Rows (B, H, P), or rows, lower and upper edges (B, H, 3 P)."""
    if scope is None:
        return surrogate.free_run(initial, controls)
    return np.concatenate(surrogate.free_run_band(initial, controls, scope=scope), axis=-1)


def prediction_difference(surrogate: Surrogate, predicted: np.ndarray, reference: np.ndarray) -> Difference:
    """Largest difference of two predictions (..., P), or (..., 3 P) with bands; NaN where either is not finite."""
    channels, count = surrogate.description.channels, reference.shape[-1]
    names, scale = channels.predicted, surrogate.predicted_scale
    units = [channels.units[name] for name in names]
    if count > len(names):
        names, scale, units = (*names, *edge_names(channels)), np.tile(scale, 3), 3 * units
    error = np.abs(predicted.astype(np.float64) - reference).reshape(-1, count).max(axis=0)
    rows = reference.reshape(-1, count).astype(np.float64)
    size = np.max([scale, np.ptp(rows, axis=0), LEVEL_SHARE * np.abs(rows).max(axis=0)], axis=0)
    worst = int(np.argmax(error / size))
    standardised = float(error[worst] / scale[worst])
    return Difference(standardised, float(error[worst]), float((error / size)[worst]), names[worst], units[worst])


def given_schedules(surrogate: Surrogate, config: ExportConfig) -> list[Schedule]:
    """The first cases given, on the surrogate's step.

    Raises:
        UserError: the cases do not fit the surrogate.
    """
    if config.cases is None:
        return []
    demands = demands_of(surrogate.description, config.max_gap)
    results = [read_schedule(file, demands) for file in schedule_files(config.cases)[: config.num_cases]]
    if problems := [problem for result in results if isinstance(result, list) for problem in result]:
        raise file_refusal(config.cases, problems, most=MAX_LISTED_PROBLEMS)
    return [result for result in results if isinstance(result, Schedule)]


def real_cases(surrogate: Surrogate, schedules: Sequence[Schedule]) -> list[FreeRunInputs]:
    """Initial rows (1, G, P) and controls (1, T, C) of each schedule, both of the type of :func:`_number`."""
    count, number = surrogate.description.given_rows, _number(surrogate)
    return [
        (schedule.case.outputs[None, :count].astype(number), schedule.case.controls[None].astype(number))
        for schedule in schedules
    ]


def _number(surrogate: Surrogate) -> type[np.floating]:
    """Type of what an exported model takes: double for all columns where any of them stands on a level."""
    return np.float64 if any(surrogate.scaling.offsets) else np.float32
