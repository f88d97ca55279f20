"""Sizes of the networks: one dataclass per network, found by ``model.name``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, get_type_hints

from surrogate_modeling.config.schema import MISSING, Checked, Choice, plain, ranged


@dataclass
class ModelConfig(Checked):
    """Configuration that every network has: the name it is registered under.

    Attributes:
        closed_form: whether the network is fitted without training; such a one reads every predicted column and gives
            values, whatever ``settings.feedback`` and ``settings.output`` say of trained networks.
    """

    name: str = MISSING
    closed_form = False

    def group(self) -> str:
        return "model"

    def require_divisible(self, width_key: str) -> None:
        """Refuse a width that the attention heads do not divide evenly."""
        width, heads = (getattr(self, key) for key in (width_key, "heads"))
        if width % heads:
            self.reject("heads", f"must divide model.{width_key}={width}")


@dataclass
class DotConfig(ModelConfig):
    """DeepONet with a transformer trunk."""

    heads: int = ranged(8, low=1)
    fc_dim: int = ranged(1024, low=1)
    trunk_depth: int = ranged(2, low=1)
    trunk_dim: int = ranged(256, low=1)
    branch_depth: int = ranged(2, low=1)
    branch_dim: int = ranged(128, low=1)
    width: int = ranged(32, low=1)
    dropout: float = ranged(0.0, low=0.0, below=1.0)
    emb_dropout: float = ranged(0.5, low=0.0, below=1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_divisible("trunk_dim")


@dataclass
class DolConfig(ModelConfig):
    """DeepONet with an LSTM trunk."""

    trunk_depth: int = ranged(4, low=1)
    trunk_dim: int = ranged(64, low=1)
    branch_depth: int = ranged(2, low=1)
    branch_dim: int = ranged(128, low=1)
    width: int = ranged(64, low=1)
    dropout: float = ranged(0.1, low=0.0, below=1.0)


@dataclass
class DonConfig(ModelConfig):
    """DeepONet with a multilayer-perceptron trunk."""

    trunk_depth: int = ranged(3, low=1)
    trunk_dim: int = ranged(64, low=1)
    branch_depth: int = ranged(2, low=1)
    branch_dim: int = ranged(128, low=1)
    width: int = ranged(64, low=1)


@dataclass
class BtConfig(ModelConfig):
    """Baseline transformer over past and control tokens."""

    dim: int = ranged(256, low=1)
    depth: int = ranged(4, low=1)
    heads: int = ranged(2, low=1)
    fc_dim: int = ranged(512, low=1)
    dropout: float = ranged(0.0, low=0.0, below=1.0)
    emb_dropout: float = ranged(0.5, low=0.0, below=1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_divisible("dim")


@dataclass
class LstmConfig(ModelConfig):
    """Baseline LSTM."""

    dim: int = ranged(512, low=1)
    depth: int = ranged(2, low=1)
    dropout: float = ranged(0.1, low=0.0, below=1.0)


class Base(Choice):
    """Baseline that a state-space network's output is added to."""

    none = "none"
    level = "level"
    linear = "linear"
    quadratic = "quadratic"
    auto = "auto"


class Core(Choice):
    """The recurrence of a state-space network."""

    diagonal = "diagonal"
    gru = "gru"


class Modes(Choice):
    """Modes that a state-space network has beside leaky averages: what the training cases ask for, or none."""

    auto = "auto"
    none = "none"


@dataclass
class SsmConfig(ModelConfig):
    """State-space network; times in rows."""

    width: int = ranged(48, low=1)
    states: int = ranged(48, low=1)
    depth: int = ranged(3, low=1)
    longest_time: float = ranged(1000.0, low=1.0)
    dropout: float = ranged(0.1, low=0.0, below=1.0)
    core: Core = Core.diagonal
    base: Base = Base.auto
    encoder: bool = True
    modes: Modes = Modes.auto
    oscillations: list[float] = field(default_factory=list)
    integral_time: float | None = None
    filters: list[float] = field(default_factory=lambda: [2.0, 6.0, 20.0, 60.0, 200.0, 600.0, 2000.0])

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.filters or min(self.filters) <= 0:
            self.reject("filters", "must be time constants above 0, in rows")
        if self.oscillations and not (min(self.oscillations) >= 2 and max(self.oscillations) < float("inf")):
            self.reject("oscillations", "must be periods of at least 2 rows")
        if self.oscillations and self.core is Core.gru:
            self.reject("oscillations", "needs model.core=diagonal")
        if self.oscillations and self.states < 2:
            self.reject("states", "must be at least 2 with model.oscillations: a turning state is two numbers")
        self.require_positive("integral_time", "must be above 0, in rows")


