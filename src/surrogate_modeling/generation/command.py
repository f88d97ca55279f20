"""Any program as a simulator of cases: its input files are written from templates, its output file is read.

Each case has a folder of its own with ``inputs.csv`` (time, inputs and parameters in the case format) and the rendered
templates, in which the program is started without a shell.
"""

from __future__ import annotations

import hashlib
import shlex
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from surrogate_modeling.common.paths import expanded
from surrogate_modeling.config.dataset import CommandConfig
from surrogate_modeling.config.import_keys import ImportConfig
from surrogate_modeling.config.schema import plain
from surrogate_modeling.generation.cases_plan import CasesPlan
from surrogate_modeling.generation.output_file import IMPORT_KEYS, check_keys, read_output
from surrogate_modeling.generation.planned_dataset import (
    make_cases_plan,
    planned_case_list,
    planned_controls,
    read_plan,
    require_known,
)
from surrogate_modeling.generation.pool import ending
from surrogate_modeling.generation.signals import make_inputs
from surrogate_modeling.generation.simulator import PROGRAM, CaseFailed, CaseTable, PlanError, case_name

INPUTS_FILE, LOG_FILE, TEMPLATE_ENDING = "inputs.csv", "log.txt", ".j2"
PLAN_KEYS = ("inputs", "parameter_ranges", "units")
DIGITS = 10
SHOWN_CHARACTERS = 200


