"""Moist air: vapour pressure over water and humidity ratio."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from surrogate_modeling.refrigerant.compilation import compiled

P_AIR = 101325.0  # Pa


def vapour_pressure(t_celsius: float | np.ndarray) -> float | np.ndarray:
    """Saturation pressure [Pa] over water, Magnus formula (Alduchov and Eskridge 1996, J. Appl. Meteor. 35)."""
    return 610.94 * np.exp(17.625 * t_celsius / (t_celsius + 243.04))


_compiled_pressure: Callable[[float], float] = compiled(vapour_pressure)  # type: ignore[assignment]


@compiled
def humidity_ratio(t_celsius: float, relative: float) -> float:
    """Humidity ratio [kg/kg] of air at 1 atm and a relative humidity 0..1."""
    vapour = relative * _compiled_pressure(t_celsius)
    return 0.622 * vapour / (P_AIR - vapour)
