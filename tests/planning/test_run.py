"""What ``plan`` makes of its keys where controls are switches."""

from typing import Any

import pytest
from exported import make

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.plan_keys import PlanConfig
from surrogate_modeling.planning.run import supply_of
from surrogate_modeling.surrogate.model import Surrogate


@pytest.fixture(scope="module")
def surrogate() -> Surrogate:
    """Its control ``u`` is on or off."""
    made = make("don")
    made.training_range.switches.on_off[0] = True
    return made


def configured(u: Any, **keys: Any) -> PlanConfig:
    return PlanConfig("s", output="o", inputs={"u": u, "v/2": [0, 5]}, duration=30.0, **keys)


def test_a_range_of_a_switch_gives_both_values_and_none_between(surrogate: Surrogate) -> None:
    source = supply_of(surrogate, configured([0, 1])).source
    values = [source.make(number).controls for number in range(1, 6)]
    assert {value for controls in values for value in controls[:, 0]} == {0.0, 1.0}
    assert len({value for controls in values for value in controls[:, 1]}) > 2


@pytest.mark.parametrize("u", [[0, 0.5], {"range": [0, 1], "family": "ramps"}])
def test_a_range_that_a_switch_does_not_have_is_refused(surrogate: Surrogate, u: Any) -> None:
    with pytest.raises(UserError, match=r"^inputs.u: 0 or 1 in the training cases: give \[0, 1\], or leave it out$"):
        supply_of(surrogate, configured(u))


def test_a_rate_of_a_switch_is_refused(surrogate: Surrogate) -> None:
    with pytest.raises(
        UserError, match="^rates.u: on or off, or a mode, in the training cases: it jumps; leave it out"
    ):
        supply_of(surrogate, configured([0, 1], rates={"u": 0.1}))
