"""Pictures: every one is drawn, in one process or several, whatever the curve."""

import io
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from surrogate_modeling.evaluation import figures
from surrogate_modeling.evaluation.curve_axes import MAX_TRUTH_RANGES, Curve, CurveAxes, _limits
from surrogate_modeling.evaluation.figures import Sheet, draw_figures
from surrogate_modeling.evaluation.report import target_sheets


def curve(path: Path, truth: np.ndarray, predicted: np.ndarray, **text: str) -> Curve:
    words = {"case": "case", "column": "T", "unit": "K", **text}
    return Curve(path, time=np.arange(len(truth)), truth=truth, predicted=predicted, ade=1.0, fde=2.0, **words)


# A file has few colours: a shade of the picture may be so far from the one in the file.
COLOUR_STEP = 1 / 16
WAVE = np.sin(np.arange(50) / 5).astype(np.float32)


@pytest.mark.parametrize("workers", [1, 2])
def test_one_step_for_each_picture(tmp_path: Path, workers: int) -> None:
    curves = [curve(tmp_path / f"{i}.png", WAVE, WAVE[10:] + i / 10) for i in range(17)]
    assert len(list(draw_figures(curves, workers))) == 17
    assert {path.stem for path in tmp_path.glob("*.png")} == {str(i) for i in range(17)}
    assert len({path.read_bytes() for path in tmp_path.glob("*.png")}) == 17
    assert list(draw_figures([], workers)) == []


@pytest.mark.parametrize("text", ["$x^2$", "\\frac{1}", "$", "% _ ^", "x" * 500, "温度"])
def test_text_is_drawn_as_text(tmp_path: Path, text: str) -> None:
    list(draw_figures([curve(tmp_path / "a.png", WAVE, WAVE[10:], case=text, column=text, unit=text)], 1))
    assert imread(tmp_path / "a.png").shape == (360, 800, 4)


def test_a_unit_may_be_missing() -> None:
    axes = CurveAxes(Figure().subplots(), "band")
    shown = replace(curve(Path("x.png"), WAVE, WAVE[10:], column="p", unit="bar"), ade=0.5, fde=2.0)
    assert (axes.draw(shown), axes.label.get_text()) == ("p, ADE 0.5 bar, FDE 2 bar", "p [bar]")
    assert (axes.draw(replace(shown, unit="")), axes.label.get_text()) == ("p, ADE 0.5, FDE 2", "p")


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize(
    ("truth", "predicted"),
    [
        (np.full(50, 3e38), np.full(40, -3e38)),
        (np.zeros(50), np.zeros(40)),
        (np.full(50, 1e-40), np.full(40, 2e-40)),
        (np.full(50, 101325.0), np.full(40, 101325.0)),
        (WAVE, np.full(40, np.nan)),
        (WAVE, WAVE[-1:]),
        (np.full(50, np.nan), WAVE[1:]),
        (np.full(50, np.nan), np.full(49, np.nan)),
    ],
    ids=["largest", "zero", "tiny", "constant", "nan", "one row", "no truth", "nothing"],
)
def test_any_numbers_are_drawn(tmp_path: Path, truth: np.ndarray, predicted: np.ndarray) -> None:
    list(draw_figures([curve(tmp_path / "a.png", truth.astype(np.float32), predicted.astype(np.float32))], 1))
    assert imread(tmp_path / "a.png").shape == (360, 800, 4)


def test_limits_show_all_of_a_good_prediction_and_keep_the_truth_readable_under_a_runaway() -> None:
    path = Path("x.png")
    low, high, whole = _limits(curve(path, np.array([0.0, 1.0, 2.0]), np.array([-1.0, 4.0])))
    assert (low, high, whole) == (pytest.approx(-1.25), pytest.approx(4.25), True)
    low, high, whole = _limits(curve(path, np.array([0.0, 1.0, 2.0]), np.array([1.0, 1e30])))
    assert (low, whole) == (pytest.approx(-0.05 * (2 + 2 * MAX_TRUTH_RANGES)), False)
    assert high == pytest.approx((2 + 2 * MAX_TRUTH_RANGES) * 1.05)
    low, high, whole = _limits(curve(path, np.array([0.0, 1.0, 2.0]), np.array([1.0, np.nan])))
    assert (low, high, whole) == (pytest.approx(-0.1), pytest.approx(2.1), False)
    low, high, whole = _limits(curve(path, np.array([5.0, 5.0]), np.array([5.0])))
    assert low < 5.0 < high
    assert whole


