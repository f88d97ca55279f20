"""Baseline regressions of small cases of their own class, for tests."""

from collections.abc import Sequence

import numpy as np
from builders import lag, plain_case

from surrogate_modeling.cases.case import Case
from surrogate_modeling.surrogate.scaling import Standardizer
from surrogate_modeling.training.baselines import Baseline, fit_linear, fit_quadratic
from surrogate_modeling.training.regression_rows import BaselineData

IN_LEN, CONTROLS = 4, 2


def linear_case(name: str, seed: int, rows: int = 300) -> Case:
    """Outputs that are sums of the controls, of their first-order lags, and of constants: the model class itself."""
    rng = np.random.default_rng(seed)
    controls = np.column_stack([np.repeat(rng.uniform(-1, 1, rows // 15 + 1), 15)[:rows] for _ in range(CONTROLS)])
    lags = {tau: np.column_stack([lag(u, tau, u[0]) for u in controls.T]) for tau in (5.0, 15.0, 50.0)}
    first = 3.0 * lags[5.0][:, 0] - 2.0 * lags[50.0][:, 1] + 7.0
    second = 1e5 * (1.0 + 0.1 * controls[:, 1] + 0.3 * lags[15.0][:, 0])
    values = np.column_stack((controls, first, second)).astype(np.float32)
    return plain_case(name, np.arange(rows, dtype=float), values, CONTROLS)


def scaled(cases: list[Case]) -> Standardizer:
    scaling = Standardizer(cases[0].values.shape[1])
    scaling.fit(case.values for case in cases)
    return scaling


def linear(training: list[Case], validation: list[Case], targets: Sequence[int] = (0, 1)) -> Baseline:
    return fit_linear(BaselineData(training, validation, targets, scaled(training), IN_LEN))


def quadratic(training: list[Case], validation: list[Case], targets: Sequence[int] = (0, 1)) -> Baseline:
    data = BaselineData(training, validation, targets, scaled(training), IN_LEN)
    return fit_quadratic(data, fit_linear(data))
