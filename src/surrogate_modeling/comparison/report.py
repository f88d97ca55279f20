"""Write the files of a comparison: Markdown, CSV and picture, and its section in a document."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from surrogate_modeling.common.atomic_file import write_atomic
from surrogate_modeling.common.paths import PROJECT_ROOT
from surrogate_modeling.common.tables import aligned
from surrogate_modeling.comparison.learning import LearningCurve, largest_only, make_curves, say
from surrogate_modeling.comparison.learning_picture import draw_curves, law_lines
from surrogate_modeling.comparison.learning_table import CURVE_NOTE, curve_metrics, curve_table, curves_csv, told
from surrogate_modeling.comparison.pairs import is_common, words_of
from surrogate_modeling.comparison.picture import draw
from surrogate_modeling.comparison.results import Result, Row, make_rows
from surrogate_modeling.comparison.table import HEAD, main_table, markdown, results_csv, target_table, weight_table
from surrogate_modeling.config.commands import CompareConfig
from surrogate_modeling.evaluation.figures import picture_or_warning
from surrogate_modeling.reporting.comparison_report import RowFacts, comparison_content
from surrogate_modeling.reporting.content import KEPT_FILE, PAGE_FILE, Content, write_page_or_warning
from surrogate_modeling.reporting.learning_report import CurveFacts, learning_content

CURVE_TABLE, CURVE_PICTURE = "learning_curve.csv", "learning_curve.png"
NAMES = ("compare.md", "compare.csv", "compare.png", CURVE_TABLE, CURVE_PICTURE, PAGE_FILE, KEPT_FILE)


class Report:
    """Writes the files of a comparison, again after each training.

    Args:
        config: of the command.
        output: folder of the comparison.
        document: to paste a section into, if any.
        typed: the command's arguments.
    """

    def __init__(self, config: CompareConfig, output: Path, document: Path | None, typed: Sequence[str]) -> None:
        self.output = output
        self.title = config.title or output.name
        self.document, self.language = document, str(config.settings.language)
        self.goal, self.seed = config.goal, config.seeds[0]
        self.limit = [] if config.minutes is None else [f"settings.max_minutes={config.minutes:g}"]
        own = ("paste=", "output=", "title=")
        shown = [override for override in typed if not override.startswith(own)]
        self.command = " ".join(["pdm run compare", *(_quoted(_shortened(override)) for override in shown)])
        self.common = [_quoted(_shortened(override)) for override in shown if is_common(override)]

    @property
    def files(self) -> list[Path]:
        """Those that are there."""
        return [path for name in NAMES if (path := self.output / name).exists()]

    def write(self, results: Sequence[Result]) -> str:
        """Write everything that the results so far allow.

        Returns:
            The table, for the terminal.
        """
        if not results:
            return "no training has come to an end"
        rows, curves = make_rows(largest_only(results)), make_curves(results)
        text = self.markdown(rows, curves, results)
        write_atomic(self.output / "compare.md", f"# {self.title}\n\n{text}".encode(), durable=False)
        write_atomic(self.output / "compare.csv", results_csv(results).encode(), durable=False)
        if (picture := picture_or_warning("compare.png", lambda: draw(rows))) is not None:
            write_atomic(self.output / "compare.png", picture, durable=False)
        if curves:
            write_atomic(self.output / CURVE_TABLE, curves_csv(curves).encode(), durable=False)
        if (
            curves
            and (picture := picture_or_warning(CURVE_PICTURE, lambda: draw_curves(curves, self.goal))) is not None
        ):
            write_atomic(self.output / CURVE_PICTURE, picture, durable=False)
        write_page_or_warning(self.output, lambda: self.content(rows, curves, results), self.language)
        if self.document:
            old = self.document.read_text(encoding="utf-8")
            write_atomic(self.document, pasted(old, self.title, text).encode())
        table = aligned([list(HEAD), *main_table(rows)])
        if not curves:
            return table
        said = "\n".join(f"{curve.name}: {told(curve, self.goal)}" for curve in curves)
        return f"{table}\n\n{aligned(curve_table(curves, self.goal))}\n\n{said}"

    def markdown(self, rows: Sequence[Row], curves: Sequence[LearningCurve], results: Sequence[Result]) -> str:
        """Command, circumstances and tables."""
        facts = _facts(results)
        parts = [
            f"```sh\n{self.command}\n```",
            f"Seeds {facts['seeds']}; {facts['cases'] or 'no'} test cases; trained on {facts['devices']}; "
            f"commit {facts['commits']}. "
            "Mean ± standard deviation over the seeds, on the test cases; what is chosen must be chosen by the "
            "column of the validation cases. Predictions are timed over all test cases in one call.",
            markdown([list(HEAD), *main_table(rows)]),
        ]
        lost = [f"- {row.model}, {row.recipe}: {reason}" for row in rows for reason in row.lost]
        if lost:
            parts.append("Trainings without scores, which the means leave out:\n\n" + "\n".join(lost))
        if weights := weight_table(largest_only(results)):
            parts += ["Mean weight of each member of a portfolio in the targets, over the seeds:", markdown(weights)]
        if targets := target_table(rows):
            parts += ["nADE of each target:", markdown(targets)]
        if curves:
            said = [f"- {curve.name}: {told(curve, self.goal)}" for curve in curves]
            table = markdown(curve_table(curves, self.goal))
            parts += ["### Learning curve", "\n".join(said), CURVE_NOTE, table]
        return "\n\n".join(parts) + "\n"

    def content(self, rows: Sequence[Row], curves: Sequence[LearningCurve], results: Sequence[Result]) -> Content:
        """Content of ``report.html``."""
        commands = {(row.model, row.recipe): self._train_command(row) for row in rows if not row.is_baseline}
        described = [
            RowFacts(
                model=row.model,
                recipe=row.recipe,
                nade=row.values("nade").tolist(),
                nfde=row.values("nfde").tolist(),
                validation=row.validation,
                fit_seconds=row.values("fit_seconds").tolist(),
                seconds_per_case=row.values("seconds_per_case").tolist(),
                parameters=row.values("parameters").tolist(),
                targets=row.targets,
                lost=row.lost,
            )
            for row in rows
        ]
        weights = weight_table(largest_only(results))
        content = comparison_content(self.title, described, weights, _facts(results), self.command, commands)
        facts = [curve_facts(curve, self.goal) for curve in curves]
        return {**content, "learning": learning_content(facts, curve_table(curves, self.goal), self.goal)}

    def _train_command(self, row: Row) -> str:
        """The command of a row's training with the first seed; as in the comparison, what is its own comes last."""
        (model, *of_model), (recipe, *of_recipe) = words_of(row.model), words_of(row.recipe)
        own = [_quoted(word) for word in (*of_model, *of_recipe)]
        chosen = [f"model={model}", f"settings={recipe}"]
        return " ".join(["pdm run train", *chosen, *self.common, *self.limit, *own, f"settings.seed={self.seed}"])

    def metrics(self, results: Sequence[Result]) -> dict[str, float]:
        """For the tracking store: mean nADE and nFDE of each row, and the laws of learning curves."""
        means = {
            f"{metric}/{' '.join(filter(None, (row.model, row.recipe)))}": row.mean(name)
            for row in (make_rows(largest_only(results)) if results else [])
            for metric, name in (("nADE", "nade"), ("nFDE", "nfde"))
        }
        return {**means, **curve_metrics(make_curves(results), self.goal)}


