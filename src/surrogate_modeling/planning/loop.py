"""Rounds of plan, simulate and train, up to a goal; a loop that was killed goes on where it was.

All state is in files that are written in full or not at all. A round is: ``plan.csv`` and ``chosen.json``, the cases in
``cases/``, ``simulated.json``, the surrogate, and ``result.json`` last; what is there is not done again.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from surrogate_modeling.adaptation.new_cases import with_truth
from surrogate_modeling.common.atomic_file import write_atomic
from surrogate_modeling.common.console import logged, quiet_console
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import MODEL_FILE
from surrogate_modeling.common.tables import aligned, csv_text
from surrogate_modeling.common.wording import counted
from surrogate_modeling.config.dataset import GeneratedConfig
from surrogate_modeling.config.plan_keys import PlanConfig
from surrogate_modeling.config.schema import plain
from surrogate_modeling.deployment.loading import demands_of
from surrogate_modeling.evaluation.scores import score
from surrogate_modeling.generation.dataset import choose_simulator, make_numbered
from surrogate_modeling.generation.simulator import PROGRAM, case_name, edited_files
from surrogate_modeling.planning.run import Supply, propose, supply_of
from surrogate_modeling.planning.training import FirstCases, copy_cases, first_cases, train_round
from surrogate_modeling.surrogate.lineage import weights_digest
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.tracking.journal import locked

log = logging.getLogger(__name__)
STATE_FILE, ROUNDS_FILE = "rounds.json", "rounds.csv"
CHOSEN_FILE, SIMULATED_FILE, RESULT_FILE = "chosen.json", "simulated.json", "result.json"
CASES = "cases"
# Keys of the command that may change between two calls for one folder.
CHANGEABLE = (
    "surrogate", "output", "overwrite", "rounds", "until", "progress_bar", "workers", "device", "language", "dataset",
    "mlflow_exp_name", "old",
)  # fmt: skip
Train = Callable[[Surrogate, Path, FirstCases, PlanConfig, Path], Surrogate]


@dataclass(frozen=True)
class Result:
    """What a round brought: cases that were trained on or chose, those that failed, and nADE over the test cases.

    The nADE of all rounds is in the standard deviations of the first training, or it would fall as these grow.
    """

    round: int
    cases: int
    failed: int
    nade: float
    simulating: float
    training: float


def plan_in_rounds(surrogate: Surrogate, config: PlanConfig, output: Path, train: Train = train_round) -> None:
    """Plan, simulate and train until the goal is reached or the rounds are over.

    Args:
        surrogate: the first one, on its device.
        config: checked; with rounds and a simulator.
        output: folder, exists; what it holds of the same command is not done again.
        train: makes the surrogate of a round.

    Raises:
        UserError: the folder is of another command, cases of the training are gone, or nothing can be simulated.
    """
    lock = locked(output)
    try:
        with logged(output / "plan.log"), quiet_console():
            supply = supply_of(surrogate, config)
            state = _checked_state(surrogate, config, output)
            cases = first_cases(surrogate, config)
            # Only now: a command that is refused must not hold the folder against the corrected one.
            write_atomic(output / STATE_FILE, state)
            copy_cases(cases, output / CASES)
            Loop(surrogate, config, output, cases, supply, train).run()
    finally:
        lock.release()


class Loop:
    """The rounds of one command.

    Args:
        first: the surrogate that was given.
        config: of the command.
        output: folder of all rounds.
        cases: of the first training.
        supply: of candidates.
        train: makes the surrogate of a round.
    """

    def __init__(
        self, first: Surrogate, config: PlanConfig, output: Path, cases: FirstCases, supply: Supply, train: Train
    ) -> None:
        self.first, self.config, self.output, self.cases, self.train = first, config, output, cases, train
        self.supply = supply
        files = [output / CASES / file.name for file in cases.test_files]
        demands = demands_of(first.description, None)
        self.test = with_truth(files, demands, first.description, str(output / CASES), config.workers)

    def run(self) -> None:
        """Go through the rounds."""
        config, now = self.config, self.first
        if not (self.output / MODEL_FILE).exists():
            now.save(self.output / MODEL_FILE)
        known = len(self.cases.files) - len(self.cases.test)
        results = [Result(0, known, 0, self.nade(now), 0.0, 0.0)]
        log.info("%s: nADE %.4f over %s", counted(known, "case"), results[0].nade, counted(len(self.test), "test case"))
        for number in range(1, config.rounds + 1):
            if self._is_reached(results[-1]):
                break
            now, result = self.round(now, number, results[-1])
            results.append(result)
            write_atomic(self.output / ROUNDS_FILE, csv_text(_table(results)).encode())
            log.info("round %d: nADE %.4f with %s", number, result.nade, counted(result.cases, "case"))
        log.info("rounds:\n%s\n%s", aligned(_table(results), left=0), self._end(results))

    def round(self, before: Surrogate, number: int, last: Result) -> tuple[Surrogate, Result]:
        """One round, or what is left of it to do."""
        folder = self.output / f"round{number:02d}"
        model, result = folder / MODEL_FILE, folder / RESULT_FILE
        if result.exists():
            return Surrogate.load(model, str(before.device)), Result(**json.loads(result.read_text(encoding="utf-8")))
        folder.mkdir(exist_ok=True)
        numbers = self._numbers(before, number, folder)
        failed, simulating = self._simulated(numbers, number, folder)
        began = time.monotonic()
        if not model.exists():
            # Of the first round it is still the surrogate that was given.
            previous = (self.output / f"round{number - 1:02d}" if number > 1 else self.output) / MODEL_FILE
            self.train(self.first, previous, self.cases, self.config, folder / "run").save(model)
        after = Surrogate.load(model, str(before.device))
        found = Result(
            number, last.cases + len(numbers) - failed, failed, self.nade(after), simulating, time.monotonic() - began
        )
        after.save(self.output / MODEL_FILE)
        write_atomic(result, json.dumps(asdict(found)).encode())
        return after, found

    def _numbers(self, before: Surrogate, number: int, folder: Path) -> list[int]:
        """Numbers of the cases of a round; chosen now if they were not before."""
        path = folder / CHOSEN_FILE
        if path.exists():
            return list(map(int, json.loads(path.read_text(encoding="utf-8"))["numbers"]))
        # Each round looks at other candidates than those before, so that none is simulated twice.
        first = self._first_candidate(number)
        proposal = propose(before, self.config, self.supply, first)
        numbers = [candidate.number for candidate in proposal.batch]
        if known := {case_name(each) for each in numbers} & {file.stem for file in self.cases.files}:
            raise UserError(f"dataset.cases: {min(known)} is a training case; give the number of the last one")
        proposal.write(folder, str(self.config.language), f"{self.output.name}, round {number}")
        log.info("round %d, chosen among %d candidates:\n%s", number, len(proposal.candidates), proposal.text())
        tried = proposal.candidates[-1].number - _dataset(self.config).cases
        write_atomic(path, json.dumps({"numbers": numbers, "next": tried + 1}).encode())
        return numbers

    def _simulated(self, numbers: list[int], number: int, folder: Path) -> tuple[int, float]:
        """How many cases of a round failed, and the seconds that all took; simulated now if they were not before.

        Those that failed are not tried again: a training that is gone on with must find the cases that it began with.
        """
        path = folder / SIMULATED_FILE
        if path.exists():
            stored = json.loads(path.read_text(encoding="utf-8"))
            return len(stored["failed"]), float(stored["seconds"])
        began = time.monotonic()
        failed = make_numbered(_dataset(self.config), self.output / CASES, numbers)
        for failure in failed:
            log.warning("%s could not be simulated: %s", case_name(failure.number), failure.reason)
        if len(failed) == len(numbers):
            raise UserError(f"none of the {counted(len(numbers), 'case')} of round {number} could be simulated")
        seconds = time.monotonic() - began
        reasons = {case_name(failure.number): failure.reason for failure in failed}
        write_atomic(path, json.dumps({"failed": reasons, "seconds": seconds}, ensure_ascii=False).encode())
        return len(failed), seconds

    def _first_candidate(self, number: int) -> int:
        if number == 1:
            return 1
        before = self.output / f"round{number - 1:02d}" / CHOSEN_FILE
        return int(json.loads(before.read_text(encoding="utf-8"))["next"])

    def nade(self, surrogate: Surrogate) -> float:
        """nADE over the test cases, in the standard deviations of the first training."""
        channels, scale = surrogate.description.channels, self.first.predicted_scale
        return score(self.test, surrogate.predict(self.test), channels, scale).nade

    def _is_reached(self, result: Result) -> bool:
        return self.config.until is not None and result.nade <= self.config.until

    def _end(self, results: list[Result]) -> str:
        if self._is_reached(results[-1]):
            return f"until={self.config.until:g} is reached; the surrogate is {self.output / MODEL_FILE}"
        goal = "" if self.config.until is None else f"until={self.config.until:g} is not reached; "
        return f"{goal}the surrogate is {self.output / MODEL_FILE}; more rounds go on from here"


def _dataset(config: PlanConfig) -> GeneratedConfig:
    assert config.dataset is not None, "rounds without a dataset are refused"
    return config.dataset


def _table(results: list[Result]) -> list[tuple[str, ...]]:
    head = ("round", "cases", "failed", "nADE", "simulating [s]", "training [s]")
    return [head, *((str(r.round), str(r.cases), str(r.failed), f"{r.nade:.4f}", f"{r.simulating:.0f}",
                     f"{r.training:.0f}") for r in results)]  # fmt: skip


def _checked_state(surrogate: Surrogate, config: PlanConfig, output: Path) -> bytes:
    """What says of which command a folder is, where it may be of this one.

    Until the cases of the first round are chosen, only the surrogate and its cases are there: any other key may change.

    Raises:
        UserError: the folder is of another command.
    """
    simulator, _ = choose_simulator(_dataset(config))
    keys = {key: plain(value) for key, value in vars(config).items() if key not in CHANGEABLE}
    state = {"surrogate": weights_digest(surrogate.state_dict()), "dataset": simulator.content(), **keys,
             "first": _dataset(config).cases + 1}  # fmt: skip
    text = json.dumps(state, indent=2, ensure_ascii=False)
    path = output / STATE_FILE
    if path.exists():
        ours, stored = json.loads(text), json.loads(path.read_text(encoding="utf-8"))
        mine, known = ours["dataset"], stored.get("dataset", {})
        chosen = (output / "round01" / CHOSEN_FILE).exists()
        if chosen and (edited := edited_files(mine, known)):
            raise UserError(
                f"output={output}: {', '.join(edited)}: was edited after the rounds there were begun; give another "
                "folder"
            )
        for each in (mine, known):
            each.pop(PROGRAM, None)
        compared = list(ours) if chosen else ["surrogate"]
        if wrong := [key for key in compared if stored.get(key) != ours[key]]:
            raise UserError(
                f"output={output}: holds rounds of another command ({', '.join(wrong)} differ from {STATE_FILE}); give "
                "the same keys to go on, or another folder"
            )
    return text.encode()
