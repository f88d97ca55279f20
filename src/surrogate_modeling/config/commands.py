"""The configuration of each command."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.dataset import Split
from surrogate_modeling.config.part import ALL, WHOLE, Part
from surrogate_modeling.config.schema import MISSING, Checked, Choice, plain, ranged
from surrogate_modeling.config.settings import Language, device_key

if TYPE_CHECKING:
    from surrogate_modeling.config.dataset import DatasetConfig, GeneratedConfig
    from surrogate_modeling.config.models import ModelConfig
    from surrogate_modeling.config.settings import SettingsConfig
else:
    # OmegaConf 2.3 fails on the unions (int | float) of a dataclass within a typed field. It sees Any here; the
    # class of each group is checked when it is composed.
    DatasetConfig = GeneratedConfig = ModelConfig = SettingsConfig = Any


class Format(Enum):
    """File formats of an export."""

    onnx = "onnx"
    fmu = "fmu"
    html = "html"


# Versions of the FMI standard that an FMU can be written for.
FMI_VERSIONS = (2.0, 3.0)


# Keys of an export that go with one format only.
OF_ONE_FORMAT = {
    "form": Format.onnx, "fmi_version": Format.fmu, "starts": Format.html, "language": Format.html,
    "browser": Format.html, "check": Format.html,
}  # fmt: skip


class BandScope(Choice):
    """What the 90 % band holds with that probability: a row of a column, its whole trajectory, or those of all targets.

    A row is one drawn at random from a new case.
    """

    row = "row"
    trajectory = "trajectory"
    all = "all"


class Form(Enum):
    """What one call of an ONNX file predicts: the next rows, or a whole trajectory."""

    step = "step"
    trajectory = "trajectory"


@dataclass
class UseConfig(Checked):
    """Configuration of the commands that load a surrogate; its keys are at the top level, in no group."""

    surrogate: str = MISSING

    def group(self) -> str:
        return ""


@dataclass
class PredictConfig(UseConfig):
    """Configuration of ``predict``: cases, output folder, figures; ``hydra/predict.yaml`` explains each key."""

    cases: str = MISSING
    output: str = MISSING
    groups: str | None = None
    unit: str | None = None
    parameters: str | None = None
    band: BandScope | None = None
    overwrite: bool = False
    max_gap: float | None = ranged(5.0, low=1.0)
    num_figures: int | None = ranged(200, low=0)
    device: str = device_key()
    progress_bar: bool = True
    workers: int | None = ranged(None, low=1)
    part: str = WHOLE

    def __post_init__(self) -> None:
        super().__post_init__()
        Part.of(self.part)
        if self.groups is not None and self.unit is not None:
            self.reject("unit", "give groups=<a CSV> or the unit of all schedules, not both")


@dataclass
class ExportConfig(UseConfig):
    """Configuration of ``export``: format, output file, cases to compare; ``hydra/export.yaml`` explains each key."""

    format: Format = MISSING
    unit: str | None = None
    form: Form = Form.step
    band: BandScope | None = None
    fmi_version: float = FMI_VERSIONS[0]
    output: str | None = None
    overwrite: bool = False
    cases: str | None = None
    num_cases: int = ranged(3, low=1)
    max_gap: float | None = ranged(5.0, low=1.0)
    starts: int = ranged(3, low=1)
    language: Language = Language.en
    browser: str | None = None
    check: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fmi_version not in FMI_VERSIONS:
            self.reject("fmi_version", f"must be {' or '.join(map(str, FMI_VERSIONS))}")
        if self.format is Format.fmu and self.form is Form.trajectory:
            self.reject("form", "only for format=onnx; an FMU goes step by step")
        if self.format is Format.html and self.band is not None:
            self.reject("band", "only for format=onnx and format=fmu; a page shows the band of any scope")
        for key, wanted in OF_ONE_FORMAT.items():
            if self.format is not wanted and getattr(self, key) != ExportConfig.__dataclass_fields__[key].default:
                self.reject(key, f"only for format={wanted.value}")


@dataclass
class FinishConfig(Checked):
    """Configuration of ``finish``: the run whose training is to end."""

    run: str = "last"

    def group(self) -> str:
        return ""


@dataclass
class Config:
    """The whole configuration of one run."""

    dataset: DatasetConfig = MISSING
    model: ModelConfig = MISSING
    settings: SettingsConfig = MISSING
    resume: str | None = None
    # Objectives returned to a sweeper that has no hydra.sweeper.objective of its own: one name or a list of names.
    objective: Any = None

    def flat(self) -> dict[str, Any]:
        """All keys as a flat ``group.key -> value`` dictionary of plain values, for the record of a run."""
        groups = {"dataset": self.dataset, "model": self.model, "settings": self.settings}
        flat = {f"{group}.{key}": plain(value) for group, part in groups.items() for key, value in asdict(part).items()}
        return {**flat, "resume": self.resume}


@dataclass
class ReportConfig(Checked):
    """Configuration of ``report``: runs, output file, language; ``hydra/report.yaml`` explains each key."""

    run: str | None = None
    runs: list[str] | None = None
    output: str | None = None
    overwrite: bool = False
    language: Language = Language.en

    def group(self) -> str:
        return ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.run is None) == (self.runs is None):
            raise UserError("give run=<run id or folder>, or two runs to compare: runs=[a,b]")
        if self.runs is not None and len(self.runs) != 2:
            self.reject("runs", "two runs are put side by side; pdm run compare makes a table of more")


@dataclass
class GenerateConfig:
    """Configuration of ``generate``: the simulated dataset; to check the embedded simulator or list an FMU instead."""

    dataset: GeneratedConfig = MISSING
    check: bool = False
    list: bool = False
    part: str = WHOLE

    def __post_init__(self) -> None:
        if Part.of(self.part) != ALL and (self.check or self.list):
            raise UserError(f"part={self.part}: leave it out with check=true or list=true, which make no cases")


@dataclass
class LookConfig(Checked):
    """Configuration of ``look``: cases, time step, output; ``hydra/look.yaml`` explains each key."""

    dataset: DatasetConfig = MISSING
    step: float | None = None
    files: int = ranged(40, low=1)
    output: str | None = None
    workers: int | None = ranged(None, low=1)
    progress_bar: bool = True

    def group(self) -> str:
        return ""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("step")


@dataclass
class CompareConfig(Checked):
    """Configuration of ``compare``: networks, recipes and seeds; ``hydra/compare.yaml`` explains each key."""

    dataset: DatasetConfig = MISSING
    settings: SettingsConfig = MISSING
    models: list[str] = field(default_factory=list)
    recipes: list[str] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)
    pairs: list[str] = field(default_factory=list)
    fractions: list[float] = field(default_factory=lambda: [1.0])
    goal: float | None = None
    minutes: float | None = None
    output: str | None = None
    paste: str | None = None
    title: str | None = None

    def group(self) -> str:
        return ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.seeds:
            self.reject("seeds", "must not be empty")
        if not self.pairs and not (self.models and self.recipes):
            raise UserError("nothing to compare: give models=[...] and recipes=[...], or pairs=[...]")
        self._check_fractions()

    def _check_fractions(self) -> None:
        """Check the keys of a learning curve."""
        count = len(self.fractions)
        if not count or not all(0 < fraction <= 1 for fraction in self.fractions):
            self.reject("fractions", "must be fractions of the training cases, above 0 and at most 1")
        if len(set(self.fractions)) < count:
            self.reject("fractions", "given more than once")
        if count == 2:
            self.reject("fractions", "a learning curve needs three at least, such as [0.1,0.2,0.5,1]")
        if count > 1 and len(self.seeds) < 2:
            self.reject("seeds", "a learning curve needs two at least, to see how much of a difference is chance")
        self.require_positive("goal", "must be an error above 0")
        if self.goal is not None and count == 1:
            self.reject("goal", "needs a learning curve: fractions=[0.1,0.2,0.5,1]")
        if count > 1 and getattr(self.dataset, "split", None) is Split.time:
            self.reject("fractions", "are of whole cases, and dataset.split=time cuts each; use another split")
