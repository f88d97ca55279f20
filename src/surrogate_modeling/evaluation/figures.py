"""Figures of predicted trajectories, drawn in parallel processes.

Imports no torch: each drawing process starts in a second.

Shape letters: T rows of a case, H predicted rows, P predicted columns.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from surrogate_modeling.common.atomic_file import write_atomic
from surrogate_modeling.common.child_process import fresh_processes
from surrogate_modeling.common.cores import cores
from surrogate_modeling.common.errors import first_line
from surrogate_modeling.evaluation.curve_axes import Curve, CurveAxes
from surrogate_modeling.evaluation.fonts import find_fonts, use_fonts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger(__name__)
SHEET_COLUMNS = 3
# More compression takes more time than it saves room.
PNG_OPTIONS = {"compress_level": 3}
# Of a figure of one curve, which they show to a sixteenth of the range: a third of the bytes, and of the time.
PNG_COLOURS = 256
# Kept at once, 1.2 MB each.
MAX_BACKGROUNDS = 8
# Rows of the curves that are sent to a drawing process at once: they are copied on both sides, and twice on the way.
MAX_CHUNK_ROWS = 400_000


@dataclass(frozen=True)
class Sheet:
    """Several curves of one case.

    Attributes:
        path: of their figure.
        curves: that it has.
        targets: how many there are in all.
    """

    path: Path
    curves: tuple[Curve, ...]
    targets: int


def picture_or_warning(name: str, draw: Callable[[], bytes]) -> bytes | None:
    """Call ``draw``; if it fails, log a warning and return None, because the results do not depend on a figure."""
    try:
        return draw()
    except Exception as error:  # any error: a figure must not end a run
        log.warning("%s could not be drawn: %s", name, first_line(error))
        return None


def new_figure(texts: Iterable[str], **options: Any) -> Figure:
    """A figure that arranges its own parts, with fonts for every letter of some texts.

    Args:
        texts: names that it will show.
        options: of matplotlib's ``Figure``, such as its size.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    use_fonts(find_fonts(texts))
    figure = Figure(layout="constrained", **options)
    FigureCanvasAgg(figure)
    return figure


