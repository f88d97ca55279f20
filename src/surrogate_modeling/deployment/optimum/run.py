"""Run a search as configured: read the case, refuse what cannot be searched, search, write, and say what was found."""

from __future__ import annotations

import logging
import math
from pathlib import Path

from surrogate_modeling.cases.case import Case
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.wording import with_unit
from surrogate_modeling.config.optimise_keys import OptimiseConfig
from surrogate_modeling.deployment.loading import read_case, say_mean_unit
from surrogate_modeling.deployment.optimum.outcome import Outcome
from surrogate_modeling.deployment.optimum.plant import Plant
from surrogate_modeling.deployment.optimum.problem import Problem, problem_of
from surrogate_modeling.deployment.optimum.search import Found, Method, Search
from surrogate_modeling.surrogate.band import existing
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.surrogate.training_range import BEYOND

log = logging.getLogger(__name__)


def optimise(surrogate: Surrogate, file: Path, output: Path, config: OptimiseConfig) -> None:
    """Search, and write the result.

    Args:
        surrogate: on its device.
        file: the schedule to start from.
        output: folder, exists.
        config: checked.

    Raises:
        UserError: the problem does not fit the surrogate or the case, or no schedule that keeps the bounds was found;
            the one that breaks them least is then written.
    """
    if config.unit is not None:
        surrogate.require_unit(config.unit)
    else:
        say_mean_unit(surrogate, "name one by unit=<name>")
    if config.band is not None:
        existing(surrogate.band, f"band={config.band}: null searches without a margin; ")
    problem = problem_of(config, surrogate)
    case = read_case(file, surrogate.description, config.case, max_gap=config.max_gap, unit=config.unit)
    if problem.after >= len(case.time) - surrogate.description.in_len:
        raise UserError(f"after={config.after:g}: the case ends before")
    check_start(surrogate, case, config)
    plant = None if config.dataset is None else Plant(surrogate, case, config.dataset)
    method = Method(config.starts, config.steps, config.seed, config.band, config.beyond)
    found = Search(surrogate, case, problem, method, unit=config.unit).run()
    rows = None if plant is None else plant.run(found.best.controls[0].numpy())
    if isinstance(rows, str):
        log.warning("the plant cannot follow the schedule: %s", rows)
        rows = None
    outcome = Outcome(case, problem, found, rows, surrogate.scaling.scale.cpu().numpy())
    outcome.write(output)
    _say(outcome, output, config)
    if not found.kept:
        raise UserError(_why_not(surrogate, case, found, problem, output))


def check_start(surrogate: Surrogate, case: Case, config: OptimiseConfig) -> None:
    """Refuse a case whose first rows no schedule can change and lie outside.

    Raises:
        UserError: they do.
    """
    position = surrogate.position(case)
    given = position.outside[: surrogate.description.in_len]
    if config.beyond or not (given.any() or position.start >= BEYOND):
        return
    farthest = max(float(position.rows[: len(given)].max()), position.start)
    raise UserError(
        f"case={config.case}: its first rows, which the search starts from, are {farthest:.2f} times as far from the "
        "training cases as these are from each other: no schedule changes that; take another case, or beyond=true"
    )


def _say(outcome: Outcome, output: Path, config: OptimiseConfig) -> None:
    found = outcome.found
    reached = ", ".join("none" if math.isinf(each) else f"{each:.4g}" for each in found.objectives)
    log.info("objective of each start, in standard deviations: %s; the case has %.4g", reached,
             float(found.before.objective))  # fmt: skip
    log.info("found, and of the case as it was:\n%s", outcome.text())
    for name, share in outcome.inside().items():
        if config.band is not None:
            log.info("%s: %.0f %% of the plant's rows within the margin", name, 100 * share)
    log.info(
        "farthest from the training cases: %.2f of the distance between these; results in %s",
        float(found.best.distance.max()), output,
    )  # fmt: skip
    if config.dataset is None:
        log.info("simulate %s before you rely on it: a search finds where a surrogate errs", output / "schedule.csv")


def _why_not(surrogate: Surrogate, case: Case, found: Found, problem: Problem, output: Path) -> str:
    """Which of the bounds and the training range the best schedule breaks, and what to do."""
    best, reasons = found.best, []
    if float(best.excess) > 0:
        search = Search(surrogate, case, problem, Method())
        for bound in problem.bounds:
            worst = float(search.beyond(bound, best.lower, best.upper).max())
            if worst > 0:
                scale = float(surrogate.predicted_scale[bound.place])
                unit = surrogate.description.channels.units[bound.column]
                reasons.append(f"{with_unit(str(bound), unit)}: missed by {with_unit(f'{worst * scale:.4g}', unit)}")
    if float(best.distance.max()) > BEYOND:
        reasons.append(f"it lies {float(best.distance.max()):.2f} times as far from the training cases as allowed")
    return (
        f"no schedule found that keeps everything: {'; '.join(reasons)}. The one that breaks least is in {output}; "
        "wider bounds, after=<seconds>, band=null, fewer fixed controls, more steps or starts, or beyond=true may do"
    )
