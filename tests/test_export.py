"""``export.py`` as users run it."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from builders import run_python
from exported import CHANNELS, IN_LEN, STEP, make

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.writer import write_case
from surrogate_modeling.common.paths import PROJECT_ROOT
from surrogate_modeling.config.commands import Format
from surrogate_modeling.deployment.export_check import random_cases
from surrogate_modeling.export import WRITERS

EXPORT = PROJECT_ROOT / "src" / "surrogate_modeling" / "export.py"


def export(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/none.db", "OMP_NUM_THREADS": "1"}
    return run_python([str(EXPORT), *arguments], tmp_path, environment)


def test_every_format_has_a_writer() -> None:
    assert list(WRITERS) == list(Format)


@pytest.mark.slow
def test_an_fmu_starts_from_the_first_rows_of_a_case(tmp_path: Path) -> None:
    fmpy = pytest.importorskip("fmpy")
    surrogate = make("don")
    surrogate.save(tmp_path / "lit_model.pth")
    initial, controls = random_cases(surrogate, 1, 20)
    values = np.hstack((controls[0], np.vstack((initial[0], surrogate.free_run(initial, controls)[0]))))
    case = Case("a", np.arange(len(values)) * STEP, values, CHANNELS)
    columns = {name: CHANNELS.units[name] for name in (*CHANNELS.controls, *CHANNELS.predicted)}
    write_case(tmp_path / "a.csv", columns, case.time, case.values)
    done = export(tmp_path, "format=fmu", "surrogate=lit_model.pth", "cases=a.csv")
    assert done.returncode == 0, done.stderr
    assert "surrogate.fmu: largest difference from the surrogate" in done.stdout
    description = fmpy.read_model_description(str(tmp_path / "surrogate.fmu"))
    start = {item.name: item.start for item in description.modelVariables}
    assert float(start[f"initial[{IN_LEN}].T/out"]) == pytest.approx(initial[0, -1, 1])
    done = export(tmp_path, "format=fmu", "surrogate=lit_model.pth")
    assert done.returncode == 2
    assert "output=surrogate.fmu: exists" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["surrogate=models:/a/1"], "format: no value given"),
        (["surrogate=models:/a/1", "format=tflite"], "format: Invalid value 'tflite'"),
        (["surrogate=models:/a/1", "format=onnx", "output=a.fmu"], "must end in .onnx"),
        (["surrogate=models:/a/1", "format=fmu", "fmi_version=1"], "fmi_version=1.0: must be 2.0 or 3.0"),
        (["surrogate=models:/a/1", "format=onnx", "fmi_version=3.0"], "fmi_version=3.0: only for format=fmu"),
        (["surrogate=models:/a/1", "format=fmu", "form=trajectory"], "only for format=onnx"),
        (["surrogate=models:/a/1", "format=onnx", "language=ja"], "only for format=html"),
        (["surrogate=models:/a/1", "format=fmu", "band=each"], "band: Invalid value 'each'"),
        (["surrogate=models:/a/1", "format=html", "band=all"], "band=all: only for format=onnx and format=fmu"),
        (["surrogate=models:/a/1", "format=onnx", "cases=gone"], "cases=gone: No such file or directory"),
    ],
)
def test_refusals_are_one_line_with_exit_code_2(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = export(tmp_path, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert list(tmp_path.iterdir()) == []
