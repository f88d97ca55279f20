"""The example finds what is known to be best."""

import importlib.util

import pytest
import torch
from exported import IN_LEN, make

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import PROJECT_ROOT
from surrogate_modeling.deployment.export_check import random_cases
from surrogate_modeling.networks import WindowNetwork

spec = importlib.util.spec_from_file_location(
    "find_controls", PROJECT_ROOT / "src" / "surrogate_modeling" / "examples" / "find_controls.py"
)
assert spec is not None
assert spec.loader is not None
find_controls = importlib.util.module_from_spec(spec)
import sys  # noqa: E402

sys.modules["find_controls"] = find_controls
spec.loader.exec_module(find_controls)


class Lag(WindowNetwork):
    """y moves by a fifth of the way to the first control, in standardised units."""

    def forward(self, past: torch.Tensor, control: torch.Tensor) -> torch.Tensor:
        move = 0.2 * (control[..., :1] - past[:, -1:, 2:3])
        return past[:, -1:, 2:] + torch.nn.functional.pad(move, (0, 2))


def test_the_lowest_control_is_best_for_a_lag() -> None:
    surrogate = make("don")
    surrogate.network = Lag(surrogate.description.sizes)
    initial, controls = (torch.from_numpy(part[0]) for part in random_cases(surrogate, 1, 60))
    found = find_controls.find_controls(
        surrogate, initial, controls, find_controls.Problem("p 1", 1e9), find_controls.Method(steps=150)
    )
    low, high = surrogate.scaling.low[:2], surrogate.scaling.high[:2]
    assert float(found.target[-1]) < found.before
    # The last level is what the last value follows: it goes to the lower end of the training range.
    assert float(found.controls[-1, 0]) < float(low[0] + 0.05 * (high[0] - low[0]))
    assert (found.controls[IN_LEN:] >= low).all()
    assert (found.controls[IN_LEN:] <= high).all()
    torch.testing.assert_close(found.controls[:IN_LEN], controls[:IN_LEN])


def test_the_bound_holds_on_the_way() -> None:
    surrogate = make("don")
    surrogate.network = Lag(surrogate.description.sizes)
    initial, controls = (torch.from_numpy(part[0]) for part in random_cases(surrogate, 1, 60))
    mean, scale = float(surrogate.scaling.mean[2]), float(surrogate.scaling.scale[2])
    initial[:, 0] = mean
    # The start drives the target far above the bound.
    controls[:, 0] = surrogate.scaling.high[0]
    bound = mean + 0.1 * scale
    assert float(surrogate.free_run(initial, controls)[:, 0].max()) > bound + scale
    found = find_controls.find_controls(surrogate, initial, controls, find_controls.Problem("p 1", bound))
    assert float(found.target.max()) < bound + 0.02 * scale


def test_fixed_controls_keep_their_schedule_and_limits_hold() -> None:
    surrogate = make("don")
    surrogate.network = Lag(surrogate.description.sizes)
    initial, controls = (torch.from_numpy(part[0]) for part in random_cases(surrogate, 1, 60))
    first, second = surrogate.description.channels.controls
    low, high = (float(part[0]) for part in (surrogate.scaling.low, surrogate.scaling.high))
    limits = (low + 0.4 * (high - low), low + 0.6 * (high - low))
    problem = find_controls.Problem("p 1", 1e9, {first: limits}, frozenset({second}))
    found = find_controls.find_controls(surrogate, initial, controls, problem, find_controls.Method(steps=100))
    torch.testing.assert_close(found.controls[:, 1], controls[:, 1])
    searched = found.controls[IN_LEN:, 0]
    assert limits[0] - 1e-4 <= float(searched.min())
    assert float(searched.max()) <= limits[1] + 1e-4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["weather=fixed"], "weather: not among the controls"),
        (["{first}=-1e9:0"], "must lie in the training range"),
        (["{first}=low"], "is expected"),
    ],
)
def test_what_cannot_be_searched_is_refused(options: list[str], message: str) -> None:
    surrogate = make("don")
    initial, controls = (torch.from_numpy(part[0]) for part in random_cases(surrogate, 1, 60))
    first = surrogate.description.channels.controls[0]

    def search() -> None:
        """As the command does."""
        problem = find_controls.parse_problem("p 1", "5", [option.format(first=first) for option in options])
        find_controls.find_controls(surrogate, initial, controls, problem)

    with pytest.raises(UserError, match=message):
        search()
