"""Make the cases of a plan in a folder: in parallel, resumable, each file written atomically."""

from __future__ import annotations

import csv
import io
import json
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from filelock import SoftFileLock, Timeout

from surrogate_modeling.cases.companions import FAILED_FILE, PLAN_FILE
from surrogate_modeling.common.atomic_file import write_atomic
from surrogate_modeling.common.progress import track
from surrogate_modeling.common.wording import counted
from surrogate_modeling.config.part import ALL, Part
from surrogate_modeling.generation.pool import Running, run_workers
from surrogate_modeling.generation.simulator import PROGRAM, Outcome, PlanError, Simulator, case_name, edited_files

log = logging.getLogger(__name__)
# So many cases that fail without one that succeeds are the simulator's fault, or the plan's.
FAILURES_TO_STOP = 10
# For another process that writes the list of failures.
SECONDS_TO_WAIT = 10.0


@dataclass(frozen=True)
class GenerationResult:
    """What became of the cases of a plan.

    Attributes:
        written: numbers of the cases made.
        present: of those that were there.
        failed: outcomes of those that failed.
        seconds: taken.
        controls: names of the controls.
        parameters: of those that are constant within a case.
    """

    written: list[int] = field(default_factory=list)
    present: list[int] = field(default_factory=list)
    failed: list[Outcome] = field(default_factory=list)
    seconds: float = 0.0
    controls: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()


def missing_cases(folder: Path, numbers: Sequence[int], again: bool = True) -> list[int]:
    """Those of some numbers whose cases are not in a folder.

    Args:
        folder: of the cases.
        numbers: of the cases that there shall be.
        again: name those that failed before as well.
    """
    left_out = set() if again else set(_read_failures(folder))
    return [n for n in numbers if n not in left_out and not (folder / f"{case_name(n)}.csv").exists()]


def generate_cases(
    folder: Path, simulator: Simulator, count: int, running: Running, again: bool = True, part: Part = ALL
) -> GenerationResult:
    """Make the missing cases of a plan in a folder, in worker processes.

    Other processes may make other parts in the same folder at the same time.

    Args:
        folder: of the cases; made where there is none.
        simulator: that makes them.
        count: how many there shall be in the end.
        running: processes, time limit and attempts.
        again: try those that failed before, too.
        part: of the cases that is made now.

    Raises:
        PlanError: the folder holds cases of another plan, or files that are no plan's; or nothing but failures.
        KeyboardInterrupt: passed on after the workers are stopped; finished cases stay.
    """
    if running.workers < 1:
        raise PlanError(f"workers = {running.workers}: use at least 1")
    if not (numbers := part.take(range(1, count + 1))):
        raise PlanError(f"cases = {count}: there is no case to make; give more cases or fewer parts")
    began = time.monotonic()
    _check_or_write_plan(folder, simulator)
    _write_case_list(folder, simulator, count)
    missing = missing_cases(folder, numbers, again)
    before = {} if again else _read_failures(folder)
    failed = {number: Outcome(number, reason) for number, reason in before.items() if number in numbers}
    present = [n for n in numbers if n not in {*missing, *failed}]
    written: list[int] = []
    if not missing and again:
        _write_failures(folder, {})
    if missing:
        log.info("%d of %s to simulate", len(missing), counted(len(numbers), "case"))
        outcomes = run_workers(folder, simulator, missing, running)
        try:
            ends = track(outcomes, len(numbers), "simulating cases", done=len(numbers) - len(missing))
            written = _sorted_out(folder, ends, failed, present)
        finally:
            outcomes.close()
            _write_failures(folder, failed)
    failures = sorted(failed.values(), key=lambda failure: failure.number)
    seconds = time.monotonic() - began
    return GenerationResult(sorted(written), present, failures, seconds, simulator.controls, simulator.parameters)


def _sorted_out(
    folder: Path, outcomes: Iterator[Outcome], failed: dict[int, Outcome], present: Sequence[int]
) -> list[int]:
    """The numbers of the cases that were made; the others are added to ``failed``, and listed in the folder at once.

    Raises:
        PlanError: there are nothing but failures.
    """
    written, listed = [], True
    for outcome in _said(outcomes):
        if not outcome.reason:
            written.append(outcome.number)
            continue
        failed[outcome.number] = outcome
        # A kill forgets none; a list that another process does not let go is waited for once more, in the end.
        listed = listed and _write_failures(folder, failed)
        if len(failed) >= FAILURES_TO_STOP and not (written or present):
            raise PlanError(f"the first {len(failed)} cases all failed, the last of them: {outcome.reason}")
    return written


