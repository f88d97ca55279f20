"""A training that begins with the weights of another surrogate: what fits is taken, the rest is named."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from lag import CHANNELS, lag_case, make, settings

from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.models import AutoConfig, DonConfig, LstmConfig, SsmConfig
from surrogate_modeling.networks.unit_latent import UnitLatent
from surrogate_modeling.surrogate.description import Member
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.surrogate.parts import TrainedPart, with_networks
from surrogate_modeling.training.warm_start import WarmStart


def fresh(channels: Channels = CHANNELS, **changes: object) -> Surrogate:
    """A surrogate with other weights than the parent, and a scaling of its own."""
    torch.manual_seed(5)
    description = replace(make(settings())[0].description, channels=channels, **changes)  # type: ignore[arg-type]
    made = Surrogate(description)
    made.scaling.fit([10 + 3 * lag_case(50, 3).values])
    return made.eval()


@pytest.fixture(scope="module")
def parent() -> Surrogate:
    return make(settings())[0].eval()


def test_alike_networks_predict_alike_afterwards(parent: Surrogate, caplog: pytest.LogCaptureFixture) -> None:
    child, warm = fresh(), WarmStart.of("p.pth", parent, parent.description.model)
    warm.take_scaling(child)
    with caplog.at_level("INFO"):
        text = warm.take_weights(child)
    count = len(child.network.state_dict())
    assert text == f"{count} of {count} tensors of don taken from p.pth"
    assert not [record for record in caplog.records if record.levelname == "WARNING"]
    cases = [lag_case(40, 9)]
    np.testing.assert_allclose(child.predict(cases)[0], parent.predict(cases)[0], rtol=1e-6)
    # The range is that of its own cases.
    assert float(child.scaling.high[0]) != float(parent.scaling.high[0])


def test_latents_go_by_the_name_of_the_unit(caplog: pytest.LogCaptureFixture) -> None:
    description = replace(make(settings())[0].description, unit_latents=2)
    torch.manual_seed(1)
    parent = Surrogate(replace(description, units=("a", "b", "c"))).eval()
    assert isinstance(parent.network, UnitLatent)
    parent.network.known[:2] = True  # of c the parent has never seen a case
    torch.nn.init.normal_(parent.network.table)
    child = fresh(units=("new", "b", "c", "a"), unit_latents=2)
    assert isinstance(child.network, UnitLatent)
    child.network.known[:] = True
    warm = WarmStart.of("p.pth", parent, description.model)
    warm.take_scaling(child)
    warm.take_weights(child)
    assert "not taken" not in caplog.text
    case = lag_case(40, 9)
    for unit in ("a", "b", "c", None):
        rows = [each.predict([replace(case, unit=unit)])[0] for each in (child, parent)]
        np.testing.assert_allclose(*rows, rtol=1e-5)
    rows = [each.predict([replace(case, unit="new")])[0] for each in (child, parent)]
    np.testing.assert_allclose(*rows, rtol=1e-5)
    # Which weights see latents, and which do not, would be lost between networks that are told units and others.
    with pytest.raises(
        UserError, match="its networks are told 2 numbers of each unit, those here 0; units in dataset.groups"
    ):
        warm.take_scaling(fresh())
    with pytest.raises(UserError, match="told 0 numbers of each unit, those here 2; dataset.unit_latents=0"):
        WarmStart.of("q.pth", fresh(), description.model).take_scaling(child)


def test_other_columns_units_and_sizes_are_named(parent: Surrogate, caplog: pytest.LogCaptureFixture) -> None:
    """x in mm where it was in m: the same weights, the mean and the standard deviation a thousand times as large."""
    parent = with_networks(parent, {"network": [parent.network]})
    units = {"u": "-", "x": "m", "y": "-"}
    parent.description = replace(parent.description, channels=replace(CHANNELS, units=units))
    channels = Channels(("u",), ("x", "w"), ("w",), {"u": "kg", "x": "mm", "w": "-"})
    model = DonConfig("don", trunk_depth=2, trunk_dim=8, branch_dim=8, width=6)
    child = fresh(channels, model=model, step=2.0)
    own = child.scaling.mean.clone()
    warm = WarmStart.of("p.pth", parent, model)
    warm.take_scaling(child)
    assert float(child.scaling.mean[1]) == pytest.approx(1000 * float(parent.scaling.mean[1]), rel=1e-5)
    assert float(child.scaling.scale[1]) == pytest.approx(1000 * float(parent.scaling.scale[1]), rel=1e-5)
    assert child.scaling.mean[[0, 2]].tolist() == own[[0, 2]].tolist()
    warm.take_weights(child)
    for said in ("'u' (- there, kg here)", "'w' (new)", "not here are 'y'", "by the place of the column: 'w' for 'y'",
                 "rows are 1 s apart there and 2 s here", "not taken: "):  # fmt: skip
        assert said in caplog.text
    different = [k for k, v in child.network.state_dict().items() if v.shape != parent.network.state_dict()[k].shape]
    assert different
    assert all(f"{name} (" in caplog.text for name in different[:8])


def test_what_the_cases_decided_about_the_structure_is_kept(parent: Surrogate) -> None:
    found = SsmConfig("ssm", oscillations=[12.5], integral_time=60.0)
    warm = WarmStart("p", parent, TrainedPart(Member("ssm", found), []))
    assert warm.structure(SsmConfig("ssm")) == found
    # Sizes, or modes that were typed, are what the user wants.
    assert warm.structure(SsmConfig("ssm", width=7)) is None
    assert warm.structure(SsmConfig("ssm", oscillations=[3.0])) is None


def test_members_take_the_networks_of_an_ensemble_in_turn(parent: Surrogate) -> None:
    other = fresh()
    pair = with_networks(parent, {"network": [parent.network, other.network]})
    warm = WarmStart.of("p", pair, parent.description.model)
    name = next(iter(parent.network.state_dict()))
    for member, source in enumerate((parent, other, parent)):
        child = fresh()
        warm.take_weights(child, member)
        torch.testing.assert_close(child.network.state_dict()[name], source.network.state_dict()[name])


def test_what_cannot_be_taken_is_refused_with_what_to_do(parent: Surrogate) -> None:
    with pytest.raises(UserError, match="no trained network of model=lstm in it; it has model=don"):
        WarmStart.of("p", parent, LstmConfig("lstm"))
    with pytest.raises(
        UserError, match="name one network, such as model=nss, or adapt the surrogate with pdm run adapt"
    ):
        WarmStart.of("p", parent, AutoConfig("auto"))
