"""The base of a state-space network, against closed forms written another way."""

import numpy as np
import pytest
import torch

from surrogate_modeling.config.models import Base
from surrogate_modeling.networks import Sizes
from surrogate_modeling.networks.closed_form import PENALTY, fit_base, fitted_rows, level_helps
from surrogate_modeling.networks.filters import MAX_PRODUCTS, Filters, spread_products
from surrogate_modeling.networks.ridge import Moments, ridge


def cases(count: int = 20, rows: int = 50) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """One control; column 0 starts anywhere and stays there, column 1 goes where the control says wherever it starts."""
    generator = torch.Generator().manual_seed(0)
    control = torch.randn(count * rows, 1, generator=generator).double()
    level = 3 * torch.randn(count, 2, generator=generator).double().repeat_interleave(rows, dim=0)
    outputs = torch.cat((level[:, :1] + 0.1 * control, 2 * control), dim=1)
    return control, outputs, level, torch.arange(count).repeat_interleave(rows)


def test_the_level_is_used_where_a_column_stays_near_it() -> None:
    control, outputs, level, case = cases()
    assert level_helps(control, outputs, level, case).tolist() == [True, False]
    one = torch.zeros_like(case)
    assert level_helps(control, outputs, level, one).tolist() == [True, False]


def test_the_level_has_to_help_clearly() -> None:
    """A share a of the level stays: its departure is (1 - a) / a times as large, here 0.25, 0.67 and 0.92 times."""
    control, _, level, case = cases()
    shares = torch.tensor([0.8, 0.6, 0.52]).double()
    level = level[:, :1].repeat(1, 3)
    assert level_helps(control, shares * level, level, case).tolist() == [True, True, False]


def test_each_form_of_base() -> None:
    control, outputs, level, case = cases()
    filters = Filters(Sizes(1, 2, 5, 1, 2), [4.0], spread_products(1, 1))
    ones = torch.ones_like(control)
    # Control, its average, levels and 1, their decays, and the products control x control, control x average, ...
    features = torch.cat((control, 0 * control, level, ones, 0 * level, 0 * ones, control**2, ones, ones), dim=1)
    assert features.shape[1] == filters.features
    got = {form: fit_base(form, filters, features, outputs, case) for form in Base}
    levels = torch.zeros(filters.features, 2).double()
    assert torch.equal(got[Base.none], levels)
    levels[2, 0] = 1.0
    assert torch.equal(got[Base.auto], levels)
    assert torch.equal(fit_base(Base.auto, filters, features[:, :5], outputs, case), levels)
    levels[3, 1] = 1.0
    assert torch.equal(got[Base.level], levels)
    weights, offset = ridge(Moments.of(features, outputs), PENALTY)
    torch.testing.assert_close(features @ got[Base.quadratic], features @ weights + offset, rtol=1e-9, atol=1e-9)


def test_of_many_rows_every_second_or_third_is_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    # Rows of two cases by turns; the second ends after two.
    used = torch.tensor([[True, True], [True, True], [True, False], [True, False]])
    assert fitted_rows(used).tolist() == [0, 1, 2, 3, 4, 6]
    monkeypatch.setattr("surrogate_modeling.networks.closed_form.MAX_FITTED_ROWS", 2)
    assert fitted_rows(used).tolist() == [0, 3]


def test_products_are_of_the_controls_and_their_averages() -> None:
    filters = Filters(Sizes(2, 1, 3, 1, 1), [4.0], spread_products(2, 1)).double()
    control = torch.tensor([[1.0, -2.0], [0.5, 3.0]]).double()
    past = torch.tensor([[[1.0, 0.0, 7.0]] * 3]).double()
    keep = np.exp(-1 / 4.0)
    average, expected = np.array([1.0, 0.0]), []
    for row in control.numpy():
        average = keep * average + (1 - keep) * row
        signals = np.concatenate((row, average))
        expected.append([signals[i] * signals[j] for i in range(4) for j in range(i, 4)])
    features = filters(control[:, None], filters.start(past))[0]
    np.testing.assert_allclose(features[:, 0, filters.linear :].numpy(), expected)


def test_the_number_of_products_is_bounded() -> None:
    for controls in (1, 9, 30, 41, 42, 300):
        assert spread_products(controls, 7).shape[1] <= MAX_PRODUCTS
