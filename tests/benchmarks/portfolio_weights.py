"""Draw the weights of the members of model=auto, a bar per comparison: python portfolio_weights.py FILE FOLDER...

Each folder is that of a comparison (``pdm run compare output=FOLDER``) with a portfolio among its trainings; a weight
is the mean over targets and seeds. The bar is called after the folder.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

from surrogate_modeling.evaluation.portfolio_report import draw_weights

PREFIX = "weight of "


def mean_weights(folder: Path) -> dict[str, float]:
    """Mean weight of each member over the portfolios in ``compare.csv``."""
    with (folder / "compare.csv").open(encoding="utf-8") as file:
        lines = [line for line in csv.DictReader(file) if line["model"].split()[0] == "auto"]
    if not lines:
        raise SystemExit(f"{folder}/compare.csv: no training of model=auto")
    names = [key for key in lines[0] if key.startswith(PREFIX)]
    return {key.removeprefix(PREFIX): float(np.mean([float(line[key] or 0.0) for line in lines])) for key in names}


def main(file: Path, folders: list[Path]) -> None:
    """Write the picture."""
    of_sets = {folder.name: mean_weights(folder) for folder in folders}
    members = list(dict.fromkeys(name for weights in of_sets.values() for name in weights))
    weight = np.array([[weights.get(name, 0.0) for name in members] for weights in of_sets.values()])
    used = [i for i in range(len(members)) if weight[:, i].any()]
    file.write_bytes(draw_weights(list(of_sets), [members[i] for i in used], weight[:, used]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(folder) for folder in sys.argv[2:]])
