"""The results of a comparison as rows of cells, Markdown and CSV."""

from __future__ import annotations

import math
from collections.abc import Sequence

from surrogate_modeling.common.tables import csv_text
from surrogate_modeling.comparison.results import Numbers, Result, Row

HEAD = (
    "model", "recipe", "seeds", "nADE", "nFDE", "worst target", "validation nADE", "training [min]",
    "prediction [ms/case]", "parameters",
)  # fmt: skip
COLUMNS = (
    "model", "recipe", "seed", "fraction", "cases", "status", "nADE", "nFDE", "validation_nADE", "training_seconds",
    "epochs", "prediction_seconds_per_case", "parameters", "test_cases", "diverged_cases",
)  # fmt: skip
TARGET, WEIGHT = "nADE of ", "weight of "
# With more targets the table of them is wider than a page; the CSV has all.
LARGEST_TARGET_TABLE = 12


def main_table(rows: Sequence[Row]) -> list[list[str]]:
    """Cells of one line per row: mean and standard deviation over the seeds."""
    return [_cells(row) for row in rows]


def _cells(row: Row) -> list[str]:
    seeds = f"{len(row.runs)}/{len(row.runs) + len(row.lost)}" if row.lost else str(len(row.runs))
    if not row.runs:
        return [row.model, row.recipe, seeds, "diverged or failed", *["-"] * 6]
    worst = max(row.targets.items(), key=lambda item: item[1])
    validation = sum(row.validation) / len(row.validation) if row.validation else math.nan
    return [
        row.model,
        row.recipe or "-",
        seeds,
        with_spread(row.mean("nade"), row.spread("nade")),
        with_spread(row.mean("nfde"), row.spread("nfde")),
        f"{worst[0]} {number(worst[1])}",
        number(validation),
        number(row.mean("fit_seconds") / 60, 2),
        number(1000 * row.mean("seconds_per_case"), 2),
        f"{row.mean('parameters'):,.0f}",
    ]


def number(value: float, digits: int = 4) -> str:
    """A score for people: fixed digits, ``-`` where there is none, ``diverged`` where it is infinite."""
    if math.isnan(value):
        return "-"
    return f"{value:.{digits}f}" if math.isfinite(value) else "diverged"


def with_spread(mean: float, spread: float) -> str:
    """Mean, and the standard deviation where there are several seeds."""
    return number(mean) if math.isnan(spread) else f"{number(mean)} ± {number(spread)}"


def target_table(rows: Sequence[Row]) -> list[list[str]]:
    """nADE of each target, a column each, with the head; empty where there are too many or none."""
    names = next((list(row.targets) for row in rows if row.runs), [])
    if not 1 < len(names) <= LARGEST_TARGET_TABLE:
        return []
    lines = [[row.model, row.recipe or "-", *(number(row.targets[name]) for name in names)] for row in rows if row.runs]
    return [["model", "recipe", *names], *lines]


def weight_table(results: Sequence[Result]) -> list[list[str]]:
    """Mean weight of each member of the portfolios, a column each, with the head; empty without portfolios."""
    mixed = [result for result in results if result.weights]
    names = list(dict.fromkeys(name for result in mixed for name in result.weights))
    pairs = dict.fromkeys((result.model, result.recipe) for result in mixed)
    lines = []
    for pair in pairs:
        own = [result.weights for result in mixed if (result.model, result.recipe) == pair]
        means = (sum(weights.get(name, 0.0) for weights in own) / len(own) for name in names)
        lines.append([*pair, *(number(mean, 2) for mean in means)])
    return [["model", "recipe", *names], *lines] if lines else []


def markdown(cells: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first line is its head."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in cells]
    return "\n".join([lines[0], "|" + "---|" * len(cells[0]), *lines[1:]])


def results_csv(results: Sequence[Result]) -> str:
    """One line per training, and one per baseline and seed; every number."""
    lines: list[dict[str, object]] = []
    seen: set[tuple[str, int, float]] = set()
    for result in results:
        for name, numbers in result.baselines.items():
            if (key := (name, result.seed, result.fraction)) not in seen:
                seen.add(key)
                own = {"model": name, "seed": result.seed, "fraction": result.fraction, "cases": result.baseline_cases}
                lines.append({**own, "status": "baseline", **_numbers(numbers)})
        lines.append(
            {
                "model": result.model,
                "recipe": result.recipe,
                "seed": result.seed,
                "fraction": result.fraction,
                "cases": result.cases or "",
                "status": result.status.value,
                **(_numbers(result.numbers) if result.numbers else {}),
                **_training(result),
            }
        )
    targets = dict.fromkeys(key for line in lines for key in line if key.startswith((TARGET, WEIGHT)))
    head = [*COLUMNS, *targets, "reason", "run", "commit", "device"]
    return csv_text([head, *([line.get(key, "") for key in head] for line in lines)])


def _numbers(numbers: Numbers) -> dict[str, object]:
    return {
        "nADE": numbers.nade,
        "nFDE": numbers.nfde,
        "training_seconds": numbers.fit_seconds,
        "prediction_seconds_per_case": numbers.seconds_per_case,
        "parameters": numbers.parameters,
        "diverged_cases": numbers.diverged_cases,
        **{f"{TARGET}{name}": value for name, value in numbers.targets.items()},
    }


def _training(result: Result) -> dict[str, object]:
    scored: dict[str, object] = {
        "validation_nADE": result.validation,
        "epochs": result.epochs,
        "test_cases": result.test_cases,
        **{f"{WEIGHT}{name}": value for name, value in result.weights.items()},
    }
    where: dict[str, object] = {
        "reason": result.reason,
        "run": result.run,
        "commit": result.commit,
        "device": result.device,
    }
    return {**scored, **where} if result.numbers else where
