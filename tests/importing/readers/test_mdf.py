"""Measurements of ASAM MDF, written by asammdf: rates, texts, units, and what is left out or refused."""

import sys
from pathlib import Path

import numpy as np
import pytest

from surrogate_modeling.importing.raw_table import BadFile, RawTable, ReadOptions
from surrogate_modeling.importing.readers.mdf import read_mdf

asammdf = pytest.importorskip("asammdf")
FAST, SLOW = np.arange(0, 2.01, 0.25), np.array([0.5, 1.0, 1.5])
MODES = {"val_0": 0, "text_0": "off", "val_1": 1, "text_1": "on"}


def written(path: Path, version: str = "4.10") -> Path:
    signal = asammdf.Signal
    file = asammdf.MDF(version=version)
    file.append([signal(4 * FAST, FAST, unit="bar", name="p"), signal((FAST > 1).astype("u1"), FAST, name="flag")])
    file.append([signal(20 + 10 * SLOW, SLOW, unit="degC", name="T")])
    file.append([signal(np.array([0, 1, 0], "i4"), SLOW, name="mode", conversion=MODES)])
    file.append([signal(np.array([3.0]), np.array([0.0]), unit="m", name="length")])
    file.append([signal(SLOW, SLOW, name="p")])
    file.save(path, overwrite=True)
    file.close()
    return path


def one(path: Path, **options: object) -> RawTable:
    (table,) = read_mdf(path, ReadOptions(**options))  # type: ignore[arg-type]
    return table


@pytest.mark.parametrize("version", ["3.30", "4.10"])
def test_channels_of_several_rates(tmp_path: Path, version: str) -> None:
    table = one(
        written(tmp_path / ("a.mf4" if version > "4" else "a.mdf"), version), parts=("p", "flag", "T", "mode", "length")
    )
    # From the first row of the slow channels to half a second after their last.
    assert table.frame["time"].tolist() == [0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0]
    assert table.frame["p"].tolist() == pytest.approx([2, 3, 4, 5, 6, 7, 8])
    assert table.frame["T"].tolist() == pytest.approx([25, 27.5, 30, 32.5, 35, 35, 35])
    assert table.frame["flag"].tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert table.frame["mode"].tolist() == ["off", "off", "on", "on", "off", "off", "off"]
    assert table.frame["p #2"].tolist() == pytest.approx([0.5, 0.75, 1, 1.25, 1.5, 1.5, 1.5])
    assert table.units == {"time": "s", "p": "bar", "T": "degC"}
    assert (table.parameters, table.parameter_units) == ({"length": 3.0}, {"length": "m"})
    assert table.remarks[0] == (
        "5 channels with steps of 0.25, 0.5 s are put on the rows of the densest channel, 'p', from 0.5 to 2 s, where "
        "all have values: 3 interpolated linearly, 2 held (whole numbers and texts)"
    )
    assert "channels of one name are told apart: p #2" in table.remarks


def test_whole_numbers_hold_though_one_of_them_is_invalid(tmp_path: Path) -> None:
    seconds = np.arange(5.0)
    invalid = np.array([False, False, False, True, False])
    gear = np.array([1, 1, 2, 0, 3], "u1")
    file = asammdf.MDF()
    file.append([asammdf.Signal(4 * FAST, FAST, name="p")])
    file.append([asammdf.Signal(gear, seconds, name="gear", invalidation_bits=invalid)])
    bad = np.array([False, True, False])
    file.append([asammdf.Signal(10 + 10 * SLOW, SLOW, name="T", invalidation_bits=bad)])
    file.save(tmp_path / "a.mf4", overwrite=True)
    file.close()
    table = one(tmp_path / "a.mf4", parts=("p", "gear"))
    assert table.frame["time"].tolist() == FAST.tolist()
    assert table.frame["gear"].tolist() == [1, 1, 1, 1, 1, 1, 1, 1, 2]
    assert "1 interpolated linearly, 1 held" in table.remarks[0]
    at_its_own_times = one(tmp_path / "a.mf4", parts=("gear",))
    np.testing.assert_array_equal(at_its_own_times.frame["gear"], [1, 1, 2, np.nan, 3])
    assert one(tmp_path / "a.mf4", parts=("T",)).frame["T"].isna().tolist() == [False, True, False]


def test_a_step_of_ones_own(tmp_path: Path) -> None:
    table = one(written(tmp_path / "a.mf4"), step=0.5, parts=("p", "T"))
    assert table.frame["time"].tolist() == [0.5, 1.0, 1.5, 2.0]
    assert table.frame["T"].tolist() == pytest.approx([25, 30, 35, 35])


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    file = asammdf.MDF()
    file.append([asammdf.Signal(FAST, FAST, name="p")])
    records = np.zeros(3, dtype=[("a", "f8"), ("b", "f8")])
    file.append([asammdf.Signal(records, SLOW, name="record")])
    file.save(tmp_path / "a.mf4")
    file.close()
    assert any("left out" in remark and "'record'" in remark for remark in one(tmp_path / "a.mf4").remarks)


def test_refusals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "a.mf4")
    with pytest.raises(BadFile, match=r"a\.mf4: parts: 'q' not among the channels: 'p', 'flag'"):
        one(path, parts=("q",))
    with pytest.raises(BadFile, match=r"a\.mf4: no channel with two samples or more over time"):
        one(path, parts=("length",))
    (tmp_path / "cut.mf4").write_bytes(path.read_bytes()[:3000])
    with pytest.raises(BadFile, match=r"cut\.mf4: no MDF file that can be read"):
        one(tmp_path / "cut.mf4")
    (tmp_path / "text.mf4").write_text("time,p\n0,1\n")
    with pytest.raises(BadFile, match=r"text\.mf4: no MDF file that can be read .*magic header"):
        one(tmp_path / "text.mf4")
    monkeypatch.setitem(sys.modules, "asammdf", None)
    with pytest.raises(BadFile, match=r"reading MDF needs asammdf: pdm sync -G mdf"):
        one(path)
    assert "Traceback" not in capsys.readouterr().err
