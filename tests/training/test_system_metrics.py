"""What a run takes of its machine, in the units it is recorded in."""

import sys
from pathlib import Path

import pytest
import torch
from lag import make, settings

from surrogate_modeling.training.fit import fit
from surrogate_modeling.training.system_metrics import gpu_memory, machine_memory, process_memory


def test_memory_of_the_machine_is_what_is_not_available(tmp_path: Path) -> None:
    table = tmp_path / "meminfo"
    table.write_text(
        "MemTotal:       2000000 kB\nMemFree:          10000 kB\nMemAvailable:    500000 kB\nHugePages_Total: 0\n"
    )
    assert machine_memory(table) == {
        "system/system_memory_usage_megabytes": pytest.approx(1_500_000 * 1024 / 1e6),
        "system/system_memory_usage_percentage": 75.0,
    }
    assert machine_memory(tmp_path / "none") == {}


@pytest.mark.skipif(sys.platform == "win32", reason="not told there")
def test_memory_of_the_process_follows_what_it_takes() -> None:
    """It is the peak: from where it rises, it does so by what is taken."""
    block, taken = 10_000_000, []
    (before,) = process_memory().values()
    while (peak := sum(process_memory().values())) == before:
        taken.append(torch.ones(block))
        assert 4 * block * len(taken) / 1e6 < 2 * before + 100
    more = [torch.ones(block) for _ in range(4)]
    (after,) = process_memory().values()
    assert before < peak < after
    assert after - peak == pytest.approx(4 * block * len(more) / 1e6, rel=0.2)
    assert 4 * block * len(taken + more) / 1e6 < after


def test_every_epoch_has_them_where_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for asked in (False, True):
        recipe = settings(epochs=3, system_metrics=asked)
        surrogate, data, validation = make(recipe)
        seen: dict[int, dict[str, float]] = {}
        fitted = fit(
            surrogate, data, validation, recipe, tmp_path / str(asked),
            lambda values, step, seen=seen: seen.__setitem__(step, values),
        )  # fmt: skip
        for epoch in range(3):
            system = {name: value for name, value in seen[epoch].items() if name.startswith("system/")}
            assert bool(system) is asked
            if asked:
                assert system["system/windows_per_second"] > 0
                assert 0 < system["system/cpu_utilization_percentage"] <= 110
                assert bool(gpu_memory()) == ("system/gpu_0_memory_usage_megabytes" in system)
        assert not any(name.startswith("system/") for name in fitted.least)
