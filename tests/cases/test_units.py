"""Units and their conversion, against factors of textbooks."""

import pytest

from surrogate_modeling.cases.units import UnitError, conversion, known_unit


@pytest.mark.parametrize(
    ("given", "wanted", "factor", "offset"),
    [
        ("degC", "K", 1, 273.15),
        ("K", "°C", 1, -273.15),
        ("℃", "degF", 1.8, 32),
        ("bar", "Pa", 1e5, 0),
        ("kPa", "bar", 0.01, 0),
        ("rpm", "rad/s", 0.10471975511965977, 0),
        ("1/min", "rpm", 1, 0),
        # A turn is one: 1500 rpm are 25 a second.
        ("rpm", "Hz", 1 / 60, 0),
        ("Hz", "rpm", 60, 0),
        ("1/min", "1/s", 1 / 60, 0),
        ("1/s", "U/min", 60, 0),
        ("rev/s", "Hz", 1, 0),
        ("rev/s", "rpm", 60, 0),
        ("rpm", "deg/s", 6, 0),
        ("Nm/rpm", "Nm.s", 60, 0),
        ("deg", "rad", 0.017453292519943295, 0),
        # In SI a radian is 1.
        ("N.m/rad", "N.m", 1, 0),
        ("kHz", "1/s", 1000, 0),
        ("m3/h", "L/min", 1000 / 60, 0),
        ("W/(m2.K)", "kW/(m2.K)", 0.001, 0),
        ("kg/(s.m2)", "g/(s.m^2)", 1000, 0),
        ("m²", "cm2", 1e4, 0),
        ("km/h", "m/s", 1 / 3.6, 0),
        ("%", "-", 0.01, 0),
        ("Nm", "kN.m", 0.001, 0),
        ("min", "s", 60, 0),
        ("h", "s", 3600, 0),
        ("ms", "s", 0.001, 0),
        ("秒", "s", 1, 0),
        ("degC", "°C", 1, 0),
        ("furlong", "m", 201.168, 0),
        ("unknown", "unknown", 1, 0),
        ("ｋＰａ", "bar", 0.01, 0.0),
    ],
)
def test_conversions(given: str, wanted: str, factor: float, offset: float) -> None:
    assert conversion(given, wanted) == pytest.approx((factor, offset), rel=1e-5 if given == "furlong" else 1e-14)


@pytest.mark.parametrize(
    ("given", "wanted", "message"),
    [
        ("K", "bar", "'K' cannot be converted to 'bar': they measure different things"),
        ("bar", "qux", "the unit 'qux' is not known"),
        ("", "bar", "no unit is given"),
        ("dB", "-", "'dB' cannot be converted to '-' by a factor and an offset"),
        ("bar(g)", "bar", "the unit 'bar(g)' is not known"),
        ("Hz", "rad/s", "'Hz' cannot be converted to 'rad/s': 'Hz' may count turns or radians; say rpm or rad/s"),
        ("rad/s", "1/s", "'rad/s' cannot be converted to '1/s': '1/s' may count turns or radians; say rpm or rad/s"),
        ("deg/s", "Hz", "'deg/s' cannot be converted to 'Hz': 'Hz' may count turns or radians; say rpm or rad/s"),
    ],
)
def test_what_cannot_be_converted_is_refused(given: str, wanted: str, message: str) -> None:
    with pytest.raises(UnitError) as refused:
        conversion(given, wanted)
    assert str(refused.value) == message


def test_names_are_no_units() -> None:
    assert [
        name for name in ("time", "valve", "pressure", "out", "x", "f(x)", "two words", "1.5") if known_unit(name)
    ] == []
    assert all(
        known_unit(unit) for unit in ("s", "°C", "kg/h", "J/(kg.K)", "W/m²", "l/min", "%", "-", "mmHg", "ｋＷ", "％")
    )
