"""Optuna's own plots of a study, as PNG files."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from optuna.study import Study
from optuna.trial import TrialState

from surrogate_modeling.common.atomic_file import write_atomic

log = logging.getLogger(__name__)
# Trees of the importance need a few trials, or they fit noise.
FEWEST_FOR_IMPORTANCE = 4


def draw_pictures(study: Study, folder: Path, objective: tuple[str, ...]) -> list[Path]:
    """Draw what the study has enough trials for.

    Args:
        study: with its results.
        folder: where the files go.
        objective: names, for the axes.

    Returns:
        The files drawn.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    # It logs a line for each choice that is a number.
    logging.getLogger("matplotlib.category").setLevel(logging.WARNING)
    from optuna.visualization import matplotlib as plots

    complete = [t for t in study.get_trials(deepcopy=False) if t.state is TrialState.COMPLETE]
    if not complete:
        return []
    varied = sorted(key for key in study.best_trials[0].params if len({repr(t.params.get(key)) for t in complete}) > 1)
    wanted: dict[str, Callable[[], Any]] = {}
    for i, name in enumerate(objective):
        suffix = f"_{name}" if len(objective) > 1 else ""
        # The value of one objective; a default argument, because i moves on.
        shown: dict[str, Any] = {"target": lambda trial, i=i: trial.values[i], "target_name": name}
        searched: dict[str, Any] = {**shown, "params": varied}
        wanted[f"history{suffix}"] = partial(plots.plot_optimization_history, study, **shown)
        if varied:
            wanted[f"slices{suffix}"] = partial(plots.plot_slice, study, **searched)
        if len(varied) > 1:
            wanted[f"parallel{suffix}"] = partial(plots.plot_parallel_coordinate, study, **searched)
            if len(complete) >= FEWEST_FOR_IMPORTANCE:
                wanted[f"importances{suffix}"] = partial(plots.plot_param_importances, study, **searched)
    if len(objective) in (2, 3):
        wanted["pareto_front"] = partial(plots.plot_pareto_front, study, target_names=list(objective))
    folder.mkdir(parents=True, exist_ok=True)
    return [path for name, draw in wanted.items() if (path := _save(folder / f"{name}.png", draw))]


def _save(path: Path, draw: Callable[[], Any]) -> Path | None:
    from matplotlib import pyplot as plt

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            axes = draw()
        figure = (axes.flat[0] if hasattr(axes, "flat") else axes).get_figure()
        width, height = figure.get_size_inches()
        figure.set_size_inches(max(width, 8), max(height, 5))
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight")
        write_atomic(path, buffer.getbuffer(), durable=False)
    except Exception as error:
        # A picture that cannot be drawn must not cost the results of the search.
        log.warning("%s was not drawn: %s: %s", path.name, type(error).__name__, error)
        return None
    finally:
        plt.close("all")
    return path
