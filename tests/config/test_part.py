"""Parts of many cases: together all of them, each once."""

import pytest

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.part import ALL, Part


def test_parts_are_every_item_once() -> None:
    assert [list(Part(k, 3).take(range(1, 9))) for k in (1, 2, 3)] == [[1, 4, 7], [2, 5, 8], [3, 6]]
    assert list(ALL.take("abc")) == ["a", "b", "c"]
    assert Part.of("3/3").take([1, 2]) == []


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "1/", "a/b", "-1/2", "1/0"])
def test_there_is_no_such_part(text: str) -> None:
    with pytest.raises(UserError, match=f"part={text}: give k/N"):
        Part.of(text)
