"""What an adapter reads and writes, in an environment with NumPy only of ours.

The folder that an adapter is given holds ``task.json`` and ``task.npz``. All values are standardised by mean and
standard deviation of the training cases; of the test cases only the first rows of the outputs are there. An adapter
trains until its seconds are over, and every so often writes what it predicts in free run from the given rows and the
controls alone. It scores nothing: that is the orchestrator's.
"""

import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

PARTS = ("training", "validation", "test")


@dataclass(frozen=True)
class Series:
    """One case: controls (T, C), and outputs (T, P), of a test case (given, P)."""

    controls: np.ndarray
    outputs: np.ndarray


@dataclass(frozen=True)
class Task:
    """Cases, and what the orchestrator asks for.

    Attributes:
        folder: of the task, where everything is written.
        given: first rows of the outputs that a free run starts from.
        step: between rows [s].
        seconds: of training.
        seed: of weights and batches.
        training: cases to learn from.
        validation: cases to choose by.
        test: cases to predict.
    """

    folder: Path
    given: int
    step: float
    seconds: float
    seed: int
    training: list[Series]
    validation: list[Series]
    test: list[Series]

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers of controls and outputs."""
        first = self.training[0]
        return first.controls.shape[1], first.outputs.shape[1]


Predict = Callable[[list[Series]], Sequence[np.ndarray]]
State = dict[str, object]


def read_task() -> Task:
    """The task in the folder named on the command line."""
    folder = Path(sys.argv[1])
    facts = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    with np.load(folder / "task.npz") as arrays:
        parts = {
            part: [
                Series(arrays[f"{part}{i}_controls"], arrays[f"{part}{i}_outputs"]) for i in range(facts["cases"][part])
            ]
            for part in PARTS
        }
    return Task(folder, facts["given"], facts["step"], facts["seconds"], facts["seed"], **parts)


def by_length(predict: Callable[[np.ndarray, np.ndarray], np.ndarray], given: int) -> Predict:
    """Predict cases of one length in one batch.

    Args:
        predict: of controls (B, T, C) and first outputs (B, given, P) gives the other outputs (B, T - given, P).
        given: first rows of the outputs that it is given.
    """

    def each(cases: list[Series]) -> list[np.ndarray]:
        found: dict[int, np.ndarray] = {}
        for length in {len(case.controls) for case in cases}:
            same = [i for i, case in enumerate(cases) if len(case.controls) == length]
            controls = np.stack([cases[i].controls for i in same])
            first = np.stack([cases[i].outputs[:given] for i in same])
            found |= dict(zip(same, predict(controls, first), strict=True))
        return [found[i] for i in range(len(cases))]

    return each


def spread_out(count: int) -> list[int]:
    """Positions 0 to count - 1, the last first, then halves, quarters and so on: any beginning covers all evenly."""
    order, step = [count - 1] if count else [], count
    while step > 1:
        step = (step + 1) // 2
        order += [i for i in range(count - 1, -1, -step) if i not in order]
    return order


class Clock:
    """Seconds of training, and the snapshots of what is predicted; the time that they take does not count.

    Between two snapshots lie two hundredths of the training, and at least as long as the last one took.
    """

    def __init__(self, task: Task) -> None:
        self.task, self.began, self.paused, self.count = task, time.perf_counter(), 0.0, 0
        self.next, self.took, self.trained = 0.0, 0.0, 0.0
        self.states: list[tuple[float, State]] = []

    @property
    def seconds(self) -> float:
        """Of training so far."""
        return time.perf_counter() - self.began - self.paused

    @property
    def share(self) -> float:
        """Of the training that is over, 0 to 1."""
        return min(1.0, self.seconds / self.task.seconds)

    @property
    def cosine(self) -> float:
        """Factor of a learning rate that falls to its end with the time, 1 to 0.01."""
        return 0.01 + 0.99 * math.cos(0.5 * math.pi * self.share) ** 2

    @property
    def due(self) -> bool:
        """Whether the next snapshot should be taken."""
        return self.seconds >= self.next

    def over(self, predict: Predict) -> bool:
        """Call it as often as is convenient: takes a snapshot when one is due; True when the seconds are over.

        Args:
            predict: gives the outputs (T - given, P) of each case in free run.
        """
        if self.due or self.share >= 1:
            self.snapshot(predict)
        return self.share >= 1

    def kept(self, copy: Callable[[], State]) -> bool:
        """As :meth:`over`, for trainings that cannot predict on the way: copies the weights instead."""
        if self.due or self.share >= 1:
            seconds, began = self.seconds, time.perf_counter()
            self.states.append((seconds, copy()))
            self.paused += time.perf_counter() - began
            self.next = self.seconds + 0.02 * self.task.seconds
        return self.share >= 1

    def replay(self, load: Callable[[State], None], predict: Predict) -> None:
        """Predict with the weights that were kept, the last ones first, then in ever closer steps.

        Args:
            load: puts weights back in their place.
            predict: as for :meth:`over`.
        """
        self.trained, began = self.seconds, time.perf_counter()
        for i in spread_out(len(self.states)):
            if time.perf_counter() - began > self.task.seconds:
                break
            seconds, state = self.states[i]
            load(state)
            self.write(seconds, predict)

    def snapshot(self, predict: Predict) -> None:
        """Predict validation and test cases now."""
        began = time.perf_counter()
        self.write(self.seconds, predict)
        self.took = time.perf_counter() - began
        self.paused += self.took
        self.next = self.seconds + max(0.02 * self.task.seconds, self.took)

    def write(self, seconds: float, predict: Predict) -> None:
        """Predict validation and test cases, and write it with the seconds of training until then."""
        rows = {part: predict(getattr(self.task, part)) for part in ("validation", "test")}
        arrays = {f"{part}{i}": each for part, found in rows.items() for i, each in enumerate(found)}
        np.savez(self.task.folder / f"snapshot{self.count:04d}.npz", seconds=seconds, **arrays)
        self.count += 1

    def finish(self, predict: Predict, form: str, *packages: str) -> None:
        """Write measures at the end: prediction is timed over all test cases, at its second call.

        Args:
            predict: as for the snapshots.
            form: what of the package was used, for the table.
            packages: whose versions are told, the tool itself first.
        """
        seconds, taken = self.trained or self.seconds, []
        for _ in range(2):
            began = time.perf_counter()
            predict(self.task.test)
            taken.append(time.perf_counter() - began)
        measures = {
            "form": form,
            "training_seconds": seconds,
            "prediction_seconds_per_case": taken[-1] / len(self.task.test),
            "versions": {name: version(name) for name in packages},
        }
        (self.task.folder / "measures.json").write_text(json.dumps(measures), encoding="utf-8")
