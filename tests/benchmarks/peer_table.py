"""What a tool reached, and the tables of all tools."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from measure import amount, markdown

HEAD = (
    "tool", "form", "test nADE", "times ours", "validation nADE", "to reach [s]", "times ours", "training [s]",
    "prediction/case", "peak memory", "lines",
)  # fmt: skip


@dataclass(frozen=True)
class Reached:
    """What one tool reached on one set.

    Attributes:
        set: of cases.
        tool: its name.
        form: what of it was used.
        is_ours: whether it is this tool, which the others are compared with.
        failure: why there are no numbers; empty where there are.
        test: nADE of the test cases, by the weights that are best on the validation cases.
        validation: their nADE with these weights; None where a tool tells none.
        curve: seconds of training, and nADE of the validation cases.
        training_seconds: in all.
        prediction_seconds: per test case, all in one call.
        peak: of resident memory [bytes].
        lines: that a user writes.
        seconds: of the whole process.
        versions: of the packages.
    """

    set: str
    tool: str
    form: str
    lines: int
    is_ours: bool = False
    failure: str = ""
    test: float | None = None
    validation: float | None = None
    curve: list[tuple[float, float]] = field(default_factory=list)
    training_seconds: float | None = None
    prediction_seconds: float | None = None
    peak: int | None = None
    seconds: float | None = None
    versions: dict[str, str] = field(default_factory=dict)

    def seconds_to(self, threshold: float) -> float | None:
        """Seconds of training until the validation cases were first predicted at this nADE or below."""
        return next((seconds for seconds, error in self.curve if error <= threshold), None)

    def kept(self, threshold: float) -> dict[str, object]:
        """For the JSON file."""
        return {**asdict(self), "threshold": threshold, "seconds_to_threshold": self.seconds_to(threshold)}


def table(results: Sequence[Reached], threshold: float) -> str:
    """A Markdown table of one set; the ratios are to the first of ours with numbers.

    Args:
        results: of the tools, ours first.
        threshold: nADE of the validation cases whose time is given.
    """
    ours = next((each for each in results if each.is_ours and not each.failure), None)
    rows = [row(each, ours, threshold) for each in results]
    head = [name.replace("to reach", f"to validation nADE {threshold:g}") for name in HEAD]
    lines = [markdown(head, rows)]
    lines += [f"- {each.tool}: {each.failure}" for each in results if each.failure]
    return "\n\n".join(lines)


def row(result: Reached, ours: Reached | None, threshold: float) -> list[str]:
    """Cells of one tool."""
    if result.failure:
        return [result.tool, result.form, "failed", *["-"] * (len(HEAD) - 4), str(result.lines)]
    reached, own = result.seconds_to(threshold), ours.seconds_to(threshold) if ours else None
    return [
        result.tool,
        result.form,
        number(result.test),
        ratio(result.test, ours.test if ours else None),
        number(result.validation),
        "-" if not result.curve else "not reached" if reached is None else f"{reached:.0f}",
        ratio(reached, own),
        "-" if result.training_seconds is None else f"{result.training_seconds:.0f}",
        "-" if result.prediction_seconds is None else amount(result.prediction_seconds, "s"),
        "-" if not result.peak else f"{result.peak / 2**20:,.0f} MiB",
        str(result.lines),
    ]


def number(value: float | None) -> str:
    """An nADE, or that there is none."""
    return "-" if value is None else f"{value:.4f}"


def ratio(value: float | None, reference: float | None) -> str:
    """How many times the reference a value is, where both are there."""
    return "-" if value is None or not reference else f"{value / reference:.2f}"
