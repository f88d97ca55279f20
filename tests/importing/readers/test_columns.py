"""What every reader does to columns."""

import pytest

from surrogate_modeling.importing.raw_table import BadFile
from surrogate_modeling.importing.readers.columns import chosen_parts, refuse_duplicates, time_among


@pytest.mark.parametrize(
    ("names", "time"),
    [
        (["T", "p", "time"], "time"),
        (["t", "Time"], "Time"),
        (["T", "t"], "t"),
        (["T", "p"], None),
        (["run/Zeit ", "run/T"], "run/Zeit "),
        (["time of flight"], None),
    ],
)
def test_time_is_found_by_its_name(names: list[str], time: str | None) -> None:
    assert time_among(names) == time


def test_parts_and_names() -> None:
    assert chosen_parts(["a", "b", "c"], ["c", "a"], "file", "sheets") == ["a", "c"]
    assert chosen_parts(["a"], [], "file", "sheets") == ["a"]
    with pytest.raises(BadFile, match="file: parts: 'd' not among the sheets: 'a', 'b'"):
        chosen_parts(["a", "b"], ["d"], "file", "sheets")
    with pytest.raises(BadFile, match="file: several columns have the name 'x'"):
        refuse_duplicates(["x", "y", "x"], "file")
