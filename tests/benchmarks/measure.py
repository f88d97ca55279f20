"""Timing two forms of the same thing in turn, their peak memory, and printing what came out as a Markdown table."""

import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

Work = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """One phase: seconds (or bytes) per unit of the plain form and of ours, and the reference ratio."""

    phase: str
    unit: str
    plain: float
    ours: float
    reference: float

    @property
    def ratio(self) -> float:
        return self.plain / self.ours

    @property
    def verdict(self) -> str:
        """Against three quarters of the reference ratio."""
        return "yes" if self.ratio >= 0.75 * self.reference else "**no**"


def seconds(work: Work) -> float:
    """Wall seconds of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Keep it out of what is timed, as timeit does."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def in_turn(plain: Work, ours: Work, rounds: int, warm_up: bool = True, spell: float = 0.0) -> tuple[float, float]:
    """Best call of some rounds, the two forms one after the other in each, so that a busy machine slows both.

    Args:
        plain: the textbook form.
        ours: of the product.
        rounds: how often both are timed.
        warm_up: call each once first.
        spell: seconds that a form is called again and again in its turn, as in an epoch: what the other form, or the
            garbage collector, left in the processor's caches and in the allocator is gone by then.
    """
    if warm_up:
        plain()
        ours()
    times: dict[Work, list[float]] = {plain: [], ours: []}
    for _ in range(rounds):
        for form, taken in times.items():
            with no_garbage_collection():
                began = len(taken)
                taken.append(seconds(form))
                while sum(taken[began:]) < spell:
                    taken.append(seconds(form))
    return min(times[plain]), min(times[ours])


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, first column left, others right."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def amount(value: float, unit: str) -> str:
    """Seconds as us, ms or s; bytes as GiB; with three digits."""
    if unit == "GiB":
        return f"{value:.3g} GiB"
    for factor, name in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")):
        if value >= factor:
            return f"{value / factor:.3g} {name}"
    return f"{value / 1e-6:.2g} us"


def peak_memory(form: str, cases: int) -> float:
    """GiB of a fresh process that makes cases and their windows."""
    script = Path(__file__).with_name("hold_windows.py")
    output = subprocess.run([sys.executable, script, form, str(cases)], check=True, capture_output=True, text=True)
    return float(json.loads(output.stdout)["peak_gib"])