def _said(outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
    """Pass outcomes on; failures are logged, and each remark once."""
    said: set[str] = set()
    for outcome in outcomes:
        for remark in outcome.remarks:
            if remark not in said:
                log.info("%s: %s", case_name(outcome.number), remark)
                said.add(remark)
        if outcome.reason:
            log.warning("%s failed: %s", case_name(outcome.number), outcome.reason)
        yield outcome


def _check_or_write_plan(folder: Path, simulator: Simulator) -> None:
    """Check that the folder's plan equals this one, or write it."""
    path = folder / PLAN_FILE
    if path.exists():
        _check_plan(folder, simulator)
    elif any(folder.glob("case*.csv")):
        raise PlanError(
            f"{folder} holds cases but no {PLAN_FILE}, so what they were made from is not known; "
            "choose another folder, or move these cases away"
        )
    else:
        write_atomic(path, json.dumps(simulator.content(), indent=2, ensure_ascii=False).encode() + b"\n")


def _check_plan(folder: Path, simulator: Simulator) -> None:
    path = folder / PLAN_FILE
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        stored.keys()
    except (ValueError, AttributeError):
        raise PlanError(f"{path} cannot be read as a plan; choose another folder, or remove this one") from None
    # As it reads in a file: tuples are lists there.
    ours = json.loads(json.dumps(simulator.content()))
    if edited := edited_files(ours, stored):
        raise PlanError(
            f"{', '.join(edited)}: was edited after the cases in {folder} were made. Choose another folder, or remove "
            f'this one to make the cases anew; if they would be the same, remove "{PROGRAM}" from {path}'
        )
    differing = [
        f"{name} is {stored.get(name)} there and {ours.get(name)} here"
        for name in sorted(ours.keys() | stored.keys())
        if name != PROGRAM and stored.get(name) != ours.get(name)
    ]
    if differing:
        raise PlanError(
            f"{folder} holds cases of another plan: {'; '.join(differing)}. "
            "Choose another folder, restore these parameters, or remove the folder to make the cases anew"
        )


def _write_case_list(folder: Path, simulator: Simulator, count: int) -> None:
    """Write what the simulator says about every case, including further cases that are already listed."""
    name, lines = simulator.case_list(count)
    if not lines:
        return
    path = folder / name
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    listed = max(len(before.splitlines()) - 1, 0)
    text = _as_csv(simulator.case_list(listed)[1] if listed > count else lines)
    # A folder that is complete may be read-only.
    if text != before.encode():
        write_atomic(path, text)


def _read_failures(folder: Path) -> dict[int, str]:
    """Reason of each case that failed when it was last tried, by number; one that is there was made since."""
    path = folder / FAILED_FILE
    if not path.exists():
        return {}
    rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))[1:]
    reasons = {int(row[0].removeprefix("case")): row[1] for row in rows if len(row) == 2 and row[0][4:].isdigit()}
    return {n: reason for n, reason in reasons.items() if not (folder / f"{case_name(n)}.csv").exists()}


def _write_failures(folder: Path, failed: dict[int, Outcome]) -> bool:
    """Write the failed cases, and those of before that were not made since, or remove the list where it is empty.

    Returns whether that could be done. Other processes, of other machines perhaps, may make other parts of the cases
    and write it too.
    """
    path = folder / FAILED_FILE
    if not failed and not path.exists():
        return True
    lock = f"{path}.lock"
    try:
        with SoftFileLock(lock, timeout=SECONDS_TO_WAIT):
            reasons = {**_read_failures(folder), **{number: failure.reason for number, failure in failed.items()}}
            if reasons:
                rows = [[case_name(number), reason] for number, reason in sorted(reasons.items())]
                write_atomic(path, _as_csv([["case", "reason"], *rows]))
            else:
                path.unlink(missing_ok=True)
    except Timeout:
        log.warning(
            "%s is held by another process; where there is none any more, remove it. %s is not written: the cases that "
            "failed now are tried again the next time", lock, path,
        )  # fmt: skip
        return False
    return True


def _as_csv(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
