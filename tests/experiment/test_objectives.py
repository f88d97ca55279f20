"""The objectives of a search."""

import math

import pytest
from lag import lag_case, make, settings

from surrogate_modeling.evaluation.scores import score
from surrogate_modeling.experiment.assignment import OBJECTIVES, PRUNABLE
from surrogate_modeling.experiment.objectives import OBJECTIVE_FUNCTIONS, ObjectiveInputs, evaluate_objectives


def test_every_name_that_may_be_asked_for_is_computed() -> None:
    assert list(OBJECTIVE_FUNCTIONS) == list(OBJECTIVES)
    assert set(PRUNABLE) < set(OBJECTIVES)


def test_values_in_the_order_asked_for() -> None:
    surrogate, _, _ = make(settings())
    cases = [lag_case(60, 7), lag_case(60, 8)]
    inputs = ObjectiveInputs(surrogate, cases, {"val_loss": 0.25})
    found = evaluate_objectives(["parameters", "nADE", "val_loss", "val_nADE", "prediction_seconds"], inputs)
    assert list(found) == ["parameters", "nADE", "val_loss", "val_nADE", "prediction_seconds"]
    assert found["parameters"] == sum(weights.numel() for weights in surrogate.network.parameters())
    runs = [surrogate.predict([case])[0] for case in cases]
    expected = score(cases, runs, surrogate.description.channels, surrogate.predicted_scale).nade
    assert found["nADE"] == pytest.approx(expected, rel=1e-5)
    # Not measured in this training.
    assert (found["val_loss"], found["val_nADE"]) == (0.25, math.inf)
    assert found["prediction_seconds"] > 0