def png_of(figure: Figure) -> bytes:
    """Content of a figure's PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def draw_figures(figures: Sequence[Curve | Sheet], workers: int | None) -> Iterator[None]:
    """Draw every curve and every sheet of curves; yields once per finished figure.

    A figure that cannot be drawn is named in a warning, and the others are drawn.

    Raises:
        NotWritten: the disk is full.
    """
    curves = [curve for figure in figures for curve in _curves(figure)]
    fonts = find_fonts(text for curve in curves for text in (curve.case, curve.column, curve.unit))
    failed: list[str] = []
    for count, messages in _draw_all(figures, fonts, workers):
        failed += messages
        yield from [None] * count
    if failed:
        log.warning("%d of %d figures could not be drawn, the first: %s", len(failed), len(figures), failed[0])


def _curves(figure: Curve | Sheet) -> tuple[Curve, ...]:
    return figure.curves if isinstance(figure, Sheet) else (figure,)


def _draw_all(
    figures: Sequence[Curve | Sheet], fonts: list[str], workers: int | None
) -> Iterator[tuple[int, list[str]]]:
    """Draw chunk by chunk; yields the number of figures of each chunk, and the messages of failed ones."""
    count = min(workers or cores(), max(1, len(figures) // 8))
    if count == 1:
        for chunk in _chunks(figures, 8):
            yield len(chunk), draw_chunk(chunk, fonts)
        return
    with ProcessPoolExecutor(count, mp_context=fresh_processes()) as pool:
        longest = max(sum(len(curve.time) for curve in _curves(figure)) for figure in figures)
        size = max(1, min(max(8, len(figures) // (8 * count)), MAX_CHUNK_ROWS // longest))
        jobs = {pool.submit(draw_chunk, chunk, fonts): len(chunk) for chunk in _chunks(figures, size)}
        for job in as_completed(jobs):
            yield jobs[job], job.result()


def _chunks(figures: Sequence[Curve | Sheet], size: int) -> list[Sequence[Curve | Sheet]]:
    return [figures[i : i + size] for i in range(0, len(figures), size)]


def draw_chunk(figures: Sequence[Curve | Sheet], fonts: Sequence[str]) -> list[str]:
    """Draw some figures on reused axes: making axes takes longer than drawing lines.

    Returns:
        A message for each figure that could not be drawn.
    """
    use_fonts(fonts)
    banded = next((curve for figure in figures for curve in _curves(figure) if curve.half_width is not None), None)
    band = f"{banded.level:.0%} band" if banded else "_band"
    canvas, sheets = _Canvas(band), dict[int, _SheetCanvas]()
    failed = []
    for figure in figures:
        try:
            if isinstance(figure, Sheet):
                count = len(figure.curves)
                sheets[count] = sheets.get(count) or _SheetCanvas(count, band)
                content = sheets[count].draw(figure)
            else:
                content = canvas.draw(figure)
        except Exception as error:  # any error: a figure must not end a run
            failed.append(f"{figure.path}: {first_line(error)}")
            continue
        write_atomic(figure.path, content, durable=False)
    return failed


class _Canvas:
    """A reusable figure of one curve."""

    def __init__(self, band: str) -> None:
        import matplotlib

        matplotlib.rcParams["path.simplify_threshold"] = 0.5
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.figure = Figure(figsize=(8, 3.6), dpi=100)
        FigureCanvasAgg(self.figure)
        axes = self.figure.add_axes((0.11, 0.14, 0.87, 0.68))
        self.plot = CurveAxes(axes, band)
        self.backgrounds: dict[tuple[float, float, int, bool], Any] = {}
        axes.set_xlabel("time [s]")
        self.title = self.figure.text(0.11, 0.93, "", fontsize=10, parse_math=False)

    def draw(self, curve: Curve) -> bytes:
        """File content of one curve."""
        self.title.set_text(f"{curve.case}: {self.plot.draw(curve)}")
        if curve.path.suffix != ".png":
            self._name_lines()
            return file_of(self.figure, curve.path)
        canvas: Any = self.figure.canvas
        canvas.restore_region(self._background(curve))
        for artist in sorted([*self.plot.moving(), self.title], key=lambda artist: artist.get_zorder()):
            self.figure.draw_artist(artist)
        return self._png(canvas)

    def _png(self, canvas: Any) -> bytes:
        """Content of a PNG file of few colours."""
        from PIL import Image

        image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
        few = image.quantize(PNG_COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        # Its own white is a mean of white and what is nearly so.
        colours, first = few.getpalette() or [], 3 * int(np.asarray(few)[0, 0])
        colours[first : first + 3] = [255, 255, 255]
        few.putpalette(colours)
        buffer = io.BytesIO()
        few.save(buffer, format="png", dpi=(self.figure.dpi, self.figure.dpi), **PNG_OPTIONS)
        return buffer.getvalue()

    def _background(self, curve: Curve) -> Any:
        """Time axis, given rows and legend, which curves have in common: to draw them takes half of the time of all."""
        given, marked = len(curve.time) - len(curve.predicted), self.plot.outside is not None
        shared = curve.time[0], curve.time[-1], given, marked
        if shared not in self.backgrounds:
            if len(self.backgrounds) == MAX_BACKGROUNDS:
                self.backgrounds.clear()
            self._name_lines()
            canvas: Any = self.figure.canvas
            moving = [*self.plot.moving(), self.title]
            for artist in moving:
                artist.set_visible(False)
            try:
                canvas.draw()
            finally:
                for artist in moving:
                    artist.set_visible(True)
            self.backgrounds[shared] = canvas.copy_from_bbox(self.figure.bbox)
        return self.backgrounds[shared]

    def _name_lines(self) -> None:
        self.plot.axes.legend(loc="lower right", bbox_to_anchor=(1, 1), fontsize=8, ncols=5, frameon=False)


class _SheetCanvas:
    """A reusable figure of several curves of one case, below each other in columns."""

    def __init__(self, count: int, band: str) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        columns = min(SHEET_COLUMNS, count)
        rows = -(-count // columns)
        # In inches, so that titles and labels have their room whatever the number of plots; the legend asks for 6.8.
        width, height, top = max(7.0, 5.2 * columns), 2.3 * rows + 0.8, 0.65
        self.figure = Figure(figsize=(width, height), dpi=100)
        FigureCanvasAgg(self.figure)
        self.figure.subplots_adjust(
            left=0.75 / width, right=1 - 0.15 / width, bottom=0.5 / height, top=1 - (top + 0.35) / height,
            wspace=0.22, hspace=0.42,
        )  # fmt: skip
        axes = self.figure.subplots(rows, columns, squeeze=False).ravel()
        for unused in axes[count:]:
            unused.set_visible(False)
        self.plots = [CurveAxes(part, band) for part in axes[:count]]
        for part in axes[max(0, count - columns) : count]:
            part.set_xlabel("time [s]")
        self.heads = [part.set_title("", fontsize=9, loc="left", parse_math=False) for part in axes[:count]]
        self.title = self.figure.text(0.75 / width, 1 - 0.28 / height, "", fontsize=11, parse_math=False)
        self.legend: Any = None

    def draw(self, sheet: Sheet) -> bytes:
        """File content of one sheet."""
        for plot, head, curve in zip(self.plots, self.heads, sheet.curves, strict=True):
            head.set_text(plot.draw(curve))
        shown = (
            "" if len(sheet.curves) == sheet.targets else f": the first {len(sheet.curves)} of {sheet.targets} targets"
        )
        self.title.set_text(sheet.curves[0].case + shown)
        if self.legend is not None:
            self.legend.remove()
        handles, names = self.plots[0].axes.get_legend_handles_labels()
        width, height = self.figure.get_size_inches()
        # A line of its own, as the name of a case may be long.
        place = (0.65 / width, 1 - 0.33 / height)
        self.legend = self.figure.legend(
            handles, names, loc="upper left", bbox_to_anchor=place, fontsize=8, ncols=5, frameon=False
        )
        return file_of(self.figure, sheet.path)


def file_of(figure: Any, path: Path) -> bytes:
    """Content of a figure's file, in the format that its ending names."""
    buffer = io.BytesIO()
    options = {"pil_kwargs": PNG_OPTIONS} if path.suffix == ".png" else {}
    figure.savefig(buffer, format=path.suffix.removeprefix("."), **options)
    return buffer.getvalue()
