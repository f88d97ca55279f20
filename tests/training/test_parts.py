"""Parts of an epoch against the order of all windows, and their rows against those in memory."""

from pathlib import Path

import numpy as np
import pytest
import torch
from builders import make_channels

from surrogate_modeling.cases import rows as rows_module
from surrogate_modeling.cases.case import Case, RowTable
from surrogate_modeling.cases.rows import Rows
from surrogate_modeling.config.settings import SettingsConfig
from surrogate_modeling.surrogate.scaling import Standardizer
from surrogate_modeling.training import parts
from surrogate_modeling.training import windows as windows_module
from surrogate_modeling.training.loaders import Share, WindowLoader, WindowSampler
from surrogate_modeling.training.parts import Drawn, held_batches, part_length, shuffled_in_parts
from surrogate_modeling.training.windows import HeldRows, WindowDataset

# Four columns of four bytes.
ROW_BYTES = 16
IN_LEN = 3
LENGTHS = (40, 25, 90, 61, 33, 7, 80)


@pytest.fixture
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of 100 rows, pieces of 10, gaps of 2."""
    for module, name, rows in (
        (parts, "PART_BYTES", 100),
        (parts, "PIECE_BYTES", 10),
        (parts, "GAP_BYTES", 2),
        (windows_module, "GAP_BYTES", 2),
    ):
        monkeypatch.setattr(module, name, rows * ROW_BYTES)


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[RowTable, RowTable]:
    """The same rows in memory and in a file; the value of a row in each column is its number and a tenth each."""
    monkeypatch.setattr(rows_module, "cache_folder", lambda: tmp_path)
    values = np.arange(sum(LENGTHS))[:, None] + np.arange(4) / 10
    found = []
    for in_file in (False, True):
        rows = Rows(len(LENGTHS), in_file)
        for part in np.split(values, np.cumsum(LENGTHS)[:-1]):
            rows.add(part.astype(np.float32))
        found.append(rows.table([str(i) for i in range(len(LENGTHS))], range(4)))
    return found[0], found[1]


def windows_of(table: RowTable, horizon: int) -> WindowDataset:
    cases = [
        Case(str(i), np.arange(n, dtype=float), table.rows_of(str(i), n), make_channels())
        for i, n in enumerate(LENGTHS)
    ]
    return WindowDataset(cases, Standardizer(4), IN_LEN, horizon, table=table)


def drawn_anywhere(windows: WindowDataset, count: int) -> Drawn:
    numbers = torch.randint(len(windows), (count,), generator=torch.Generator().manual_seed(5))
    return Drawn(numbers, torch.zeros(count, dtype=torch.bool))


@pytest.mark.usefixtures("_small_parts")
def test_parts_are_whole_batches_on_as_many_rows_as_memory_is_given(tables: tuple[RowTable, RowTable]) -> None:
    """336 rows: four parts of 100, so a quarter of 315 windows, in whole batches of 10.

    20 windows of 4 rows and a gap of 2 lie on 120 rows at most: two parts; 16 on 96: one. Where half of 80 are first
    windows, the other 40 lie on 240 rows and the 7 first ones on 28: three parts.
    """
    windows = windows_of(tables[0], 1)
    assert (len(windows), windows.nbytes) == (336 - 7 * 3, 336 * ROW_BYTES)
    assert part_length(windows, len(windows), 0.0, 10) == 80
    assert part_length(windows, 20, 0.0, 4) == 12
    assert part_length(windows, 16, 0.0, 4) == 16
    assert part_length(windows, 80, 0.5, 1) == 27


def test_what_a_part_holds_is_not_cut(tables: tuple[RowTable, RowTable]) -> None:
    windows = windows_of(tables[0], 1)
    assert part_length(windows, len(windows), 0.0, 10) >= len(windows)


@pytest.mark.usefixtures("_small_parts")
@pytest.mark.parametrize("is_drawn", [False, True])
def test_an_order_has_every_window_in_parts_of_pieces(tables: tuple[RowTable, RowTable], is_drawn: bool) -> None:
    """315 windows on 336 rows: pieces of 15 windows, which are those on 16 rows, four windows."""
    windows = windows_of(tables[0], 1)
    drawn = drawn_anywhere(windows, 200) if is_drawn else None
    orders = [shuffled_in_parts(windows, drawn, 80, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    wanted = torch.arange(len(windows)) if drawn is None else drawn.windows
    assert torch.equal(orders[0].sort().values, wanted.sort().values)
    assert torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[0], orders[2])
    found = [set((part // 15).tolist()) for part in orders[0].split(80)]
    for number, pieces in enumerate(found):
        # A piece lies in one part, or at the edge of two.
        assert all(len(pieces & other) <= 1 for other in found[number + 1 :])
        part = orders[0].split(80)[number]
        assert not torch.equal(part, part.sort().values)
    # The parts of another epoch are others.
    assert set((orders[2][:80] // 15).tolist()) != found[0]


@pytest.mark.usefixtures("_small_parts")
def test_first_windows_lie_in_every_part(tables: tuple[RowTable, RowTable]) -> None:
    """Seven windows that are drawn thousands of times: of each part their share, and every one of them."""
    windows = windows_of(tables[0], 1)
    count, random = 8000, torch.Generator().manual_seed(0)
    is_first = torch.arange(count) % 2 == 0
    firsts = windows.first_windows[torch.randint(7, (count,), generator=random)]
    numbers = torch.where(is_first, firsts, torch.randint(len(windows), (count,), generator=random))
    for part in shuffled_in_parts(windows, Drawn(numbers, is_first), 1000, random).split(1000):
        found = torch.isin(part, windows.first_windows)
        # Half by choice, and one in 45 of the others by chance; a part ends within one of 21 pieces.
        assert 0.4 < float(found.float().mean()) < 0.6
        assert len(part[found].unique()) == 7


@pytest.mark.usefixtures("_small_parts")
@pytest.mark.parametrize("options", [{}, {"windows_per_epoch": 200, "first_share": 0.5}])
def test_processes_of_which_one_has_a_file_share_every_batch(
    tables: tuple[RowTable, RowTable], options: dict[str, float]
) -> None:
    settings = SettingsConfig(batch_size=5, **options)  # type: ignore[arg-type]
    whole = windows_of(tables[0], 1)
    loaders = [
        WindowLoader(WindowSampler(windows_of(table, 1), settings, Share(rank, 2))) for rank, table in enumerate(tables)
    ]
    assert loaders[0].sampler.part_length < len(loaders[0].sampler)
    orders = []
    for epoch in range(2):
        for loader in loaders:
            loader.sampler.set_epoch(epoch)
        order = loaders[0].sampler.order()
        orders.append(order)
        shares = [list(loader) for loader in loaders]
        assert len(loaders[0]) == len(shares[0]) == len(shares[1]) == -(-len(order) // 10)
        for number, wanted in enumerate(order.split(10)):
            expected = whole.gather(wanted)
            for part, ours in zip(expected, zip(*(share[number] for share in shares), strict=True), strict=True):
                assert torch.equal(torch.cat(ours), part)
    assert not torch.equal(*orders)


@pytest.mark.usefixtures("_small_parts")
@pytest.mark.parametrize("horizon", [1, 12])
@pytest.mark.parametrize("count", [None, 200, 13])
def test_batches_from_a_file_are_those_from_memory(
    tables: tuple[RowTable, RowTable], horizon: int, count: int | None
) -> None:
    """With a horizon of 12 the last windows of a case, and so of all rows, have fewer rows than others."""
    in_memory, in_file = (windows_of(table, horizon) for table in tables)
    assert in_memory.complete is (horizon == 1)
    drawn = None if count is None else drawn_anywhere(in_memory, count)
    length = part_length(in_memory, count or len(in_memory), 0.0, 10)
    order = shuffled_in_parts(in_memory, drawn, length, torch.Generator().manual_seed(0))
    whole = list(held_batches(in_memory, order, length, 10))
    held = list(held_batches(in_file, order, length, 10))
    assert len(held) == len(whole) == -(-len(order) // 10)
    for windows, rows in held_batches(in_file, order, length, 10):
        assert rows is not None
        # Parts of 100 rows; more where each of few pieces ends long behind its last window, and room.
        assert len(rows.rows) <= 200
        wanted = in_memory.gather(windows)
        for part, other in zip(in_file.gather(windows, rows), wanted, strict=True):
            assert torch.equal(part, other)
    for (windows, _), (others, nothing) in zip(held, whole, strict=True):
        assert torch.equal(windows, others)
        assert nothing is None


@pytest.mark.usefixtures("_small_parts")
def test_two_parts_are_held_at_once(tables: tuple[RowTable, RowTable]) -> None:
    windows = windows_of(tables[1], 1)
    length = part_length(windows, len(windows), 0.0, 10)
    order = shuffled_in_parts(windows, None, length, torch.Generator().manual_seed(0))
    places = {rows.rows.data_ptr() for _, rows in held_batches(windows, order, length, 10) if rows is not None}
    assert len(order.split(length)) == 4
    assert len(places) == 2


@pytest.mark.usefixtures("_small_parts")
def test_first_rows_of_all_cases_from_a_file_are_those_from_memory(tables: tuple[RowTable, RowTable]) -> None:
    """20 rows of each, of which one case has 7."""
    both = [windows_of(table, 1) for table in tables]
    in_memory, in_file = (windows.whole_cases(windows.first_windows, 20 * len(LENGTHS)) for windows in both)
    assert in_memory.truth.shape[1] == 20 - IN_LEN
    for part, other in zip(in_file, in_memory, strict=True):
        assert torch.equal(part, other)


def test_held_rows_are_found_by_their_run() -> None:
    """Rows 5 to 7 and 20 to 21 lie one behind the other."""
    held = HeldRows(torch.zeros(5, 1), torch.tensor([5, 20]), torch.tensor([-5, -17]))
    assert held.place(torch.tensor([21, 5, 7, 20])).tolist() == [4, 0, 2, 3]