@dataclass
class NssConfig(ModelConfig):
    """Nonlinear state space that starts at the best linear model."""

    states: int = ranged(12, low=1)
    width: int = ranged(32, low=1)
    stable: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.stable and self.states % 2:
            self.reject("states", "must be even with model.stable=True")


@dataclass
class PersistenceConfig(ModelConfig):
    """The last given row, held."""

    name: str = "persistence"
    closed_form = True


@dataclass
class RegressionConfig(ModelConfig):
    """Ridge regression on filtered controls; ``products`` of two signals are among its features."""

    name: str = "regression"
    products: int = ranged(0, low=0)
    closed_form = True


class Candidate(Choice):
    """Members of a portfolio that need no recipe of their own."""

    persistence = "persistence"
    linear = "linear"
    quadratic = "quadratic"
    lss = "lss"
    trees = "trees"


@dataclass
class AutoConfig(ModelConfig):
    """Portfolio: several models, weighted column by column by what cases left out say.

    Attributes:
        members: names in :class:`Candidate`, or of networks, which are trained.
        folds: parts of the cases that are left out in turn.
        recipes: settings of a network that differ from those of the run.
        larger: sizes of a second network of a kind, named ``<kind>-large``; the better of the two goes on.
    """

    members: list[str] = field(default_factory=lambda: [*(choice.value for choice in Candidate), "nss", "ssm"])
    folds: int = ranged(5, low=2)
    recipes: dict[str, dict[str, Any]] = field(default_factory=dict)
    larger: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        known = [choice.value for choice in Candidate] + [name for name in MODEL_SCHEMAS if name not in UNTRAINED]
        if unknown := [name for name in self.members if name not in known]:
            self.reject("members", f"{', '.join(unknown)}: no such member; known: {', '.join(known)}")
        if not self.members or len(set(self.members)) < len(self.members):
            self.reject("members", "must name at least one member, and none twice")


@dataclass
class TreesConfig(ModelConfig):
    """Boosted trees on filtered controls: at most so many of each predicted column, all of one depth."""

    name: str = "trees"
    trees: int = ranged(60, low=1)
    depth: int = ranged(5, low=1)
    closed_form = True


MODEL_SCHEMAS: dict[str, type[ModelConfig]] = {
    "dot": DotConfig,
    "dol": DolConfig,
    "don": DonConfig,
    "bt": BtConfig,
    "lstm": LstmConfig,
    "ssm": SsmConfig,
    "nss": NssConfig,
    "auto": AutoConfig,
    "persistence": PersistenceConfig,
    "regression": RegressionConfig,
    "trees": TreesConfig,
}
# Networks that no training can be asked for by name; they are members of a portfolio.
UNTRAINED = ("auto", "persistence", "regression", "trees")


def model_to_dict(config: ModelConfig) -> dict[str, Any]:
    """Convert to plain values, which can be stored in a file that runs no code."""
    return {key: plain(value) for key, value in asdict(config).items()}


def model_from_dict(values: dict[str, Any]) -> ModelConfig:
    """Restore the configuration from :func:`model_to_dict`; ``name`` selects the dataclass."""
    schema = MODEL_SCHEMAS[values["name"]]
    types = get_type_hints(schema)
    return schema(**{key: types[key](value) if _is_choice(types[key]) else value for key, value in values.items()})


def _is_choice(kind: Any) -> bool:
    """Whether a field's type is one of our enumerations."""
    return isinstance(kind, type) and issubclass(kind, Choice)
