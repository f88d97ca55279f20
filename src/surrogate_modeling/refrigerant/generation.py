"""Cases on disk: planned, made in parallel, resumable, each file whole or absent."""

from __future__ import annotations

import json
import logging
import math
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from surrogate_modeling.progress import track
from surrogate_modeling.refrigerant.columns import MODEL_VERSION
from surrogate_modeling.whole_file import write_whole

log = logging.getLogger(__name__)
FAMILY_NAMES = ("random_steps", "pi_control", "thermostat", "engine")
REFRIGERANT_NAMES = ("R134a", "R1234yf")
CONTROL_STEP = 0.1  # s
PLAN_FILE, FAMILIES_FILE = "plan.json", "families.csv"
STALE_SECONDS = 3600.0


class PlanError(ValueError):
    """A plan that cannot be carried out, or that does not fit the cases already in the folder."""


@dataclass(frozen=True)
class CasePlan:
    """What to make: number of cases, duration [s], output step [s], refrigerant, family shares, seed."""

    cases: int
    duration: float
    step: float
    refrigerant: str
    families: dict[str, float]
    seed: int

    def __post_init__(self) -> None:
        if self.cases < 1:
            raise PlanError(f"cases = {self.cases}: make at least 1 case")
        if self.seed < 0:
            raise PlanError(f"seed = {self.seed}: use 0 or a positive integer")
        ratio = self.step / CONTROL_STEP
        if not (math.isfinite(ratio) and ratio > 0.5 and abs(ratio - round(ratio)) < 1e-6):
            raise PlanError(f"step = {self.step} s: use a multiple of {CONTROL_STEP} s")
        rows = self.duration / self.step
        if not (math.isfinite(rows) and rows > 0.5 and abs(rows - round(rows)) < 1e-6):
            raise PlanError(f"duration = {self.duration} s: use a positive multiple of the step, {self.step} s")
        if self.refrigerant not in REFRIGERANT_NAMES:
            raise PlanError(f"refrigerant = {self.refrigerant}: choose one of {', '.join(REFRIGERANT_NAMES)}")
        unknown = [name for name in self.families if name not in FAMILY_NAMES]
        if unknown:
            raise PlanError(f"families: {', '.join(unknown)} unknown; choose from {', '.join(FAMILY_NAMES)}")
        shares = list(self.families.values())
        if not all(math.isfinite(share) and share >= 0.0 for share in shares) or sum(shares) <= 0.0:
            raise PlanError(f"families = {self.families}: give shares of 0 or more, at least one above 0")

    def shares(self) -> dict[str, float]:
        """Shares of all families as fractions of their sum."""
        total = sum(self.families.values())
        return {name: round(self.families.get(name, 0.0) / total, 9) for name in FAMILY_NAMES}

    def content(self) -> dict[str, object]:
        """What decides a case's numbers (not how many cases there are); shares as fractions of their sum."""
        return {
            "duration": float(self.duration),
            "step": float(self.step),
            "refrigerant": self.refrigerant,
            "families": self.shares(),
            "seed": self.seed,
            "model_version": MODEL_VERSION,
        }


@dataclass(frozen=True)
class FailedCase:
    """A case that did not come to its end: its number, why, and the state it was left in."""

    number: int
    reason: str
    state: dict[str, float]


@dataclass(frozen=True)
class GenerationResult:
    """Case numbers written now, found already there, and failed; seconds it took."""

    written: list[int] = field(default_factory=list)
    present: list[int] = field(default_factory=list)
    failed: list[FailedCase] = field(default_factory=list)
    seconds: float = 0.0


def case_name(number: int) -> str:
    """Name of a case, without suffix."""
    return f"case{number:04d}"


def generate_cases(folder: Path, plan: CasePlan, workers: int) -> GenerationResult:
    """Make the missing cases of a plan in a folder, over worker processes.

    Raises:
        PlanError: the folder holds cases of another plan, or files that are no plan's.
        KeyboardInterrupt: passed on after the workers are stopped; finished cases stay.
    """
    from surrogate_modeling.refrigerant.workers import run_workers

    if workers < 1:
        raise PlanError(f"workers = {workers}: use at least 1")
    began = time.monotonic()
    folder = Path(folder)
    numbers = range(1, plan.cases + 1)
    _claim(folder, plan)
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


def _claim(folder: Path, plan: CasePlan) -> None:
    """Compare the folder's plan with ours, or write ours; note every case's family."""
    path = folder / PLAN_FILE
    if path.exists():
        _compare(folder, plan)
    elif any(folder.glob("case*.csv")):
        raise PlanError(
            f"{folder} holds cases but no {PLAN_FILE}, so what they were made from is not known; "
            "choose another folder, or move these cases away"
        )
    else:
        write_whole(path, json.dumps(plan.content(), indent=2).encode() + b"\n")
    _remove_stale(folder)
    _record_families(folder, plan)


def _compare(folder: Path, plan: CasePlan) -> None:
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


def _remove_stale(folder: Path) -> None:
    """Drop what a killed run left half-written; another run's fresh files are left alone."""
    for path in folder.glob(".*.tmp"):
        parts = path.name.split(".")
        owner = int(parts[-3]) if len(parts) >= 4 and parts[-3].isdigit() else -1
        try:
            if time.time() - path.stat().st_mtime > STALE_SECONDS or not _alive(owner):
                path.unlink(missing_ok=True)
        except OSError:
            continue  # gone or another user's: not ours to remove


def _alive(process: int) -> bool:
    """Whether a process may still be writing; on Windows asking would end it, so yes."""
    if os.name != "posix":
        return True
    if process <= 0:
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _record_families(folder: Path, plan: CasePlan) -> None:
    """``families.csv``: the schedule family of every case, never fewer than the folder already lists."""
    from surrogate_modeling.refrigerant.families import family_of

    path = folder / FAMILIES_FILE
    listed = max(len(path.read_text(encoding="utf-8").splitlines()) - 1, 0) if path.exists() else 0
    lines = ["case,family"]
    for number in range(1, max(plan.cases, listed) + 1):
        lines.append(f"{case_name(number)},{family_of(number, plan.shares(), plan.seed)}")
    write_whole(path, ("\n".join(lines) + "\n").encode())


def plan_to_json(plan: CasePlan) -> str:
    """One line for a worker."""
    return json.dumps({**asdict(plan), "families": plan.shares()})