def test_a_curve_of_millions_of_rows_is_drawn_with_its_band_and_its_spike(tmp_path: Path) -> None:
    rows = 5_000_000
    truth = np.zeros(rows, np.float32)
    truth[rows // 2] = 1.0
    half = np.full(rows, 0.5, np.float32)
    long = curve(tmp_path / "long.png", truth, np.zeros(rows, np.float32))
    list(draw_figures([replace(long, half_width=half)], 1))
    picture = imread(tmp_path / "long.png")[60:290, 88:780, :3]
    # The spike is a dark line in the middle, far above the band.
    dark = (picture < 0.5).all(axis=2)
    assert dark[:80, picture.shape[1] // 2 - 20 : picture.shape[1] // 2 + 20].any()


def test_rows_far_from_the_training_cases_are_shaded_by_that_name_and_the_band_says_its_level(tmp_path: Path) -> None:
    plain = curve(tmp_path / "plain.png", WAVE, WAVE[10:])
    outside = np.zeros(50, bool)
    outside[30:40] = True
    marked = replace(plain, path=tmp_path / "marked.png", outside=outside)
    after = replace(plain, path=tmp_path / "after.png")
    axes = CurveAxes(Figure().subplots(), "band")
    axes.draw(marked)
    assert "far from the training cases" in axes.axes.get_legend_handles_labels()[1]
    list(draw_figures([plain, marked, after], 1))
    first, second, third = (imread(tmp_path / f"{name}.png") for name in ("plain", "marked", "after"))
    assert np.array_equal(first, third)
    # Shaded between 60 % and 80 % of the width of the axes, and nowhere in the first half.
    column = [88 + int(share * 696) for share in (0.7, 0.3)]
    changed = np.abs(first - second)[70:300]
    assert changed[:, column[0]].sum() > 10
    assert changed[:, column[1]].max() < COLOUR_STEP


def test_a_picture_on_a_background_is_the_one_that_is_drawn_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Curves of other times, of other given rows and with shaded rows in turn; their limits and labels differ too."""
    shaded = np.arange(50) % 20 > 15
    curves = [
        replace(
            curve(tmp_path / f"{i}.png", 10.0**i * WAVE, 10.0**i * WAVE[given:], column=f"T{i}"),
            time=np.arange(50) + later,
            half_width=np.full(50 - given, 0.2 * 10.0**i),
            outside=shaded if i % 2 else None,
        )
        for i, (given, later) in enumerate([(10, 0), (10, 0), (5, 0), (10, 7), (10, 0), (10, 0)])
    ]
    monkeypatch.setattr(figures, "MAX_BACKGROUNDS", 2)
    reused = figures._Canvas("90% band")
    for each in curves:
        ours = imread(io.BytesIO(reused.draw(each)))
        plain = figures._Canvas("90% band")
        plain.title.set_text(f"{each.case}: {plain.plot.draw(each)}")
        plain._name_lines()
        whole = imread(io.BytesIO(figures.file_of(plain.figure, each.path)))
        np.testing.assert_allclose(ours, whole, atol=COLOUR_STEP)
        # On a white page its background is no box.
        assert np.array_equal(ours[0, 0], np.ones(4))


def test_a_picture_that_cannot_be_drawn_is_named_and_the_others_are_drawn(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = replace(curve(tmp_path / "wrong.png", WAVE, WAVE[10:]), time=np.arange(3.0))
    good = curve(tmp_path / "good.png", WAVE, WAVE[10:])
    assert len(list(draw_figures([wrong, good], 1))) == 2
    assert (tmp_path / "good.png").exists()
    assert "1 of 2 figures could not be drawn, the first: " in caplog.text
    assert "wrong.png" in caplog.text


@pytest.mark.parametrize("count", [1, 2, 7])
def test_a_sheet_has_all_curves_of_a_case(tmp_path: Path, count: int) -> None:
    curves = tuple(curve(tmp_path / f"{i}.png", WAVE, WAVE[10:] + i, column=f"列{i}") for i in range(count))
    # All that a legend can name.
    marks: dict[str, Any] = {"half_width": np.ones(40), "outside": np.arange(50) > 30}
    curves = tuple(replace(one, **marks) for one in curves)
    list(draw_figures([Sheet(tmp_path / "targets.png", curves, count)], 1))
    assert {path.name for path in tmp_path.iterdir()} == {"targets.png"}
    # Plots of 5.2 by 2.3 inches, three in a row, at 100 dots; one alone is wider, for the legend.
    columns, rows = min(3, count), -(-count // 3)
    picture = imread(tmp_path / "targets.png")
    assert picture.shape == (230 * rows + 80, max(700, 520 * columns), 4)
    # Nothing runs into the edge.
    assert (picture[:, -5:] == 1).all()
    assert (picture[:, :2] == 1).all()


def test_a_sheet_of_very_many_targets_has_the_first_and_says_so(tmp_path: Path) -> None:
    curves = [curve(tmp_path / "a.svg", WAVE, WAVE[10:], column=f"T{i}") for i in range(35)]
    (sheet,) = target_sheets(curves, curves[:1], [f"T{i}" for i in range(2, 35)])
    assert [part.column for part in sheet.curves] == [f"T{i}" for i in range(2, 32)]
    list(draw_figures([sheet], 1))
    assert "case: the first 30 of 33 targets" in (tmp_path / "targets.svg").read_text()


@pytest.mark.parametrize(("ending", "start"), [("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_the_ending_of_a_file_is_its_format(tmp_path: Path, ending: str, start: bytes) -> None:
    list(draw_figures([curve(tmp_path / f"a.{ending}", WAVE, WAVE[10:])], 1))
    assert (tmp_path / f"a.{ending}").read_bytes().startswith(start)


def test_few_long_curves_are_sent_to_a_process_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []

    class Pool(ThreadPoolExecutor):
        """Threads instead of processes, told what each is given."""

        def __init__(self, count: int, **_options: object) -> None:
            super().__init__(count)

        def submit(self, draw: Callable[..., Any], *given: Any, **options: Any) -> Future[Any]:  # type: ignore[override]
            sent.append(len(given[0]))
            return super().submit(lambda *_given: [], draw, *given, **options)

    monkeypatch.setattr(figures, "ProcessPoolExecutor", Pool)
    rows = np.zeros(figures.MAX_CHUNK_ROWS // 5, np.float32)
    long = [curve(tmp_path / f"{i}.png", rows, rows[10:]) for i in range(64)]
    assert len(list(draw_figures(long, 2))) == 64
    # Eight at once if they were short: so many for a process of two.
    assert sent == [5] * 12 + [4]
