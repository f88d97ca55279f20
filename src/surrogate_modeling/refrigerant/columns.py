"""Columns of a case: names and units of controls, predicted quantities and targets.

A name is a point of the circuit and a quantity: P pressure, T temperature, Tst saturation temperature, _Jkg
specific enthalpy, _gs mass flow, _ro density. Points along the flow: CompIn, Comp_Out (compressor), CondOut
(last condenser cell, before the receiver), EvaEVIn and EvaEVOut (expansion valve), EvaOut (evaporator).

Left out because they repeat another column exactly: Comp_Out_gs (CompIn_gs), EvaEVOut_gs and EvaEVOut_Jkg
(EvaEVIn). RecOut_gs, the receiver's outflow, stands in for CondOut_gs, which chatters as phase fronts cross
cells.
"""

from __future__ import annotations

from dataclasses import dataclass

# Increased when the model or the schedules change the content of a case; folders of another version are refused.
MODEL_VERSION = 1
CONTROL_STEP = 0.1  # s, controls are held this long


@dataclass(frozen=True)
class Column:
    """One column of a case file."""

    name: str
    unit: str


def _columns(text: str) -> list[Column]:
    return [Column(*item.split()) for item in text.split(",")]


CONTROLS = _columns(
    "CompN rpm, VehV km/h, CondFanDuty %, AmbT degC, EvaAirInT degC, EvaAirInRH %, BlowerFlow m3/h,SHset K, BayT degC"
)

PREDICTED = _columns(
    "CompInP bar, CompInT degC, CompInTst degC, CompIn_Jkg J/kg, CompIn_gs g/s, CompIn_ro kg/m3,"
    "Comp_OutP bar, Comp_OutT degC, Comp_OutTst degC, Comp_Out_Jkg J/kg, Comp_Out_ro kg/m3,"
    "CondOutP bar, CondOutT degC, CondOut_Jkg J/kg, RecOut_gs g/s, CondOut_ro kg/m3,"
    "EvaEVInP bar, EvaEVInT degC, EvaEVIn_Jkg J/kg, EvaEVIn_gs g/s, EvaEVIn_ro kg/m3,"
    "EvaEVOutP bar, EvaEVOutT degC, EvaEVOut_ro kg/m3,"
    "EvaOutP bar, EvaOutT degC, EvaOut_Jkg J/kg, EvaOut_gs g/s, EvaOut_ro kg/m3,"
    "Cond_kW kW, CondFan_kW kW, Blower_kW kW, CondAirOutT degC, EvaSH K, CondSC K, EVOpen %, EvaLat_kW kW,"
    "RecLevel %, CondAirV m/s, Comp_kW kW, Eva_kW kW, ACDS_kW kW, EvaAirOutT degC"
)
