"""Small surrogates of every kind, for the tests of exports."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import torch

from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.config.models import (
    Base,
    BtConfig,
    Core,
    DolConfig,
    DonConfig,
    DotConfig,
    LstmConfig,
    ModelConfig,
    NssConfig,
    PersistenceConfig,
    RegressionConfig,
    SsmConfig,
    TreesConfig,
)
from surrogate_modeling.config.settings import Feedback, Output, StartMode
from surrogate_modeling.deployment.stepping import Start, Step
from surrogate_modeling.networks.ensemble import EnsembleNetwork
from surrogate_modeling.networks.filters import TIME_CONSTANTS
from surrogate_modeling.networks.persistence import Persistence
from surrogate_modeling.networks.regression import FilterRegression
from surrogate_modeling.networks.trees import Tree, TreeRegression
from surrogate_modeling.networks.unit_latent import UnitLatent
from surrogate_modeling.surrogate.description import Description, Member, make_network
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.surrogate.units import UnitEffects

CHANNELS = Channels(
    ("u", "v/2"),
    ("p 1", "T/out", "圧力.a"),
    ("p 1",),
    {"u": "-", "v/2": "K", "p 1": "bar", "T/out": "degC", "圧力.a": "kPa"},
)
MEAN, SPREAD = [0, 300, 10, -5, 1e3], [1, 20, 3, 0.5, 50]
SMALL: dict[str, ModelConfig] = {
    "dot": DotConfig("dot", heads=2, fc_dim=16, trunk_dim=8, branch_dim=8, width=4),
    "dol": DolConfig("dol", trunk_depth=2, trunk_dim=8, branch_dim=8, width=4),
    "don": DonConfig("don", trunk_dim=8, branch_dim=8, width=4),
    "bt": BtConfig("bt", dim=8, depth=2, fc_dim=16),
    "lstm": LstmConfig("lstm", dim=8),
    "ssm": SsmConfig("ssm", width=8, states=4, depth=2),
    "nss": NssConfig("nss", states=5, width=6),
    "nss-stable": NssConfig("nss", states=4, width=6, stable=True),
    "ssm-blind": SsmConfig("ssm", width=8, states=4, depth=1, base=Base.level, encoder=False),
    "ssm-modes": SsmConfig("ssm", width=8, states=5, depth=2, oscillations=[8.0, 20.0], integral_time=50.0),
    "ssm-gru": SsmConfig("ssm", width=8, states=4, depth=1, core=Core.gru, base=Base.quadratic, filters=[3.0, 30.0]),
    "trees": TreesConfig("trees", trees=6, depth=4),
}
# Of a window network and of one with a state; and of several models, one of which is the mean of two networks.
STACKED = ("don-stacked", "ssm-stacked", "portfolio")
IN_LEN, STEP = 4, 0.5


def make(
    name: str, out_len: int = 1, increment: bool = False, level: float = 0.0, start: StartMode = StartMode.rows
) -> Surrogate:
    """With random weights; ``increment`` also feeds back the targets only; ``<name>-stacked`` is half a regression.

    With ``level`` the second control and the first predicted column stand on a level, that is held apart; ``start``
    other than rows gives one row, and regresses it with random weights where it is ``rest``.
    """
    if name == "portfolio":
        return make_portfolio(out_len, increment)
    torch.manual_seed(1)
    name, stacked = name.removesuffix("-stacked"), name.endswith("-stacked")
    recipe = (Output.increment, Feedback.targets) if increment else (Output.absolute, Feedback.all)
    channels = replace(CHANNELS, offsets=(0.0, level, level, 0.0, 0.0)) if level else CHANNELS
    in_len = IN_LEN if start is StartMode.rows else 1
    description = Description(SMALL[name], channels, in_len, out_len, STEP, *recipe, start=start)
    surrogate = Surrogate(description).eval()
    surrogate.scaling.fit([np.random.default_rng(0).normal(MEAN, SPREAD, (50, 5)).astype(np.float32)])
    for weight in surrogate.network.parameters():
        # What a network adds to its start in closed form begins at zero.
        if weight.ndim > 1 and not weight.any():
            torch.nn.init.normal_(weight, std=0.2)
    if isinstance(surrogate.network, TreeRegression):
        grow(surrogate.network)
    if surrogate.first_row is not None:
        surrogate.first_row.weight.normal_(std=0.3)
        surrogate.first_row.offset.normal_(std=0.3)
    if stacked:
        regression = FilterRegression(surrogate.description.sizes, TIME_CONSTANTS, products=2)
        regression.weight.normal_(std=0.1)
        regression.filters.right += 1
        mix_with_regression(surrogate, regression, np.array([0.3, 1.0, 0.0]))
    return surrogate


def make_portfolio(out_len: int = 1, increment: bool = False) -> Surrogate:
    """Persistence, trees, two networks of one kind and a window network, each with a part in every column."""
    made = {name: make(name, out_len, increment) for name in ("trees", "nss", "don")}
    sizes = made["nss"].description.sizes
    members = [
        (Member("persistence", PersistenceConfig()), Persistence(PersistenceConfig(), sizes.with_all_fed_back())),
        (Member("trees", SMALL["trees"]), made["trees"].network),
        (Member("nss", SMALL["nss"], 2), EnsembleNetwork([made["nss"].network, deepcopy(made["nss"].network)])),
        (Member("don", SMALL["don"]), made["don"].network),
    ]
    with torch.no_grad():
        for weight in members[2][1].members[1].parameters():  # type: ignore[union-attr,index]
            weight.mul_(1.1)
    surrogate = made["nss"]
    surrogate.mix(members, np.array([[0.1, 0.2, 0.3], [0.2, 0.3, 0.1], [0.4, 0.3, 0.5], [0.3, 0.2, 0.1]]))
    return surrogate


def mix_with_regression(surrogate: Surrogate, regression: FilterRegression, share: np.ndarray) -> None:
    """Mix the network, by its share of each predicted column, and a regression."""
    description = surrogate.description
    network = Member("network", description.model, description.members)
    other = Member("regression", RegressionConfig(products=regression.products))
    surrogate.mix([(network, surrogate.network), (other, regression)], np.stack((share, 1.0 - share)))


def with_units(surrogate: Surrogate) -> Surrogate:
    """A surrogate of the same kind, which knows two units: by latents, and by offsets and gains."""
    names = ("old", "new")
    surrogate.description = replace(surrogate.description, units=names, unit_latents=2)
    torch.manual_seed(2)
    surrogate.network = network = make_network(surrogate.description).eval()
    assert isinstance(network, UnitLatent)
    network.known[:] = True
    for weight in network.parameters():
        if weight.ndim > 1 and not weight.any():
            torch.nn.init.normal_(weight, std=0.2)
    offset, gain = np.array([[0.0, 1.0, -1.0], [0.5, -2.0, 0.0]]), np.array([[0.2, 0.0, 0.0], [-0.3, 0.5, 0.1]])
    surrogate.units = UnitEffects(names, offset, gain)
    return surrogate


def row_by_row(surrogate: Surrogate, initial: torch.Tensor, controls: torch.Tensor) -> torch.Tensor:
    """What ONNX and the FMU run: a state set by the first rows and moved by the controls of each step, (B, H, P)."""
    in_len, count = surrogate.description.in_len, surrogate.network.rows_per_step
    with torch.no_grad():
        past = controls[:, :in_len]
        state = Start(surrogate)(torch.cat((past, initial), dim=-1) if surrogate.description.given_rows else past)
        step, rows = Step(surrogate), []
        for t in range(in_len, controls.shape[1], count):
            state, row = step(state, controls[:, t] if count == 1 else controls[:, t : t + count])
            rows.append(row.reshape(len(row), count, -1))
    return torch.cat(rows, dim=1)


def grow(network: TreeRegression) -> None:
    """Give a network random trees; the middle column departs from its level."""
    rng = np.random.default_rng(0)
    inner = 2**network.depth - 1
    for column in range(network.sizes.predicted):
        for number in range(network.trees):
            feature = rng.integers(network.filters.linear, size=inner).astype(np.int32)
            threshold, value = rng.normal(scale=0.5, size=inner), rng.normal(size=inner + 1)
            network.set_tree(column, number, Tree(feature, threshold.astype(np.float32), value.astype(np.float32)))
    network.offset.copy_(torch.linspace(-1.0, 1.0, network.sizes.predicted))
    network.departs[network.sizes.predicted // 2] = 1.0
