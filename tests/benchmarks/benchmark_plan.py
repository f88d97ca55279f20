"""Is planning worth it? Error by number of cases for planned and random schedules, from the same first cases.

    python tests/benchmarks/benchmark_plan.py circuit <folder of its cases> --output results.json
    python tests/benchmarks/benchmark_plan.py driveline <folder of its cases> --controls 4 --step 0.05 --output ...

Cases of the folder are the pool: a fixed part of them is the test, each seed draws its own first cases, and each way of
choosing adds the same number in each round, and is fitted anew. Of the circuit a candidate is what the simulator would
be given; of other folders it is the controls of the case. Errors are in standard deviations of the whole pool. A
result is kept as soon as it is there, and not computed again. The surrogate is the mix of the linear and the quadratic
regression that validation cases ask for (``regression``, seconds), or ``nss`` (minutes).
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from builders import composed
from measure import markdown

from surrogate_modeling.cases.case import Case, CaseSet
from surrogate_modeling.cases.channels import Roles
from surrogate_modeling.cases.folder import Reading, read_cases
from surrogate_modeling.cases.grid import Grid
from surrogate_modeling.cases.split import CaseSplit
from surrogate_modeling.common.atomic_file import write_atomic
from surrogate_modeling.config.commands import Config
from surrogate_modeling.config.composition import to_config
from surrogate_modeling.config.models import RegressionConfig
from surrogate_modeling.config.plan_keys import By
from surrogate_modeling.evaluation.scores import score
from surrogate_modeling.experiment.baseline_runs import fit_baselines
from surrogate_modeling.generation.circuit import Circuit
from surrogate_modeling.planning.candidates import Candidate, SimulatorCases
from surrogate_modeling.planning.scoring import choose, look_at
from surrogate_modeling.surrogate.description import Description, Member
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.training.members import fit_members
from surrogate_modeling.training.setup import make_surrogate, make_windows
from surrogate_modeling.training.stacking import choose_shares, stack

WAYS = ("random", "distance", "spread")
BOOTSTRAPS = 2000


@dataclass(frozen=True)
class Pool:
    """Cases that may be added, those that test, the scale of errors (P,), and candidates by name."""

    case_set: CaseSet
    cases: list[Case]
    test: list[Case]
    scale: np.ndarray
    candidates: dict[str, Candidate]


def read_pool(given: argparse.Namespace) -> Pool:
    """Read the folder; byproducts of the circuit are left out, which fits faster."""
    circuit = given.plant == "circuit"
    probe = next(Path(given.folder).glob("case*.csv")).open(encoding="utf-8").readline().strip().split(",")[1:]
    config = settings_of(given)
    targets = composed("dataset=refrigerant").dataset.targets if circuit else probe[given.controls :]
    ignore = [name for name in probe[given.controls :] if name not in targets]
    roles = Roles(given.controls, None, ignore)
    case_set = read_cases(
        Path(given.folder), roles, Grid(given.step, 5.0), 20, Reading("case*.csv", progress_bar=False)
    )
    order = np.random.default_rng(0).permutation(len(case_set.cases))
    test = [case_set.cases[i] for i in sorted(order[: given.test])]
    cases = [case_set.cases[i] for i in sorted(order[given.test :])]
    rows = np.concatenate([case.outputs for case in cases])
    description = Description(config.model, case_set.channels, config.settings.in_len, 1, case_set.step)
    if circuit:
        families = dict(composed("dataset=refrigerant").dataset.families)
        source = SimulatorCases(Circuit(600.0, 0.1, "R134a", families, 0), description, 1)
        candidates = {case.name: source.make(int(case.name[4:])) for case in cases}
    else:
        candidates = {case.name: Candidate(case.name, i, "", case.time, case.controls, case.controls)
                      for i, case in enumerate(cases)}  # fmt: skip
    return Pool(case_set, cases, test, rows.std(axis=0), candidates)


def settings_of(given: argparse.Namespace) -> Config:
    """The recipe: that of nss, whose epochs are given."""
    keys = ["dataset=csv", f"dataset.path={given.folder}", f"dataset.controls={given.controls}", "model=nss"]
    return to_config(composed(*keys, "settings=nss", f"settings.epochs={given.epochs}", "settings.progress_bar=false",
                              f"settings.decimate_range={given.step}"))  # fmt: skip


def train(pool: Pool, names: Sequence[str], validation: Sequence[str], given: argparse.Namespace) -> Surrogate:
    """A surrogate of some cases of the pool."""
    config = settings_of(given)
    parts = [[case for case in pool.cases if (case.name in validation) is chooses and case.name in names]
             for chooses in (False, True)]  # fmt: skip
    split = CaseSplit(parts[0], parts[1], [], None)
    surrogate = make_surrogate(config, pool.case_set, split)
    regressions = fit_baselines(surrogate, split, False)
    linear, quadratic = (regressions[name].baseline for name in ("linear", "quadratic"))
    if given.model == "nss":
        with tempfile.TemporaryDirectory() as folder:
            fit_members(
                surrogate, make_windows(config, surrogate, split), split.validation, Path(folder), lambda *_: None
            )
        stack(surrogate, quadratic, split.validation)
        return surrogate
    truth = [case.truth(len(case.time) - config.settings.in_len) for case in split.validation]
    share = choose_shares(quadratic.predict(split.validation), linear.predict(split.validation), truth)
    members = [(Member(name, RegressionConfig(products=regression.network.products)), regression.network)
               for name, regression in (("quadratic", quadratic), ("linear", linear))]  # fmt: skip
    # Both always have some weight, or there would be no spread.
    share = np.clip(share, 0.2, 0.8)
    surrogate.mix(members, np.stack((share, 1.0 - share)))
    return surrogate


def error(pool: Pool, surrogate: Surrogate) -> float:
    """nADE over the test cases, in the scale of the pool."""
    return score(pool.test, surrogate.predict(pool.test), surrogate.description.channels, pool.scale).nade


def run(pool: Pool, given: argparse.Namespace, known: dict[str, float]) -> None:
    """Compute what is missing, seed by seed."""
    for seed in range(given.seeds):
        rng = np.random.default_rng([1, seed])
        first = [pool.cases[i].name for i in rng.permutation(len(pool.cases))[: given.start]]
        validation = first[: max(2, given.start // 5)]
        begun = None
        for way in WAYS:
            names, surrogate = list(first), begun
            for turn in range(given.rounds + 1):
                if turn:
                    assert surrogate is not None
                    left = [candidate for name, candidate in pool.candidates.items() if name not in names]
                    chosen = choose(look_at(surrogate, left), By(way), given.add, 1000 * seed + turn)
                    names += [left[item.place].name for item in chosen]
                key = f"{given.model} seed {seed} {way if turn else 'first'} {len(names)}"
                if turn or surrogate is None:
                    if turn == given.rounds and key in known:
                        continue
                    surrogate = train(pool, names, validation, given)
                    known[key] = error(pool, surrogate)
                    write_atomic(Path(given.output), json.dumps(known, indent=1).encode())
                    print(f"{key}: {known[key]:.4f}", file=sys.stderr, flush=True)
                if not turn:
                    begun = surrogate


def curves(known: dict[str, float], given: argparse.Namespace) -> dict[str, np.ndarray]:
    """Errors (seeds, sizes) of each way."""
    sizes = [given.start + given.add * turn for turn in range(given.rounds + 1)]
    found = {}
    for way in WAYS:
        rows = [[known.get(f"{given.model} seed {seed} {way if n > given.start else 'first'} {n}", np.nan) for n in sizes]
                for seed in range(given.seeds)]  # fmt: skip
        found[way] = np.array(rows)
    return found


def report(known: dict[str, float], given: argparse.Namespace) -> str:
    """Table of errors with 90 % intervals over the seeds, and of the simulations saved."""
    sizes, found = [given.start + given.add * turn for turn in range(given.rounds + 1)], curves(known, given)
    head = ("cases", *WAYS, *(f"{way} / random" for way in WAYS[1:]))
    lines = []
    for i, n in enumerate(sizes):
        ratios = (
            [interval(np.log(found[way][:, i] / found["random"][:, i]), np.exp) for way in WAYS[1:]] if i else ["", ""]
        )
        lines.append((str(n), *(interval(found[way][:, i]) for way in WAYS), *ratios))
    text = markdown(head, lines)
    for way in WAYS[1:]:
        low, middle, high = saved(sizes, found["random"], found[way])
        text += (f"\n{way}: the error of random at {sizes[-1]} cases takes {middle:.0f} % fewer added cases "
                 f"(90 % between {low:.0f} and {high:.0f})")  # fmt: skip
    return text


def interval(values: np.ndarray, back: object = None) -> str:
    """Mean and 90 % interval of the mean, by Student's t."""
    from scipy.stats import t

    values = values[np.isfinite(values)]
    if not len(values):
        return "–"
    undo = back if callable(back) else float
    half = t.ppf(0.95, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    mean = values.mean()
    return f"{undo(mean):.4f} ({undo(mean - half):.4f} to {undo(mean + half):.4f})"


def saved(sizes: Sequence[int], random: np.ndarray, planned: np.ndarray) -> np.ndarray:
    """Share of added cases saved [%] at the last error of random: 5 %, 50 % and 95 % over bootstrapped seeds.

    NaN where it cannot be said: random schedules do not lower the error.
    """
    rng, added = np.random.default_rng(0), np.array(sizes) - sizes[0]
    shares = []
    for _ in range(BOOTSTRAPS):
        drawn = rng.integers(len(random), size=len(random))
        ours, theirs = (np.minimum.accumulate(np.log(curve[drawn]).mean(axis=0)) for curve in (planned, random))
        if theirs[-1] >= theirs[0]:
            continue
        if ours[-1] > theirs[-1]:
            # More would be needed: by the mean slope.
            slope = max(ours[0] - ours[-1], 1e-3) / added[-1]
            at = added[-1] + (ours[-1] - theirs[-1]) / slope
        else:
            at = float(np.interp(-theirs[-1], -ours, added))
        shares.append(100 * (1 - at / added[-1]))
    return np.quantile(shares, (0.05, 0.5, 0.95)) if shares else np.full(3, np.nan)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("plant", choices=("circuit", "driveline"))
    parser.add_argument("folder")
    parser.add_argument("--output", required=True, help="JSON file of the results")
    parser.add_argument("--model", choices=("regression", "nss"), default="regression")
    numbers = {"controls": 9, "test": 20, "seeds": 5, "start": 15, "add": 10, "rounds": 3, "epochs": 40}
    for name, default in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--step", type=float, default=1.0)
    given = parser.parse_args()
    output = Path(given.output)
    known = json.loads(output.read_text()) if output.exists() else {}
    run(read_pool(given), given, known)
    print(report(known, given))


if __name__ == "__main__":
    main()
