"""Tables are brought to the plan; the whole ways are in test_import.py and test_broken_files.py."""

import pandas as pd
import pytest

from surrogate_modeling.importing.conform import Conformer
from surrogate_modeling.importing.import_plan import ImportPlan, PlannedColumn
from surrogate_modeling.importing.raw_table import RawTable


@pytest.mark.parametrize(
    ("planned", "key", "head", "seconds", "remarks"),
    [
        ("s", None, "time", 100, []),
        ("ms", None, "time", 0.1, []),
        ("s", None, "time [ms]", 0.1, ["time is converted from ms to s, where other files have s"]),
        ("ms", None, "time [s]", 100, ["time is in s, where other files have ms"]),
        ("ms", "ms", "time [s]", 0.1, ["time is read in ms (time_unit), where the file says s"]),
        ("ms", "ms", "time [ms]", 0.1, []),
        ("ms", "ms", "time", 0.1, []),
    ],
)
def test_the_unit_of_time_is_that_of_the_key_then_of_the_file_then_of_the_first_file(
    planned: str, key: str | None, head: str, seconds: float, remarks: list[str]
) -> None:
    plan = ImportPlan(("time",), planned, (PlannedColumn("x", None),), {}, (), None)
    conformer = Conformer(plan, {}, None, key)
    rows, _ = conformer.rows(RawTable("a.csv", pd.DataFrame({head: [0.0, 100.0], "x": [1.0, 2.0]})))
    assert rows.time.tolist() == [0, seconds]
    assert [*conformer.remarks] == remarks
