"""Read the model description of an FMU: what it is, and its scalar variables with units, start values and ranges."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from surrogate_modeling.common.errors import UserError, first_line

if TYPE_CHECKING:
    from fmpy.model_description import ModelDescription, ModelVariable

CO_SIMULATION, MODEL_EXCHANGE = "co_simulation", "model_exchange"
REAL_TYPES = ("Real", "Float32", "Float64")
NUMBER_TYPES = (
    *REAL_TYPES, "Integer", "Int8", "UInt8", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64", "Boolean",
    "Enumeration",
)  # fmt: skip


@dataclass(frozen=True)
class FmuVariable:
    """A scalar number of an FMU; ``start``, ``low`` and ``high`` are None where the description says none.

    ``is_whole`` says that it takes whole numbers, ``is_settable`` that it can be set before the start.
    """

    name: str
    causality: str
    unit: str
    start: float | None
    low: float | None
    high: float | None
    is_whole: bool
    is_settable: bool
    description: str


@dataclass(frozen=True)
class FmuModel:
    """An FMU by its description.

    Attributes:
        path: of the file.
        digest: of its content.
        name: of the model.
        version: of FMI.
        kinds: interfaces that it offers, co-simulation first.
        tool: that wrote it; empty where it does not say.
        step: that it asks for [s].
        variables: scalar numbers, in the order of the description.
        left_out: names of arrays and texts.
        is_single: it can be instantiated only once in a process.
    """

    path: Path
    digest: str
    name: str
    version: str
    kinds: tuple[str, ...]
    tool: str
    step: float | None
    variables: tuple[FmuVariable, ...]
    left_out: tuple[str, ...]
    is_single: bool

    def of(self, *causalities: str) -> dict[str, FmuVariable]:
        """Variables of these causalities by name, in the order of the description."""
        return {item.name: item for item in self.variables if item.causality in causalities}

    def __str__(self) -> str:
        kinds = " and ".join(kind.replace("_", "-") for kind in self.kinds)
        return (
            f"{self.path} (model {self.name} of {self.tool or 'an unknown tool'}, FMI {self.version}, {kinds}, "
            f"sha256 {self.digest[:16]})"
        )


def read_fmu(path: Path) -> FmuModel:
    """Read and check an FMU; nothing of it is run.

    Raises:
        UserError: FMPy is missing, the file is no FMU, or its version, kind or platform cannot be run here.
    """
    try:
        import fmpy
    except ImportError:
        raise UserError("dataset=fmu: FMPy is not installed; install the exports: pdm sync -G export") from None
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        description = fmpy.read_model_description(str(path), validate=False)
        platforms = fmpy.supported_platforms(str(path))
    except OSError as error:
        raise UserError(f"dataset.fmu={path}: {error.strerror}") from None
    except zipfile.BadZipFile:
        raise UserError(f"dataset.fmu={path}: no FMU, which is a zip file; is it cut short?") from None
    except Exception as error:  # whatever a parser of XML raises
        raise UserError(f"dataset.fmu={path}: modelDescription.xml cannot be read: {first_line(error)}") from None
    if not description.fmiVersion.startswith(("2.", "3.")):
        raise UserError(f"dataset.fmu={path}: FMI {description.fmiVersion}; FMI 2.0 and 3.0 can be run")
    offered = ((CO_SIMULATION, description.coSimulation), (MODEL_EXCHANGE, description.modelExchange))
    kinds = tuple(kind for kind, interface in offered if interface is not None)
    if not kinds:
        raise UserError(f"dataset.fmu={path}: neither co-simulation nor model exchange")
    if not {fmpy.platform, fmpy.platform_tuple} & set(platforms):
        raise UserError(
            f"dataset.fmu={path}: holds no binary for {fmpy.platform}, only for {', '.join(platforms) or 'nothing'}"
        )
    scalars = [item for item in description.modelVariables if item.type in NUMBER_TYPES and not item.dimensions]
    left_out = tuple(item.name for item in description.modelVariables if item not in scalars)
    variables = tuple(_variable(item) for item in scalars)
    return FmuModel(
        path, digest, description.modelName, description.fmiVersion, kinds, description.generationTool or "",
        _step(description), variables, left_out,
        any(interface.canBeInstantiatedOnlyOncePerProcess for _, interface in offered if interface is not None),
    )  # fmt: skip


def _variable(item: ModelVariable) -> FmuVariable:
    from fmpy.simulation import settable_in_initialization_mode, settable_in_instantiated

    kind = item.declaredType
    unit = item.unit or (kind.unit if kind is not None else None) or "-"
    low, high = (
        _number(getattr(item, key)) if getattr(item, key) is not None else _number(getattr(kind, key, None))
        for key in ("min", "max")
    )
    if item.type == "Boolean":
        low, high = 0.0, 1.0
    settable = settable_in_instantiated(item) or settable_in_initialization_mode(item)
    about = " ".join((item.description or "").split())
    return FmuVariable(
        item.name, item.causality or "local", unit, _number(item.start), low, high,
        item.type not in REAL_TYPES, settable, about,
    )  # fmt: skip


def _step(description: ModelDescription) -> float | None:
    """The step that the FMU asks for [s]."""
    slave, experiment = description.coSimulation, description.defaultExperiment
    fixed = _number(slave.fixedInternalStepSize) if slave is not None else None
    return fixed if fixed is not None else _number(experiment.stepSize) if experiment is not None else None


def _number(text: object) -> float | None:
    words = {"true": 1.0, "false": 0.0}
    if text is None or str(text) == "":
        return None
    try:
        return words[str(text).lower()] if str(text).lower() in words else float(str(text))
    except ValueError:
        return None
