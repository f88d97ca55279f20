"""Does a learning curve come true? Fitted to few training cases, it is compared with what more cases give.

    python tests/benchmarks/benchmark_learning_curve.py <folder of cases> --output <folder> -- dataset.controls=9 ...

The first cases of the folder train, in name order, and the last ones validate and test, the same for all. One
comparison with fractions has the fewest cases, as somebody would who has no more; others have more, with the same
seeds. Both go on where they were when the same command is given again. What follows ``--`` are keys of ``compare``.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from measure import markdown

from surrogate_modeling.cases.folder import natural_order
from surrogate_modeling.common.paths import PROJECT_ROOT
from surrogate_modeling.comparison.law import quantiles
from surrogate_modeling.comparison.learning import LearningCurve, in_scale_of, make_curves
from surrogate_modeling.comparison.results import Numbers, Result, Status, read_result

COMPARE = PROJECT_ROOT / "src" / "surrogate_modeling" / "compare.py"


def compare(options: argparse.Namespace, count: int, fractions: str) -> list[Result]:
    """Run the comparison on so many training cases; its results."""
    files = sorted(options.cases.glob("case*.csv"), key=lambda path: natural_order(path.stem))
    others = options.validation + options.test
    held = files[-others:]
    if count + others > len(files):
        raise SystemExit(f"{count} cases to train, and {others} others, of {len(files)}: give a folder of more cases")
    work = options.output / f"cases{count}"
    work.mkdir(parents=True, exist_ok=True)
    for file in (*files[:count], *held):
        if not (work / file.name).exists():
            (work / file.name).symlink_to(file.resolve())
    names = [file.stem for file in held]
    output = options.output / f"compare{count}"
    keys = [
        "dataset=csv", f"dataset.path={work}", "dataset.split=named", f"output={output}", f"fractions={fractions}",
        f"dataset.validation_cases=[{','.join(names[: options.validation])}]",
        f"dataset.test_cases=[{','.join(names[options.validation :])}]",
        f"seeds=[{','.join(map(str, range(options.seeds)))}]", *options.keys,
    ]  # fmt: skip
    subprocess.run([sys.executable, str(COMPARE), *keys], check=True)
    found = [read_result(path) for path in sorted((output / "results").glob("*.json"))]
    return [result for result in found if result is not None and result.status is Status.done]


def measured(curve: LearningCurve, few: list[Result], more: list[Result]) -> np.ndarray:
    """nADE of each seed with more cases, in the training standard deviations of the few."""

    def numbers(results: list[Result], seed: int) -> Numbers | None:
        own = [r for r in results if r.seed == seed and r.fraction == 1.0]
        if curve.recipe:
            return next((r.numbers for r in own if (r.model, r.recipe) == (curve.model, curve.recipe)), None)
        return next((r.baselines[curve.model] for r in own if curve.model in r.baselines), None)

    seeds = sorted({result.seed for result in more})
    return np.array([in_scale_of(numbers(few, seed), numbers(more, seed)) for seed in seeds])


def main() -> None:
    """Run the comparisons, and print what was forecast and what came."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--few", type=int, default=60)
    parser.add_argument("--more", type=int, nargs="+", default=[100, 200])
    parser.add_argument("--fractions", default="[0.1,0.2,0.5,1]")
    parser.add_argument("--validation", type=int, default=15)
    parser.add_argument("--test", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=4)
    given = sys.argv[1:]
    split = given.index("--") if "--" in given else len(given)
    options = parser.parse_args(given[:split], argparse.Namespace(keys=given[split + 1 :]))
    few = compare(options, options.few, options.fractions)
    more = {count: compare(options, count, "[1]") for count in options.more}
    rows = [["model", f"{options.few} cases", "cases", "forecast", "90 %", "measured", "inside"]]
    kept = []
    for curve in (curve for curve in make_curves(few) if curve.law is not None):
        for count, results in more.items():
            low, middle, high = quantiles(curve.law.errors(count))
            came = float(measured(curve, few, results).mean())
            inside = "yes" if low <= came <= high else "no"
            ends = f"{low:.4f} to {high:.4f}"
            rows.append([curve.name, f"{curve.now:.4f}", str(count), f"{middle:.4f}", ends, f"{came:.4f}", inside])
            kept.append({"model": curve.name, "cases": count, "low": low, "middle": middle, "high": high, "came": came})
    (options.output / "forecast.json").write_text(json.dumps(kept, indent=1), encoding="utf-8")
    print(markdown(rows[0], rows[1:]))


if __name__ == "__main__":
    main()