def curve_facts(curve: LearningCurve, goal: float | None) -> CurveFacts:
    """A learning curve as the page shows it."""
    law = curve.law
    lines = [[]] * 4 if law is None else [line.tolist() for line in law_lines(law, curve.cases)]
    counts, low, high, middle = lines
    return CurveFacts(
        name=curve.name,
        is_baseline=not curve.recipe,
        cases=curve.cases,
        errors=curve.errors.tolist(),
        counts=counts,
        law=middle,
        low=low,
        high=high,
        sentences=say(curve, goal),
    )


def _facts(results: Sequence[Result]) -> dict[str, str]:
    """Seeds, numbers of test cases, devices and commits of the results."""
    return {
        "seeds": ", ".join(str(seed) for seed in sorted({result.seed for result in results})),
        "cases": ", ".join(map(str, sorted({result.test_cases for result in results if result.numbers}))),
        "devices": ", ".join(sorted({result.device for result in results} - {""})),
        "commits": ", ".join(sorted({_short(result.commit) for result in results} - {""})),
    }


def pasted(document: str, title: str, text: str) -> str:
    """A document with the section of a comparison written anew, or added at its end.

    Args:
        document: Markdown.
        title: of the section.
        text: below the title.
    """
    first, last = f"<!-- compare: {title} -->", "<!-- end of compare -->"
    section = f"{first}\n## {title}\n\n{text}\n{last}"
    found = re.compile(f"{re.escape(first)}.*?{re.escape(last)}", re.DOTALL)
    if found.search(document):
        return found.sub(lambda _: section, document, count=1)
    return f"{document.rstrip()}\n\n{section}\n"


def _shortened(override: str) -> str:
    """Without the place of the clone: nobody else has it there."""
    return override.replace(f"{PROJECT_ROOT}/", "")


def _quoted(override: str) -> str:
    """For a shell, as a person would write it."""
    if "'" in override and not set(override) & set('"$`\\!'):
        return f'"{override}"'
    return shlex.quote(override)


def _short(commit: str) -> str:
    """A commit as people write it, with what it says of changes."""
    digits, _, dirty = commit.partition("-")
    return f"{digits[:10]}{'-' + dirty if dirty else ''}"
