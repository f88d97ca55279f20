"""``modelDescription.xml`` of an FMU: what its variables are called, their units and start values."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np

from surrogate_modeling.surrogate import Description

NO_UNIT = {"", "-", "1"}


def write_description(description: Description, start: np.ndarray, guid: str, name: str, source: str) -> bytes:
    """The file as bytes.

    Args:
        description: of the surrogate.
        start: (in_len, F) start values of the initial rows.
        guid: also known to the binary.
        name: of the model and its binary, a C identifier.
        source: the file to compile.
    """
    channels = description.channels
    root = ElementTree.Element(
        "fmiModelDescription",
        fmiVersion="2.0",
        modelName=name,
        guid=guid,
        generationTool="surrogate-modeling",
        variableNamingConvention="flat",
        description=f"Surrogate model ({description.model.name}) on a step of {description.step:g} s",
    )
    slave = ElementTree.SubElement(
        root,
        "CoSimulation",
        modelIdentifier=name,
        canHandleVariableCommunicationStepSize="false",
        canInterpolateInputs="true",
        canGetAndSetFMUstate="true",
        canSerializeFMUstate="true",
    )
    files = ElementTree.SubElement(slave, "SourceFiles")
    ElementTree.SubElement(files, "File", name=source)
    units = sorted({unit for unit in channels.units.values() if unit not in NO_UNIT})
    if units:
        definitions = ElementTree.SubElement(root, "UnitDefinitions")
        for unit in units:
            ElementTree.SubElement(definitions, "Unit", name=unit)
    ElementTree.SubElement(root, "DefaultExperiment", startTime="0", stepSize=repr(description.step))
    _add_variables(root, description, start)
    _add_structure(root, len(channels.controls), len(channels.predicted))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)


def initial_name(row: int, column: str) -> str:
    """The parameter of one given row, counted from 1, and column."""
    return f"initial[{row}].{column}"


def _add_variables(root: ElementTree.Element, description: Description, start: np.ndarray) -> None:
    channels = description.channels
    variables = ElementTree.SubElement(root, "ModelVariables")
    columns = (*channels.controls, *channels.predicted)

    def add(name: str, column: str, value: float | None, attributes: dict[str, str]) -> None:
        reference = str(len(variables))
        own = {"name": name, "valueReference": reference, **attributes}
        scalar = ElementTree.SubElement(variables, "ScalarVariable", own)
        real = ElementTree.SubElement(scalar, "Real")
        if value is not None:
            real.set("start", repr(float(value)))
        if channels.units[column] not in NO_UNIT:
            real.set("unit", channels.units[column])

    for i, name in enumerate(channels.controls):
        add(name, name, start[-1, i], {"causality": "input", "variability": "continuous"})
    for name in channels.predicted:
        add(name, name, None, {"causality": "output", "variability": "continuous", "initial": "calculated"})
    for row, values in enumerate(start, start=1):
        for column, value in zip(columns, values, strict=True):
            about = f"given row {row} of {len(start)}; the last is the start of the simulation"
            attributes = {"causality": "parameter", "variability": "fixed", "initial": "exact", "description": about}
            add(initial_name(row, column), column, value, attributes)


def _add_structure(root: ElementTree.Element, controls: int, predicted: int) -> None:
    structure = ElementTree.SubElement(root, "ModelStructure")
    for kind in ("Outputs", "InitialUnknowns"):
        unknowns = ElementTree.SubElement(structure, kind)
        for i in range(predicted):
            ElementTree.SubElement(unknowns, "Unknown", index=str(controls + i + 1))
