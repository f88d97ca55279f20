"""What is said of the bands of the test cases."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from builders import make_band, make_case, make_channels

from surrogate_modeling.evaluation.coverage import Coverage
from surrogate_modeling.evaluation.scores import score
from surrogate_modeling.experiment.bands import report_coverage


class Recorded:
    """The run."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.metrics = folder, dict[str, float]()

    def log_metrics(self, metrics: dict[str, float]) -> None:
        self.metrics |= metrics


def test_wide_bands_are_one_warning_that_names_the_widest_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Coverage, "wide_targets", lambda *_: {"T": 9.4, "p": 50.6})
    cases = [make_case("a", 30), make_case("b", 25, 1)]
    runs = [(case.values[10:, 2:] + 0.5, np.ones((len(case.values) - 10, 2))) for case in cases]
    channels = make_channels(["T", "p"])
    scores = score(cases, [rows for rows, _ in runs], channels, np.ones(2))
    surrogate: Any = SimpleNamespace(
        band=make_band([0.0], [[1.0, 1.0]], [1.0, 1.0]), description=SimpleNamespace(channels=channels)
    )
    run: Any = Recorded(tmp_path)
    report_coverage(run, surrogate, cases, runs, scores)
    (warned,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert warned.startswith(
        "bands that are far wider than the errors: p 51 times, T 9 times. The worst of the 12 cases"
    )
    assert (tmp_path / "coverage.csv").exists()
    assert "coverage_90" in run.metrics
