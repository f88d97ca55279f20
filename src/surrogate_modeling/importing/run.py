"""A whole import: list the files, make the plan, import every file, write what was made."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from surrogate_modeling.cases.problems import MAX_LISTED_PROBLEMS
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import expanded
from surrogate_modeling.common.wording import counted, lines_and_rest
from surrogate_modeling.config.import_keys import Group, ImportConfig
from surrogate_modeling.config.schema import plain
from surrogate_modeling.importing import output
from surrogate_modeling.importing.archives import close_archives
from surrogate_modeling.importing.file_import import FileImport, folder_sink, sample
from surrogate_modeling.importing.file_jobs import Problem, each, reason
from surrogate_modeling.importing.import_plan import ImportPlan, make_import_plan
from surrogate_modeling.importing.memory import require_room
from surrogate_modeling.importing.parameters import Parameters, chosen, read_parameters
from surrogate_modeling.importing.raw_table import BadFile, RawTable
from surrogate_modeling.importing.records import FORMAT, FileRecord, Record
from surrogate_modeling.importing.report import next_commands, plan_report, result_report
from surrogate_modeling.importing.segmentation import Cutting, cutting_of
from surrogate_modeling.importing.sources import SourceFile, case_names, list_sources
from surrogate_modeling.importing.survey import DRY_ROWS, Survey, reading, survey

log = logging.getLogger(__name__)
# Keys that do not change what a file becomes.
OUTER_KEYS = ("source", "output", "repeat", "dry_run", "skip_bad", "overwrite", "workers", "progress_bar", "groups")


def import_files(config: ImportConfig) -> list[Problem]:
    """Import files as clean cases; with ``dry_run`` only say what would be done.

    Returns:
        The files that were skipped with ``skip_bad``.

    Raises:
        UserError: no files, a key that fits none of them, or files that cannot be imported without ``skip_bad``.
    """
    try:
        return _import(config)
    finally:
        close_archives()


def _import(config: ImportConfig) -> list[Problem]:
    folder = expanded(config.output or "", "output")
    before = output.state(folder)
    earlier = None if config.dry_run else output.earlier_import(folder, overwrite=config.overwrite)
    files = list_sources(config.source)
    if earlier and not config.overwrite:
        _require_same_source(earlier, files, folder)
    names = case_names(files)
    table, problems = _first_table(files, config)
    plan, parameters, seen = _plan(files, table, config, earlier)
    log.info("%s", plan_report(plan, table, config))
    cutting = _cutting(config, plan)
    if config.dry_run:
        importer = FileImport(config, plan, cutting, parameters, lambda *_: None)
        records, bad = each(files, lambda file: _record(importer, file, names[file], DRY_ROWS), config)
        problems = _merged(problems, bad)
        log.info("%s", result_report(records, _lines(problems), config, rows=DRY_ROWS))
        return problems
    digests = _digest(config, plan, parameters), reading(config, plan)
    record = Record(_keys(config, plan, parameters), *digests, *_described(plan), (), "")
    with output.whole(folder, before) as part:
        importer = FileImport(config, plan, cutting, parameters, folder_sink(part, plan, config))
        made, bad = each(files, _job(importer, names, seen, _Before.of(earlier, record, folder, part)), config)
        problems = _merged(problems, bad)
        if problems and (not config.skip_bad or not made):
            raise UserError(
                "\n".join((f"{len(problems)} of {counted(len(files), 'file')} cannot be imported:", *_lines(problems)))
            )
        output.remove_others(part, made, record)
        then = next_commands(config, plan, folder, made)
        record = replace(record, files=tuple(made), train=then.train)
        record.write(part)
    log.info("%s", result_report(made, _lines(problems), config, then=then))
    return problems


def _first_table(files: Sequence[SourceFile], config: ImportConfig) -> tuple[RawTable, list[Problem]]:
    """The first table, which the plan is made from, and the files before it that cannot be read."""
    problems: list[Problem] = []
    for file in files:
        try:
            table = sample(file, config)[0]
            # A table that gives no plan is a bad file like any other.
            make_import_plan(table, config)
            return table, problems
        except BadFile as error:
            problems.append(Problem(file, reason(error, file)))
            if not config.skip_bad and not config.dry_run and len(problems) >= MAX_LISTED_PROBLEMS:
                break
    lines = "\n".join(_lines(problems))
    raise UserError(f"{len(problems)} of {counted(len(files), 'file')} cannot be imported:\n{lines}")


def _plan(
    files: Sequence[SourceFile], table: RawTable, config: ImportConfig, earlier: Record | None
) -> tuple[ImportPlan, Parameters, Survey]:
    """The plan, after a look at all files where their text or their constants decide."""
    plan, seen = make_import_plan(table, config), Survey()
    open_texts = [column.name for column in plan.columns if column.text and column.name not in config.text]
    # One file may hold several tables, a case each.
    wants_constants = table.parameters and config.file_parameters != "none"
    constants: list[Mapping[str, float]] = [table.parameters]
    if open_texts or wants_constants:
        known = earlier.files if earlier and earlier.reading == reading(config, plan) else ()
        seen = survey(files, open_texts, config, {file.source: file for file in known})
        plan, constants = make_import_plan(table, config, seen.texts(open_texts)), seen.constants()
    from_files = chosen(config.file_parameters, constants) if table.parameters else []
    units, values = read_parameters(config.parameters) if config.parameters else ({}, {})
    if both := [name for name in from_files if name in units]:
        raise UserError(f"parameters: {both[0]!r} is also in the files; give file_parameters without it")
    all_units = {**{name: table.parameter_units.get(name, "") for name in from_files}, **units}
    columns = {name for column in plan.columns for name in column.names}
    if same := [name for name in all_units if name in columns]:
        raise UserError(f"parameters: {same[0]!r} is also a column of the files")
    plan = replace(plan, parameters=all_units)
    return plan, Parameters(all_units, values, config.parameters or "", tuple(from_files)), seen


@dataclass(frozen=True)
class _Before:
    """An earlier import, those of its files that have become what they would now, its folder, and that of the new one.

    Files are known by where they are.
    """

    earlier: Record | None
    known: Mapping[str, FileRecord]
    folder: Path
    part: Path

    @classmethod
    def of(cls, earlier: Record | None, record: Record, folder: Path, part: Path) -> _Before:
        """What an earlier import is worth to a new one."""
        same = earlier.files if earlier and earlier.digest == record.digest else ()
        return cls(earlier, {file.source: file for file in same}, folder, part)

    def taken(self, file: SourceFile, name: str, digest: str) -> FileRecord | None:
        """Take over the cases of a file; None where it or its name has changed, or a case is gone."""
        found = self.known.get(file.absolute)
        if self.earlier is None or found is None or (found.digest, found.name) != (digest, name):
            return None
        return found if output.kept(found, self.earlier, self.folder, self.part) else None


def _job(
    importer: FileImport, names: Mapping[SourceFile, str], seen: Survey, before: _Before
) -> Callable[[SourceFile], FileRecord]:
    """Import a file, or take over its cases where it has not changed since an earlier import of the same plan."""

    def job(file: SourceFile) -> FileRecord:
        """Import one file, unless an earlier import holds it as it is."""
        state = file.state()
        look = seen.of(file, state)
        digest = look.digest if look else file.digest()
        made = before.taken(file, names[file], digest)
        if made is None:
            require_room(file, importer.cutting)
            made = replace(_record(importer, file, names[file]), digest=digest)
            if file.state() != state:
                raise BadFile(str(file), "changed while it was read; import it again when it is complete")
        made = replace(made, group=_group(file, names[file], importer.config))
        return replace(made, texts=look.texts, constants=look.constants) if look else made

    return job


def _record(importer: FileImport, file: SourceFile, name: str, rows: int | None = None) -> FileRecord:
    cases, remarks = importer.run(file, name, rows)
    return FileRecord(file.absolute, name, "", tuple(cases), _group(file, name, importer.config), tuple(remarks))


def _group(file: SourceFile, name: str, config: ImportConfig) -> str:
    if config.groups is Group.folder:
        return file.folders[-1] if file.folders else ""
    return name if config.groups is Group.file else ""


def _cutting(config: ImportConfig, plan: ImportPlan) -> Cutting:
    try:
        return cutting_of(config.cases_by, plan.cut_by, config.max_gap)
    except ValueError:
        raise UserError(
            f"cases_by={config.cases_by}: a column of the files, gaps, or a length in seconds is expected"
        ) from None


def _keys(config: ImportConfig, plan: ImportPlan, parameters: Parameters) -> dict[str, Any]:
    """Keys of the configuration with the guesses that another import must share filled in."""
    keys = {key: plain(value) for key, value in asdict(config).items() if key not in ("repeat", "dry_run", "overwrite")}
    source = [config.source] if isinstance(config.source, str) else config.source
    keys["source"] = [str(expanded(entry, "source").absolute()) for entry in source]
    keys["output"] = str(expanded(config.output or "", "output").absolute())
    if config.parameters:
        keys["parameters"] = str(expanded(config.parameters, "parameters").absolute())
    # In one new file none of them varies.
    keys["file_parameters"] = list(parameters.from_files) or keys["file_parameters"]
    keys["time"] = plan.time[0] if len(plan.time) == 1 else list(plan.time)
    keys["ignore"] = list(dict.fromkeys([*config.ignore, *plan.ignored]))
    keys["to_units"] = {column.name: column.unit for column in plan.columns if column.unit and not column.text}
    keys["text"] = {column.name: column.text.key for column in plan.columns if column.text}
    return keys


def _described(plan: ImportPlan) -> tuple[dict[str, dict[str, str]], dict[str, Any]]:
    roles = {name: column.role for column in plan.columns for name in column.names}
    columns = {
        name: {"unit": unit, "role": "parameter" if name in plan.parameters else roles[name]}
        for name, unit in plan.written.items()
    }
    return columns, {column.name: column.text.key for column in plan.columns if column.text}


def _digest(config: ImportConfig, plan: ImportPlan, parameters: Parameters) -> str:
    keys = {key: plain(value) for key, value in asdict(config).items() if key not in OUTER_KEYS}
    # What the keys become counts, not whether they were guessed or given.
    keys |= {"to_units": None, "text": None, "time": None, "ignore": None, "parameters": None, "file_parameters": None}
    content = repr((FORMAT, sorted(keys.items()), replace(plan, remarks=()), parameters))
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def _require_same_source(earlier: Record, files: Sequence[SourceFile], folder: Path) -> None:
    now, before = {file.absolute for file in files}, {file.source for file in earlier.files}
    if before and not now & before:
        raise UserError(
            f"output={folder}: holds the import of other files; give another folder, or overwrite=True to replace it"
        )


def _merged(first: Sequence[Problem], other: Sequence[Problem]) -> list[Problem]:
    # The first reason is the true one: others are differences from a plan that the file had no part in.
    return [*{problem.file: problem for problem in (*other, *first)}.values()]


def _lines(problems: Sequence[Problem]) -> list[str]:
    lines = [f"{problem.file}: {problem.reason}" for problem in problems]
    return [f"  {line}" for line in lines_and_rest(lines, MAX_LISTED_PROBLEMS)]