@dataclass(frozen=True)
class Command:
    """A program with a plan.

    Attributes:
        words: of the command line, as given; each may hold template expressions.
        place: folder in which the user gave it: words that name a file there are made absolute.
        templates: content of each template by its path in the case's folder.
        output: path of the file that the program writes, in the case's folder.
        plan: of the cases.
        units: of inputs and varied parameters by name.
        reading: how the output is read; None: guessed, if it is not in the case format.
    """

    words: tuple[str, ...]
    place: str
    templates: dict[str, bytes]
    output: str
    plan: CasesPlan
    units: dict[str, str]
    reading: ImportConfig | None

    @property
    def controls(self) -> tuple[str, ...]:
        """Inputs that move and parameters that vary."""
        return tuple(self.units)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Parameters that vary from case to case."""
        return tuple(self.plan.parameters)

    @property
    def one_case_per_process(self) -> bool:
        """A process makes any number of cases."""
        return False

    def content(self) -> dict[str, object]:
        """Command line, digests of the files that it names and of the templates, output file, and the plan."""
        digests = {name: hashlib.sha256(text).hexdigest()[:16] for name, text in self.templates.items()}
        command: dict[str, object] = {
            "command": list(self.words),
            PROGRAM: {word: digest for word in self.words if (digest := self._digest(word)) is not None},
            "template": digests,
            "output": self.output,
            "units": self.units,
        }
        if self.reading is not None:
            command["import_keys"] = {key: plain(getattr(self.reading, key)) for key in IMPORT_KEYS}
        return {**command, **self.plan.content()}

    def case_list(self, count: int) -> tuple[str, list[list[str]]]:
        """Varied parameters and drawn signal families of every case."""
        return planned_case_list(self.plan, count)

    def schedule(self, number: int) -> CaseTable:
        """Inputs and varied parameters of a case."""
        return CaseTable(self.units, self.plan.time, planned_controls(self.plan, number), DIGITS)

    def prepare(self, scratch: Path) -> Callable[[int], CaseTable]:
        """Nothing but the folder is needed."""
        return partial(self._simulate, scratch)

    def _simulate(self, scratch: Path, number: int) -> CaseTable:
        folder = scratch / case_name(number)
        folder.mkdir()
        inputs, parameters = make_inputs(self.plan, number), self.plan.parameter_values(number)
        self._write_inputs(folder, number, inputs, parameters)
        self._run(folder, self._rendered(self.words, number, inputs, parameters))
        return self._read(folder, inputs, parameters)

    def _write_inputs(self, folder: Path, number: int, inputs: np.ndarray, parameters: dict[str, float]) -> None:
        from surrogate_modeling.cases.writer import case_csv

        constants = np.tile([*parameters.values()], (len(inputs), 1))
        table = case_csv(self.units, self.plan.time, np.hstack((inputs, constants)), DIGITS)
        (folder / INPUTS_FILE).write_bytes(table)
        for name, content in self.templates.items():
            path = folder / name.removesuffix(TEMPLATE_ENDING)
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                text = content.decode("utf-8")
            except UnicodeDecodeError:
                path.write_bytes(content)
                continue
            path.write_text(self._rendered([text], number, inputs, parameters)[0], encoding="utf-8")

    def _rendered(
        self, texts: tuple[str, ...] | list[str], number: int, inputs: np.ndarray, parameters: dict[str, float]
    ) -> list[str]:
        """Texts with their expressions filled in."""
        import jinja2

        environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False)
        names = [item.name for item in self.plan.inputs]
        known = {
            "number": number, "case": case_name(number), "seed": self.plan.seed,
            "duration": self.plan.duration, "step": self.plan.step, "time": self.plan.time.tolist(),
            "inputs": {name: column.tolist() for name, column in zip(names, inputs.T, strict=True)},
            "parameters": parameters,
        }  # fmt: skip
        try:
            return [environment.from_string(text).render(known) for text in texts]
        except jinja2.TemplateError as error:
            line = getattr(error, "lineno", None)
            raise CaseFailed(f"template{f', line {line}' if line else ''}: {error}") from None

    def _run(self, folder: Path, words: list[str]) -> None:
        """Run the program in the case's folder; it is ended with the worker's process group."""
        words = [str(self._file(word) or word) for word in words]
        with (folder / LOG_FILE).open("wb") as log:
            try:
                done = subprocess.run(words, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
            except OSError as error:
                raise CaseFailed(f"{words[0]}: {error.strerror}") from None
        if done.returncode:
            said = (folder / LOG_FILE).read_text(encoding="utf-8", errors="replace").strip().splitlines()
            last = f": {said[-1][:SHOWN_CHARACTERS]}" if said else ""
            raise CaseFailed(f"{ending(done.returncode)}{last}")

    def _file(self, word: str) -> Path | None:
        """The file that a word names where the user stands; None if it names none."""
        path = Path(self.place) / word
        return path if path.is_file() else None

    def _digest(self, word: str) -> str | None:
        """Digest of the file that a word names; None if there is none, or one that may be run but not read."""
        if (path := self._file(word)) is None:
            return None
        try:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()[:16]
        except PermissionError:
            return None

    def _read(self, folder: Path, inputs: np.ndarray, parameters: dict[str, float]) -> CaseTable:
        raw, plan = read_output(folder / self.output, self.reading), self.plan
        first, last = float(raw.time[0]), float(raw.time[-1])
        # The first row may be that of the end of the first step.
        begins = -plan.step / 2 <= first <= 1.5 * plan.step
        if not begins or not plan.duration - plan.step < last < plan.duration + plan.step / 2:
            raise CaseFailed(
                f"{self.output}: time goes from {first:g} to {last:g} s; 0 to {plan.duration:g} s are wanted"
            )
        columns = {item.name: np.interp(raw.time, plan.time, inputs[:, k]) for k, item in enumerate(plan.inputs)}
        columns |= {name: np.full(len(raw.time), value) for name, value in parameters.items()}
        # A program that writes its inputs knows best what it took.
        columns |= {name: raw.values[:, k] for k, name in enumerate(raw.units)}
        units = {**self.units, **raw.units}
        values = np.stack([columns[name] for name in units], axis=1)
        return CaseTable(units, raw.time, values, DIGITS, raw.remarks)


def plan_command(dataset: CommandConfig) -> Command:
    """Read the templates, and plan the cases of a program.

    Raises:
        PlanError: the plan is impossible, or a template cannot be read.
    """
    given = read_plan(dataset, PLAN_KEYS)
    plan = make_cases_plan(dataset, given["inputs"], given["parameter_ranges"])
    words = shlex.split(dataset.command) if isinstance(dataset.command, str) else dataset.command
    if not isinstance(words, list) or not words:
        raise PlanError(f"command = {dataset.command}: give a command line, or a list of its words")
    if Path(dataset.output).is_absolute():
        raise PlanError(f"output = {dataset.output}: give a path in the case's folder")
    names = [*(item.name for item in plan.inputs), *plan.parameters]
    units = given["units"]
    if not isinstance(units, Mapping):
        raise PlanError(f"units = {units}: give a mapping of names to units")
    require_known("units", units, names, "inputs and parameter_ranges")
    return Command(
        tuple(map(str, words)), str(Path.cwd()), _read_templates(dataset.template), dataset.output, plan,
        {name: str(units.get(name, "-")) for name in names},
        check_keys(dataset.import_keys) if dataset.import_keys else None,
    )  # fmt: skip


def _read_templates(place: str | None) -> dict[str, bytes]:
    """Content of a template, or of every file in a folder of templates, by path."""
    if place is None:
        return {}
    root = expanded(place, "dataset.template")
    try:
        if not root.is_dir():
            return {root.name: root.read_bytes()}
        files = sorted(path for path in root.rglob("*") if path.is_file())
        return {str(path.relative_to(root)): path.read_bytes() for path in files}
    except OSError as error:
        raise PlanError(f"template = {root}: {error.strerror}") from None
