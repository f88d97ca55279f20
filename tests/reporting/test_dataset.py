"""What the report of a run says of its cases and columns."""

import numpy as np
import pytest
from builders import plain_case

from surrogate_modeling.cases.split import CaseSplit
from surrogate_modeling.reporting import dataset
from surrogate_modeling.reporting.dataset import dataset_content


def test_ranges_are_of_all_rows_where_only_some_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pulse in row 5 of each case lies between the rows of the histogram."""
    monkeypatch.setattr(dataset, "MAX_ROWS", 30)
    cases = []
    for i in range(4):
        table = np.zeros((100, 2), np.float32)
        table[5] = (2.0, -3.0 - i)
        cases.append(plain_case(f"c{i}", np.arange(100.0), table, 1))
    content = dataset_content(CaseSplit(cases[:2], [], cases[2:]), cases[0].channels, 1.0, "")
    control, output = content["columns"]
    assert (control["every"], sum(control["counts"])) == (6, 34)
    assert (control["low"], control["high"], control["constant"]) == (0.0, 2.0, False)
    assert (control["test_low"], control["test_high"]) == (0.0, 2.0)
    assert (output["low"], output["test_low"], output["edges"]) == (-4.0, -6.0, [-6.0, 0.0])
