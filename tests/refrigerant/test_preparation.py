"""Preparing the circuit in two processes compiles what a simulation then uses."""

from surrogate_modeling.refrigerant import preparation
from surrogate_modeling.refrigerant.integrator import simulate
from surrogate_modeling.refrigerant.observation import predicted_rows, soaked_start
from surrogate_modeling.refrigerant.preparation import prepare


def test_what_is_compiled_beforehand_is_what_is_called() -> None:
    """One form of each function: a call with other types would compile a second one."""
    preparation._compile_simulation()
    preparation._prepare_tables("R134a")
    assert prepare("R134a") == {"rows": 3}
    assert [len(function.signatures) for function in (simulate, soaked_start, predicted_rows)] == [1, 1, 1]
