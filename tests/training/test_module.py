"""The training step and the course of the learning rate against hand arithmetic."""

import numpy as np
import pytest
import torch
from lag import make, settings

from surrogate_modeling.config.settings import Criterion, LrSchedule
from surrogate_modeling.networks.base import WindowNetwork
from surrogate_modeling.networks.sizes import Sizes
from surrogate_modeling.training.module import SurrogateTraining, rate_factor


class Tripling(WindowNetwork):
    """Each row is three times the last one."""

    def __init__(self) -> None:
        super().__init__(Sizes(controls=1, predicted=2, in_len=5, out_len=1, fed_back=2))
        self.gain = torch.nn.Parameter(torch.tensor(3.0))

    def forward(self, past: torch.Tensor, control: torch.Tensor) -> torch.Tensor:
        return self.gain * past[:, -1:, control.shape[-1] :]


@pytest.mark.filterwarnings("ignore:You are trying to `self.log")
@pytest.mark.parametrize(
    ("criterion", "of"),
    [
        (Criterion.mse, lambda e: e**2),
        (Criterion.l1, np.abs),
        (Criterion.smoothl1, lambda e: np.where(np.abs(e) < 1, e**2 / 2, np.abs(e) - 0.5)),
    ],
)
def test_loss_is_the_mean_of_the_criterion_over_batch_rows_and_columns(criterion: Criterion, of: object) -> None:
    recipe = settings(criterion=criterion, out_len=2)
    surrogate, data, _ = make(recipe)
    batch = data.training.gather(torch.tensor([0, 5, 9]))
    module = SurrogateTraining(surrogate, recipe)
    loss = module.training_step(batch, 0).item()
    error = (surrogate.network.free_run(batch.past, batch.control) - batch.truth).detach().numpy().astype(np.float64)
    assert loss == pytest.approx(float(of(error).mean()), rel=1e-5)  # type: ignore[operator]


def test_rows_are_fed_back_up_to_a_bound() -> None:
    past, control = torch.tensor([[[0.0, 1.0, -0.5]]]), torch.zeros(1, 4, 1)
    rows = Tripling().free_run(past, control, bound=2.0)
    assert rows[0].tolist() == [[3.0, -1.5], [6.0, -4.5], [6.0, -6.0], [6.0, -6.0]]


@pytest.mark.filterwarnings("ignore:You are trying to `self.log")
def test_a_network_that_runs_away_has_a_finite_loss_and_gradient() -> None:
    recipe = settings(horizon=300)
    surrogate, data, _ = make(recipe)
    surrogate.network = Tripling()
    module = SurrogateTraining(surrogate, recipe)
    batch = data.training.gather(torch.tensor([0, 3]))
    assert not torch.isfinite(surrogate.network.free_run(batch.past, batch.control)).all()
    loss = module.training_step(batch, 0)
    loss.backward()
    gain = surrogate.network.gain
    assert torch.isfinite(loss)
    # Towards a smaller gain.
    assert 0 < float(gain.grad) < float("inf")  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore:You are trying to `self.log")
def test_missing_rows_and_byproducts_weigh_as_said() -> None:
    recipe = settings(horizon=20, byproduct_weight=0.25)
    surrogate, data, _ = make(recipe)
    last = len(data.training) - 1
    past, control, truth, weight = data.training.gather(torch.tensor([0, last]))
    # The last window has the half of the horizon that is left, 10 of 20 rows.
    assert weight.sum(dim=1).tolist() == [20.0, 10.0]
    error = ((surrogate.network.free_run(past, control) - truth) ** 2).detach().numpy()
    by_hand = 0.0
    for b, rows in ((0, 20), (1, 10)):
        for t in range(rows):
            # Weights 0.25 (x) and 1 (y), scaled to a mean of 1: 0.4 and 1.6.
            by_hand += (0.4 * error[b, t, 0] + 1.6 * error[b, t, 1]) / 2
    loss = SurrogateTraining(surrogate, recipe).training_step((past, control, truth, weight), 0)
    assert loss.item() == pytest.approx(by_hand / 30, rel=1e-5)


def test_learning_rate_course() -> None:
    cosine = settings(lr_schedule=LrSchedule.cosine, warmup=0.1)
    assert rate_factor(0, 100, cosine) == pytest.approx(0.1, rel=0.01)
    assert rate_factor(50, 100, cosine) == pytest.approx(0.02 + 0.98 * 0.5)
    assert rate_factor(100, 100, cosine) == pytest.approx(0.02)
    assert rate_factor(77, 100, settings()) == 1.0


def test_learning_rate_follows_the_time_where_time_ends_training() -> None:
    cosine = settings(lr_schedule=LrSchedule.cosine, warmup=0.1)
    # Half of the time is over after 10 of 100 steps: as far as after 50 steps without a limit.
    assert rate_factor(10, 100, cosine, spent=0.5) == pytest.approx(0.02 + 0.98 * 0.5)
    assert rate_factor(10, 100, cosine, spent=1.2) == pytest.approx(0.02)
    # A quarter of the warm-up by time, a fifth by steps.
    assert rate_factor(1, 100, settings(warmup=0.1), spent=0.025) == pytest.approx(0.25)
    assert rate_factor(50, 100, cosine, spent=0.1) == pytest.approx(0.02 + 0.98 * 0.5)


def test_horizon_grows_over_the_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = settings(horizon=21, horizon_growth=4)
    module = SurrogateTraining(make(recipe)[0], recipe)
    seen = []
    for epoch in range(6):
        monkeypatch.setattr(SurrogateTraining, "current_epoch", epoch)
        seen.append(module.horizon())
    assert seen == [6, 11, 16, 21, 21, 21]
