"""Worker process that makes cases; started by ``pool``, not by hand.

Its standard output is moved aside for the answers: what a simulator prints, from C as well, goes to standard error.
"""

from __future__ import annotations

import base64
import json
import os
import pickle
import queue
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from surrogate_modeling.common.atomic_file import NotWritten, write_atomic
from surrogate_modeling.generation.simulator import (
    CaseFailed,
    CaseTable,
    Outcome,
    PlanError,
    ProcessSpent,
    Simulator,
    case_name,
)


def make_case(folder: Path, simulate: Callable[[int], CaseTable], number: int) -> Outcome:
    """Simulate and write one case."""
    import numpy as np

    from surrogate_modeling.cases.writer import case_csv

    try:
        table = simulate(number)
        bad = [name for name, column in zip(table.units, table.values.T, strict=True) if not np.isfinite(column).all()]
        if bad:
            return Outcome(number, f"not finite: {', '.join(bad)}")
        write_atomic(folder / f"{case_name(number)}.csv", case_csv(table.units, table.time, table.values, table.digits))
    except (CaseFailed, NotWritten, PlanError) as failure:
        reason = " ".join(str(failure).split()) or type(failure).__name__
        return Outcome(number, reason, spent=isinstance(failure, ProcessSpent))
    return Outcome(number, remarks=table.remarks)


class _Orders:
    """Lines of standard input, read by a thread that ends the process if they end while a case is simulated.

    They end when the parent is killed; a simulator that hangs would then stay for ever.
    """

    def __init__(self) -> None:
        self.lines: queue.Queue[str | None] = queue.Queue()
        self.busy = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            self.lines.put(line)
        self.lines.put(None)
        if self.busy.is_set():
            # The programs that it started are in its group.
            if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
                os.killpg(os.getpid(), signal.SIGKILL)
            os._exit(1)


def main() -> None:
    """Read the simulator and the folder, then case numbers, from standard input until it ends."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8") as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

        def answer(content: dict[str, Any]) -> None:
            """Write one line of JSON."""
            print(json.dumps(content), file=answers, flush=True)

        first = json.loads(sys.stdin.readline())
        simulator: Simulator = pickle.loads(base64.b64decode(first["simulator"]))
        simulate = simulator.prepare(Path(first["scratch"]))
        answer({"reason": ""})
        orders = _Orders()
        while (line := orders.lines.get()) is not None:
            orders.busy.set()
            outcome = make_case(Path(first["folder"]), simulate, int(line))
            orders.busy.clear()
            answer({"reason": outcome.reason, "remarks": outcome.remarks, "spent": outcome.spent})


if __name__ == "__main__":
    main()
