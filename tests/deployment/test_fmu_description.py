"""What an FMU says about itself: names, units, start values, references, sources."""

import shutil
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

fmpy = pytest.importorskip("fmpy")
from exported import CHANNELS, IN_LEN, STEP, make  # noqa: E402
from fmpy.model_description import read_build_description  # noqa: E402
from fmu_slave import write_lstm  # noqa: E402

from surrogate_modeling.deployment.export_check import random_cases  # noqa: E402

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")


@pytest.fixture(scope="module")
def lstm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lstm(tmp_path_factory.mktemp("fmu"), 2.0)


def test_names_units_start_values_and_sources(lstm: Path) -> None:
    surrogate = make("lstm")
    initial, controls = random_cases(surrogate, cases=1, rows=20)
    with zipfile.ZipFile(lstm) as archive:
        root = ElementTree.fromstring(archive.read("modelDescription.xml"))
        assert {f"sources/{name}" for name in ("fmi2_slave.c", "slave.h", "model.h", "routines.h")} <= set(
            archive.namelist()
        )
    variables = {item.get("name"): item for item in root.iter("ScalarVariable")}
    assert [name for name, item in variables.items() if item.get("causality") == "input"] == list(CHANNELS.controls)
    assert [name for name, item in variables.items() if item.get("causality") == "output"] == list(CHANNELS.predicted)
    assert len(variables) == 5 + IN_LEN * 5
    second = variables["initial[2].圧力.a"].find("Real")
    assert second is not None
    assert (second.get("unit"), float(second.get("start") or 0)) == ("kPa", pytest.approx(initial[0, 1, 2]))
    assert variables["u"].find("Real").get("unit") is None  # type: ignore[union-attr]
    assert root.find("DefaultExperiment").get("stepSize") == "0.5"  # type: ignore[union-attr]
    assert controls.shape == (1, 24, 2)


def test_fmi_3_has_the_same_references_and_time(lstm: Path, tmp_path: Path) -> None:
    lstm3 = write_lstm(tmp_path, 3.0)
    two, three = (fmpy.read_model_description(str(path)) for path in (lstm, lstm3))
    *variables, time = three.modelVariables
    assert (time.name, time.causality) == ("time", "independent")
    for old, new in zip(two.modelVariables, variables, strict=True):
        assert (new.name, new.valueReference, new.causality, new.unit) == (
            old.name, old.valueReference, old.causality, old.unit,
        )  # fmt: skip
        assert new.type == "Float64"
        assert new.start == old.start
    assert [unknown.variable.name for unknown in three.outputs] == list(CHANNELS.predicted)
    assert float(three.coSimulation.fixedInternalStepSize) == STEP
    (build,) = read_build_description(fmpy.extract(str(lstm3), str(tmp_path)))
    assert (build.modelIdentifier, build.sourceFileSets[0].sourceFiles) == ("plant_1", ["fmi3_slave.c"])
