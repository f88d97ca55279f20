"""Configuration group ``settings``: windows, training, device and output of a run, checked before any data is read.

The YAML under ``hydra/`` is merged into these classes (``composition.py``), so that a key that does not exist or a
value of the wrong type is refused while composing; ranges are checked when the dataclass is made. Everything below
the commands sees these plain dataclasses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from surrogate_modeling.config.schema import Checked, Choice, matching, ranged


class Criterion(Choice):
    """Loss on standardised outputs."""

    mse = "mse"
    l1 = "l1"
    smoothl1 = "smoothl1"


class Launcher(Choice):
    """What started several processes that train one network together; ``none``: variables of a cluster are ignored."""

    none = "none"
    torchrun = "torchrun"
    srun = "srun"


def device_key() -> Any:
    """A field for the device of a computation; ``auto`` takes a CUDA GPU if there is one."""
    return matching("auto", r"auto|cpu|cuda(:\d+)?", "must be auto, cpu, cuda, or one GPU of several such as cuda:1")


class Decimation(Choice):
    """How a row on the time grid is computed: the value at its time, or the mean over the step around it."""

    point = "point"
    mean = "mean"


class Precision(Choice):
    """Arithmetic of matrix products; the weights stay float32. ``auto``: tf32 on a CUDA GPU, fp32 elsewhere."""

    auto = "auto"
    fp32 = "fp32"
    tf32 = "tf32"
    bf16 = "bf16"


class Compile(Choice):
    """How the operations of a training step are run.

    ``none``: one by one. ``graph``: captured once as a CUDA graph, and launched as a whole. ``full``: compiled with
    ``torch.compile``, and on a CUDA GPU then captured as well. ``auto``: ``graph`` on a CUDA GPU, ``none`` elsewhere.
    """

    auto = "auto"
    none = "none"
    graph = "graph"
    full = "full"


class Monitor(Choice):
    """Metric that early stopping and the best checkpoint use."""

    val_loss = "val_loss"
    val_nADE = "val_nADE"


class Output(Choice):
    """What the network predicts: the value, or its increment from the last past row."""

    absolute = "absolute"
    increment = "increment"


class StartMode(Choice):
    """Rows of the predicted columns that a free run is given: the first ``in_len``, one, or none."""

    rows = "rows"
    row = "row"
    rest = "rest"


class Feedback(Choice):
    """Which predicted columns the past window holds beside the controls."""

    all = "all"
    targets = "targets"


class Language(Choice):
    """Language of pages for people: English or Japanese."""

    en = "en"
    ja = "ja"


class FigureFormat(Choice):
    """File format of the figures of trajectories; svg and pdf are drawings that a paper can scale."""

    png = "png"
    svg = "svg"
    pdf = "pdf"


DEFAULT_IN_LEN = 10
# Limit of MLflow's databases for the name of an experiment or a registered model.
MAX_NAME_CHARACTERS = 256


class LrSchedule(Choice):
    """Learning-rate schedule after the warm-up."""

    constant = "constant"
    cosine = "cosine"


@dataclass
class SettingsConfig(Checked):
    """Settings of a run; lengths in rows, times in seconds."""

    is_debug: bool = False
    use_decimate: bool = True
    memory_map: bool | None = None
    decimate_range: float = 1.0
    decimate: Decimation = Decimation.point
    in_len: int = ranged(DEFAULT_IN_LEN, low=1)
    out_len: int = ranged(1, low=1)
    start: StartMode = StartMode.rows
    init_from: str | None = None
    seed: int = ranged(42, low=0, high=2**32 - 1)
    ensemble: int = ranged(1, low=1)
    epochs: int = ranged(500, low=1)
    max_minutes: float | None = None
    batch_size: int = ranged(1024, low=1)
    lr: float = 0.001
    criterion: Criterion = Criterion.mse
    is_save_model: bool = False
    register_model: str | None = None
    mlflow_exp_name: str = "pytorch_lightning_test"
    patience: int = ranged(50, low=1)
    monitor: Monitor = Monitor.val_loss
    free_run_every: int | None = ranged(None, low=1)
    horizon: int | None = ranged(None, low=1)
    horizon_growth: int = ranged(0, low=0)
    cut_gradients: bool = False
    windows_per_epoch: int | None = ranged(None, low=1)
    first_share: float = ranged(0.0, low=0.0, high=1.0)
    noise: float = ranged(0.0, low=0.0)
    output: Output = Output.absolute
    feedback: Feedback = Feedback.all
    byproduct_weight: float = ranged(1.0, low=0.0)
    lr_schedule: LrSchedule = LrSchedule.constant
    warmup: float = ranged(0.0, low=0.0, below=1.0)
    weight_decay: float = ranged(0.0, low=0.0)
    gradient_clip: float | None = None
    ema: float | None = ranged(None, low=0.0, below=1.0)
    stack: bool = False
    device: str = device_key()
    devices: Any = 1
    launched_by: Launcher = Launcher.none
    precision: Precision = Precision.auto
    compile: Compile = Compile.auto
    progress_bar: bool = True
    num_figures: int | None = ranged(None, low=0)
    figure_format: FigureFormat = FigureFormat.png
    language: Language = Language.en
    workers: int | None = ranged(None, low=1)
    system_metrics: bool = False

    def group(self) -> str:
        return "settings"

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("decimate_range", "lr", "gradient_clip", "max_minutes"):
            self.require_positive(key, "must be above 0")
        self._check_names()
        self._check_devices()
        if self.start is not StartMode.rows:
            # A value that was typed cannot be told from the default.
            if self.in_len not in (1, DEFAULT_IN_LEN):
                self.reject("in_len", f"must be 1 with settings.start={self.start}, which starts from one row")
            self.in_len = 1
        if self.out_len > self.in_len:
            self.reject(
                "out_len", f"must be at most settings.in_len={self.in_len}: each output row is read from one past row"
            )
        if self.horizon is not None and self.horizon < self.out_len:
            self.reject("horizon", f"must be at least settings.out_len={self.out_len}")
        if self.monitor is Monitor.val_nADE and self.free_run_every is None:
            self.reject(
                "monitor", "needs settings.free_run_every: the validation cases in free run every so many epochs"
            )

    @property
    def on_several_devices(self) -> bool:
        """Whether several processes train one network together, each on a device of its own."""
        given = self.devices
        several = given == "all" or (len(given) if isinstance(given, list) else given) > 1
        return several or self.launched_by is not Launcher.none

    def _check_devices(self) -> None:
        """Reject devices that are none, and two ways to name them at once."""
        given = self.devices
        numbers, least = (given, 0) if isinstance(given, list) else ([given], 1)
        whole = all(isinstance(number, int) and not isinstance(number, bool) and number >= least for number in numbers)
        if given != "all" and not (whole and numbers and len(set(numbers)) == len(numbers)):
            self.reject("devices", "must be a whole number from 1, all, or the numbers of GPUs such as [0,2]")
        if given != 1 and self.device not in ("auto", "cuda", "cpu"):
            self.reject("device", f"names one device, and settings.devices={given} names several; give one of the two")
        if self.device not in ("auto", "cuda", "cpu") and self.launched_by is not Launcher.none:
            self.reject("device", f"must be auto, cuda or cpu: each process of {self.launched_by} has a GPU of its own")
        if self.device == "cpu" and not isinstance(given, int):
            self.reject("devices", "must be a number of processes with settings.device=cpu")
        if given != 1 and self.launched_by is not Launcher.none:
            self.reject("devices", f"must be 1: {self.launched_by} says how many with settings.launched_by")

    def _check_names(self) -> None:
        """Reject names that MLflow would refuse only after the training."""
        if not self.mlflow_exp_name.strip():
            self.reject("mlflow_exp_name", "must not be empty")
        name = self.register_model
        if name is not None and not self.is_save_model:
            self.reject("register_model", "needs settings.is_save_model=True")
        if name is not None and (not name.strip() or "/" in name or ":" in name or name.startswith((".", ".."))):
            self.reject("register_model", "must not be empty, begin with '.', or hold '/' or ':'")
        for key in ("mlflow_exp_name", "register_model"):
            if len(getattr(self, key) or "") > MAX_NAME_CHARACTERS:
                self.reject(key, f"must be at most {MAX_NAME_CHARACTERS} characters")

    @property
    def loss_rows(self) -> int:
        """Predicted rows of a training window."""
        return self.horizon or self.out_len
