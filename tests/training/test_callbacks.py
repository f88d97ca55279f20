"""Average of the weights, by hand."""

import copy
import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from surrogate_modeling.training.callbacks import AveragedWeights


def test_average_of_weights_starts_fast_and_leaves_constants_alone() -> None:
    module: Any = nn.Linear(1, 1)
    module.register_buffer("scale", torch.tensor([math.inf, 2.0]))
    averaged, mean = AveragedWeights(0.99), AveragedModel(copy.deepcopy(module))
    averaged._average_model = mean
    weights = []
    for value in (4.0, 7.0, 1.0):
        with torch.no_grad():
            module.weight.fill_(value)
            module.bias.fill_(-value)
        averaged.update(module)
        weights.append(mean.module.weight.item())
        assert mean.module.bias.item() == pytest.approx(-weights[-1])
    # The decay after n steps is (1 + n) / (10 + n), and 0 before the first: 4, 4 * 2/11 + 7 * 9/11, ...
    second = 4 * 2 / 11 + 7 * 9 / 11
    assert weights == pytest.approx([4.0, second, second * 3 / 12 + 1 * 9 / 12])
    assert mean.module.scale.tolist() == [math.inf, 2.0]
