"""An exported FMU, driven step by step as a simulation tool does."""

from pathlib import Path

import fmpy
import numpy as np
from exported import CHANNELS, STEP, make
from fmpy.fmi2 import FMU2Slave
from fmpy.fmi3 import FMU3Slave

from surrogate_modeling.deployment.export_check import random_cases
from surrogate_modeling.deployment.fmu.export import export_fmu


class Slave:
    """An FMU of either version, instantiated; its controls and predicted columns by name."""

    def __init__(self, path: Path, folder: Path) -> None:
        description = fmpy.read_model_description(str(path))
        self.references = {item.name: item.valueReference for item in description.modelVariables}
        kind = FMU2Slave if description.fmiVersion == "2.0" else FMU3Slave
        self.fmu = kind(
            guid=description.guid, unzipDirectory=fmpy.extract(str(path), str(folder)), instanceName="a",
            modelIdentifier=description.coSimulation.modelIdentifier,
        )  # fmt: skip
        self.fmu.instantiate()
        if kind is FMU2Slave:
            self.set, self.get = self.fmu.setReal, self.fmu.getReal
            self.write_state, self.read_state = self.fmu.serializeFMUstate, self.fmu.deSerializeFMUstate
            self.fmu.setupExperiment(startTime=10.0)
            self.fmu.enterInitializationMode()
        else:
            self.set, self.get = self.fmu.setFloat64, self.fmu.getFloat64
            self.write_state, self.read_state = self.fmu.serializeFMUState, self.fmu.deserializeFMUState
            self.fmu.enterInitializationMode(startTime=10.0)
        self.time = 10.0

    def set_controls(self, row: np.ndarray) -> None:
        self.set([self.references[name] for name in CHANNELS.controls], row.tolist())

    def outputs(self) -> np.ndarray:
        return np.array(self.get([self.references[name] for name in CHANNELS.predicted]))

    def step(self, size: float = STEP) -> np.ndarray:
        self.fmu.doStep(self.time, size)
        self.time += size
        return self.outputs()


def write_lstm(folder: Path, version: float) -> Path:
    """The FMU of a small network in a folder."""
    surrogate = make("lstm")
    export_fmu(surrogate, folder / "plant 1.fmu", [random_cases(surrogate, cases=1, rows=20)], version)
    return folder / "plant 1.fmu"
