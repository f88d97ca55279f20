"""A case knows its columns, by hand."""

import subprocess
import sys

import numpy as np
from builders import plain_case

from surrogate_modeling.cases.case import RowTable

VALUES = np.array([[1, 2, 10], [3, 4, 20], [5, 6, 30]], np.float32)


def test_controls_outputs_and_truth() -> None:
    case = plain_case("a", np.arange(3.0), VALUES, 2)
    assert case.controls.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert case.outputs.tolist() == [[10], [20], [30]]
    assert case.truth(2).tolist() == [[20], [30]]
    assert case.truth(0).shape == (0, 1)


def test_a_table_of_cases_that_share_no_array() -> None:
    cases = [plain_case(name, np.arange(rows), VALUES[:rows], 2) for name, rows in (("a", 2), ("b", 1))]
    table = RowTable.of(cases)
    assert table.first == {"a": 0, "b": 2}
    assert table.values.tolist() == [[1, 2, 10], [3, 4, 20], [1, 2, 10]]


def test_a_surrogate_is_used_without_what_reads_files_trains_or_records() -> None:
    unwanted = ("pyarrow", "pandas", "pytorch_lightning", "mlflow", "hydra", "optuna", "matplotlib", "torch._dynamo")
    code = f"import sys, surrogate_modeling.surrogate; print([name for name in {unwanted} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_case_needs_numpy_only() -> None:
    code = (
        "import sys; before = set(sys.modules); import surrogate_modeling.cases.case;"
        "print(sorted({name.split('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['numpy', 'surrogate_modeling']"
