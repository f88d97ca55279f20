"""Write ``modelDescription.xml`` of an FMU: names, units and start values of its variables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np

from surrogate_modeling.surrogate.description import Description

NO_UNIT = {"", "-", "1"}


@dataclass(frozen=True)
class Variable:
    """Variable of an FMU; ``reference`` is its value reference, as in ``slave.h``."""

    reference: int
    name: str
    unit: str
    start: float | None
    attributes: dict[str, str]


def initial_name(row: int, column: str) -> str:
    """Name of the parameter of one given row, counted from 1, and column."""
    return f"initial[{row}].{column}"


@dataclass(frozen=True)
class Binary:
    """What the description says of the binary.

    Attributes:
        token: also known to the binary; FMI 2.0 calls it the GUID, FMI 3.0 the instantiation token.
        name: of the model and its binary, a C identifier.
        source: the file to compile.
        version: of FMI, 2.0 or 3.0.
    """

    token: str
    name: str
    source: str
    version: float


def list_variables(description: Description, start: np.ndarray, edges: Sequence[str] = ()) -> list[Variable]:
    """List the variables in the order of ``slave.h``: controls, predicted columns, given rows, edges of a band.

    Controls that are constant within a case are parameters, which hold in the given rows too.

    Args:
        description: of the surrogate.
        start: (in_len, G) start values of the given rows: of all columns, or of the controls alone.
        edges: names of the lower, then the upper edges of the predicted columns; empty without a band.
    """
    channels = description.channels
    columns = (*channels.controls, *channels.predicted)
    driven = {"causality": "input", "variability": "continuous"}
    given = {"causality": "parameter", "variability": "fixed", "initial": "exact"}
    answered = {"causality": "output", "variability": "continuous", "initial": "calculated"}
    variables = [
        Variable(i, name, channels.units[name], float(start[-1, i]), given if name in channels.parameters else driven)
        for i, name in enumerate(channels.controls)
    ]
    variables += [
        Variable(i, name, channels.units[name], None, answered)
        for i, name in enumerate(channels.predicted, start=len(channels.controls))
    ]
    for row, values in enumerate(start, start=1):
        about = f"given row {row} of {len(start)}; the last is the start of the simulation"
        first = len(columns) + (row - 1) * len(values)
        variables += [
            Variable(i, initial_name(row, name), channels.units[name], float(value), {**given, "description": about})
            for i, (name, value) in enumerate(zip(columns[: len(values)], values, strict=True), start=first)
            if name not in channels.parameters
        ]
    # The value reference before them is that of time.
    return variables + [
        Variable(i, name, channels.units[channels.predicted[place % len(channels.predicted)]], None, answered)
        for place, (i, name) in enumerate(enumerate(edges, start=len(columns) + start.size + 1))
    ]


def write_description(description: Description, start: np.ndarray, binary: Binary, edges: Sequence[str] = ()) -> bytes:
    """Write the file as bytes.

    Args:
        description: of the surrogate.
        start: (in_len, G) start values of the given rows.
        binary: that it describes.
        edges: names of the outputs of a band.
    """
    version = binary.version
    root = ElementTree.Element(
        "fmiModelDescription",
        {"fmiVersion": f"{version:.1f}", "modelName": binary.name, _spelled(version, "token"): binary.token},
        generationTool="surrogate-modeling",
        variableNamingConvention="flat",
        description=f"Surrogate model ({description.model.name}) on a step of {description.step:g} s",
    )
    _add_interface(root, binary, description.step)
    units = sorted({unit for unit in description.channels.units.values() if unit not in NO_UNIT})
    if units:
        definitions = ElementTree.SubElement(root, "UnitDefinitions")
        for unit in units:
            ElementTree.SubElement(definitions, "Unit", name=unit)
    ElementTree.SubElement(root, "DefaultExperiment", startTime="0", stepSize=repr(description.step))
    variables = list_variables(description, start, edges)
    parent = ElementTree.SubElement(root, "ModelVariables")
    if version < 3:
        _add_variables_2(parent, variables)
    else:
        _add_variables_3(parent, variables, len(description.channels.units) + start.size)
    # FMI 2.0 counts the variables from 1.
    outputs = [
        place if version < 3 else variable.reference
        for place, variable in enumerate(variables, start=1)
        if variable.attributes["causality"] == "output"
    ]
    _add_structure(root, outputs, version)
    return _as_bytes(root)


def write_build_description(name: str, source: str) -> bytes:
    """Write ``sources/buildDescription.xml`` of FMI 3.0: how to compile the sources on another platform."""
    root = ElementTree.Element("fmiBuildDescription", fmiVersion="3.0")
    configuration = ElementTree.SubElement(root, "BuildConfiguration", modelIdentifier=name)
    files = ElementTree.SubElement(configuration, "SourceFileSet", language="C99")
    ElementTree.SubElement(files, "SourceFile", name=source)
    return _as_bytes(root)


def _spelled(version: float, word: str) -> str:
    """Spelling of an attribute name that differs between the FMI versions."""
    spellings = {
        "token": ("guid", "instantiationToken"),
        "state": ("canGetAndSetFMUstate", "canGetAndSetFMUState"),
        "serialize": ("canSerializeFMUstate", "canSerializeFMUState"),
    }
    return spellings[word][version >= 3]


def _add_interface(root: ElementTree.Element, binary: Binary, step: float) -> None:
    version = binary.version
    slave = ElementTree.SubElement(
        root,
        "CoSimulation",
        {_spelled(version, "state"): "true", _spelled(version, "serialize"): "true"},
        modelIdentifier=binary.name,
        canHandleVariableCommunicationStepSize="false",
    )
    if version < 3:
        slave.set("canInterpolateInputs", "true")
        ElementTree.SubElement(ElementTree.SubElement(slave, "SourceFiles"), "File", name=binary.source)
    else:
        slave.set("fixedInternalStepSize", repr(step))


def _add_variables_2(parent: ElementTree.Element, variables: list[Variable]) -> None:
    for variable in variables:
        own = {"name": variable.name, "valueReference": str(variable.reference), **variable.attributes}
        scalar = ElementTree.SubElement(parent, "ScalarVariable", own)
        ElementTree.SubElement(scalar, "Real", _value(variable))


def _add_variables_3(parent: ElementTree.Element, variables: list[Variable], time_reference: int) -> None:
    for variable in variables:
        own = {"name": variable.name, "valueReference": str(variable.reference), **variable.attributes}
        ElementTree.SubElement(parent, "Float64", {**own, **_value(variable)})
    names = {variable.name for variable in variables}
    # FMI 3.0 demands time among the variables; a column may have that name.
    time = next(name for name in ("time", "simulation time", "time of this FMU") if name not in names)
    own = {"name": time, "valueReference": str(time_reference), "causality": "independent", "variability": "continuous"}
    ElementTree.SubElement(parent, "Float64", own)


def _value(variable: Variable) -> dict[str, str]:
    start = {} if variable.start is None else {"start": repr(variable.start)}
    return start if variable.unit in NO_UNIT else {**start, "unit": variable.unit}


def _add_structure(root: ElementTree.Element, outputs: list[int], version: float) -> None:
    """Add the model structure: outputs and initial unknowns, by place from 1 on, or by value reference."""
    structure = ElementTree.SubElement(root, "ModelStructure")
    if version < 3:
        for kind in ("Outputs", "InitialUnknowns"):
            unknowns = ElementTree.SubElement(structure, kind)
            for i in outputs:
                ElementTree.SubElement(unknowns, "Unknown", index=str(i))
        return
    for kind in ("Output", "InitialUnknown"):
        for i in outputs:
            ElementTree.SubElement(structure, kind, valueReference=str(i))


def _as_bytes(root: ElementTree.Element) -> bytes:
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
