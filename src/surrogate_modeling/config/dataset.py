"""Configuration group ``dataset``: location of the cases, roles of their columns, and the split."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.mapping import mapping_of
from surrogate_modeling.config.schema import MISSING, Checked, Choice, ranged


class Split(Choice):
    """How cases are split into training, validation and test; ``time`` cuts each record in time order."""

    random = "random"
    last = "last"
    named = "named"
    time = "time"


class Sampling(Choice):
    """How the values of varied parameters are spread over their ranges."""

    sobol = "sobol"
    latin_hypercube = "latin_hypercube"


class FmiType(Choice):
    """Interface of an FMU that is run."""

    co_simulation = "co_simulation"
    model_exchange = "model_exchange"


class Refrigerant(Choice):
    """Working fluid of the embedded simulator."""

    R134a = "R134a"
    R1234yf = "R1234yf"


@dataclass
class DatasetConfig(Checked):
    """Cases, the roles of their columns, and the split; lengths and steps in seconds."""

    name: str = "csv"
    path: str = MISSING
    pattern: str = "*.csv"
    groups: str | None = None
    unit_effects: bool = True
    unit_latents: int = ranged(3, low=0, high=32)
    controls: Any = MISSING
    targets: list[str] | None = None
    ignore: list[str] | None = None
    parameters: list[str] | None = None
    split: Split = Split.random
    validation: int | float = ranged(0.15, low=0)
    test: int | float = ranged(0.15, low=0)
    validation_cases: list[str] | None = None
    test_cases: list[str] | None = None
    training_fraction: float = ranged(1.0, low=1e-6, high=1.0)
    max_gap: float | None = ranged(5.0, low=1.0)

    def group(self) -> str:
        return "dataset"

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("validation", "test"):
            size = getattr(self, key)
            if (size == 0 and key == "test") or (isinstance(size, float) and size >= 1):
                self.reject(key, "must be a number of cases (an integer from 1) or a fraction between 0 and 1")
        if self.targets == []:
            self.reject("targets", "must name at least one column; null for all")
        if self.split is Split.named and not ((self.validation_cases or self.validation == 0) and self.test_cases):
            self.reject(
                "split",
                "needs dataset.validation_cases and dataset.test_cases, lists of case names (without the former "
                "dataset.validation=0)",
            )
        if self.split is Split.time:
            self._check_shares()
        elif self.split is not Split.named and (self.validation_cases or self.test_cases):
            self.reject("split", "must be named when dataset.validation_cases or dataset.test_cases are given")
        self.check_controls()

    def check_controls(self) -> None:
        """Check the key ``controls``.

        Raises:
            UserError: it is neither a number of columns nor a list of names.
        """
        if isinstance(self.controls, bool) or not isinstance(self.controls, int | list):
            self.reject("controls", "must be the number of leading control columns or a list of column names")
        if self.controls == [] or (isinstance(self.controls, int) and self.controls < 1):
            self.reject("controls", "must be at least 1: a surrogate is driven by its controls")

    def _check_shares(self) -> None:
        """Check the keys of ``split=time``, whose sizes are shares of each record."""
        if self.validation_cases:
            self.reject("split", "cuts the validation out of each record; dataset.validation_cases are for named")
        if self.training_fraction < 1:
            self.reject("training_fraction", "takes whole cases, and dataset.split=time cuts each; use another split")
        for key in ("validation", "test"):
            if isinstance(getattr(self, key), int) and getattr(self, key) != 0:
                self.reject(key, "with dataset.split=time, must be a fraction of each record's rows between 0 and 1")


@dataclass
class GeneratedConfig(DatasetConfig):
    """Cases that a simulator makes; missing ones are simulated. Times in seconds."""

    cases: int = ranged(100, low=3)
    duration: float = ranged(600.0, low=1e-6)
    output_step: float = ranged(0.1, low=1e-6)
    seed: int = ranged(0, low=0)
    workers: int | None = ranged(None, low=1)


@dataclass
class RefrigerantConfig(GeneratedConfig):
    """Cases of the embedded refrigerant-circuit simulator."""

    refrigerant: Refrigerant = Refrigerant.R134a
    families: dict[str, float] = field(default_factory=dict)


@dataclass
class PlannedConfig(GeneratedConfig):
    """Cases of a simulator of the user: inputs and parameters that vary, and how the program is run."""

    # Dictionaries of any names, which OmegaConf 2.3 takes from the command line in an untyped field only.
    inputs: Any = None
    parameter_ranges: Any = None
    sampling: Sampling = Sampling.sobol
    plan: str | None = None
    units: Any = None
    case_timeout: float | None = ranged(600.0, low=0.01)
    attempts: int = ranged(2, low=1)
    trust: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.inputs, self.parameter_ranges = mapping_of(self.inputs), mapping_of(self.parameter_ranges)
        self.read_dictionaries("units", of="name")
        self.units = {str(name): str(unit) for name, unit in (self.units or {}).items()}

    def check_controls(self) -> None:
        """Check the key ``controls``; None: the inputs and parameters that vary."""
        if self.controls is not None:
            super().check_controls()


@dataclass
class FmuConfig(PlannedConfig):
    """Cases of an FMU."""

    fmu: str = MISSING
    fmi_type: FmiType | None = None
    outputs: list[str] | None = None
    start: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.start = mapping_of(self.start)


@dataclass
class CommandConfig(PlannedConfig):
    """Cases of any program: command line, templates of its input files, and the file that it writes."""

    command: Any = MISSING
    template: str | None = None
    output: str = "output.csv"
    import_keys: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.read_dictionaries("import_keys", of="key")
        self.import_keys = self.import_keys or {}


# Dataset name -> class that its YAML is checked against.
DATASET_SCHEMAS: dict[str, type[DatasetConfig]] = {
    "csv": DatasetConfig,
    "refrigerant": RefrigerantConfig,
    "fmu": FmuConfig,
    "command": CommandConfig,
}


def require_simulated(dataset: DatasetConfig) -> None:
    """Check that a simulator makes the cases.

    Raises:
        UserError: they are files that are there.
    """
    if not isinstance(dataset, GeneratedConfig):
        makers = [f"dataset={name}" for name, schema in DATASET_SCHEMAS.items() if issubclass(schema, GeneratedConfig)]
        raise UserError(f"dataset={dataset.name}: nothing to simulate; use {' or '.join(makers)}")
