"""The embedded circuit under controls of one's own."""

import numpy as np
import pytest

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.dataset import FmuConfig, RefrigerantConfig
from surrogate_modeling.generation.replay import PREDICTED_NAMES, CircuitCase
from surrogate_modeling.refrigerant.columns import CONTROLS

DATASET = RefrigerantConfig(path="", controls=9, duration=20.0, cases=9, families={"random_steps": 1.0})
NAMES = [column.name for column in CONTROLS]


def test_only_cases_of_the_circuit_are_replayed() -> None:
    with pytest.raises(UserError, match="only the embedded circuit"):
        CircuitCase(FmuConfig(path="", controls=1, name="fmu"), "case0001")
    for name in ("case1", "case0000", "summer"):
        with pytest.raises(UserError, match=f"case={name}: the embedded circuit calls its cases case0001, case0002"):
            CircuitCase(DATASET, name)


@pytest.mark.slow
def test_its_own_controls_give_the_case_again_and_less_speed_less_power() -> None:
    circuit = CircuitCase(DATASET, "case0003")
    controls = dict(zip(NAMES, circuit.plan[circuit.warm_up :].T, strict=True))
    same = circuit.run(circuit.time, controls, begin=5.0)
    assert not isinstance(same, str)
    np.testing.assert_allclose(same, circuit.predicted, rtol=1e-9)
    slower = circuit.run(circuit.time, {"CompN": 0.5 * controls["CompN"] + 300}, begin=5.0)
    assert not isinstance(slower, str)
    power = PREDICTED_NAMES.index("Comp_kW")
    np.testing.assert_array_equal(slower[:50], circuit.predicted[:50])
    assert slower[-1, power] < 0.8 * circuit.predicted[-1, power]
    hot = {"AmbT": np.full(len(circuit.time), 5000.0)}
    assert "circuit" in str(circuit.run(circuit.time, hot, begin=5.0))
