"""Simulate the cases of a plan into a folder: in parallel, resumable, each file written atomically."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, field
from pathlib import Path

from surrogate_modeling.common.atomic_file import write_atomic
from surrogate_modeling.common.progress import track
from surrogate_modeling.refrigerant.plan import CasePlan, FailedCase, PlanError, case_name
from surrogate_modeling.refrigerant.pool import run_workers

log = logging.getLogger(__name__)
PLAN_FILE, FAMILIES_FILE = "plan.json", "families.csv"


@dataclass(frozen=True)
class GenerationResult:
    """Numbers of the cases written, already present and failed, and the seconds taken."""

    written: list[int] = field(default_factory=list)
    present: list[int] = field(default_factory=list)
    failed: list[FailedCase] = field(default_factory=list)
    seconds: float = 0.0


def generate_cases(folder: Path, plan: CasePlan, workers: int) -> GenerationResult:
    """Simulate the missing cases of a plan into a folder, in worker processes.

    Raises:
        PlanError: the folder holds cases of another plan, or files that are no plan's.
        KeyboardInterrupt: passed on after the workers are stopped; finished cases stay.
    """
    if workers < 1:
        raise PlanError(f"workers = {workers}: use at least 1")
    began = time.monotonic()
    folder = Path(folder)
    numbers = range(1, plan.cases + 1)
    _check_or_write_plan(folder, plan)
    present = [n for n in numbers if (folder / f"{case_name(n)}.csv").exists()]
    missing = [n for n in numbers if n not in set(present)]
    written: list[int] = []
    failed: list[FailedCase] = []
    if missing:
        log.info("%d of %d circuit cases to simulate", len(missing), len(numbers))
        finished = run_workers(folder, plan, missing, workers)
        for number, failure in track(finished, len(numbers), "simulating cases", done=len(present)):
            if failure is None:
                written.append(number)
            else:
                failed.append(failure)
    return GenerationResult(sorted(written), present, sorted(failed, key=lambda f: f.number), time.monotonic() - began)


def _check_or_write_plan(folder: Path, plan: CasePlan) -> None:
    """Check that the folder's plan equals this one, or write it; record every case's family."""
    path = folder / PLAN_FILE
    if path.exists():
        _check_plan(folder, plan)
    elif any(folder.glob("case*.csv")):
        raise PlanError(
            f"{folder} holds cases but no {PLAN_FILE}, so what they were made from is not known; "
            "choose another folder, or move these cases away"
        )
    else:
        write_atomic(path, json.dumps(plan.content(), indent=2).encode() + b"\n")
    _record_families(folder, plan)


def _check_plan(folder: Path, plan: CasePlan) -> None:
    path = folder / PLAN_FILE
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        stored.keys()
    except (ValueError, AttributeError):
        raise PlanError(f"{path} cannot be read as a plan; choose another folder, or remove this one") from None
    ours = plan.content()
    differing = [
        f"{name} is {stored.get(name)} there and {ours.get(name)} here"
        for name in sorted(ours.keys() | stored.keys())
        if stored.get(name) != ours.get(name)
    ]
    if differing:
        raise PlanError(
            f"{folder} holds cases of another plan: {'; '.join(differing)}. "
            "Choose another folder, restore these parameters, or remove the folder to make the cases anew"
        )


def _record_families(folder: Path, plan: CasePlan) -> None:
    """Write ``families.csv``, the schedule family of every case, including cases that are already listed."""
    from surrogate_modeling.refrigerant.families import family_of

    path = folder / FAMILIES_FILE
    listed = max(len(path.read_text(encoding="utf-8").splitlines()) - 1, 0) if path.exists() else 0
    lines = ["case,family"]
    for number in range(1, max(plan.cases, listed) + 1):
        lines.append(f"{case_name(number)},{family_of(number, plan.shares(), plan.seed)}")
    write_atomic(path, ("\n".join(lines) + "\n").encode())
