"""What a surrogate keeps of its training."""

from types import SimpleNamespace
from typing import Any

from lag import lag_case, make, settings

from surrogate_modeling.cases.split import CaseSplit
from surrogate_modeling.config.commands import Config
from surrogate_modeling.config.dataset import DatasetConfig
from surrogate_modeling.experiment.origin import note_origin


def test_all_files_count_though_a_fraction_of_them_trains() -> None:
    """The fingerprint, by which they are found again, is of all of them."""
    surrogate, _, _ = make(settings())
    cases = [lag_case(20, i) for i in range(4)]
    config = Config(DatasetConfig(path="x", controls=1), surrogate.description.model, settings())
    experiment: Any = SimpleNamespace(
        surrogate=surrogate, config=config, split=CaseSplit(cases[:2], cases[2:3], cases[3:]), files=12,
        tags={"dataset_fingerprint": "print"}, warm=None,
    )  # fmt: skip
    note_origin(experiment, 3.0)
    (step,) = surrogate.lineage
    assert (step.files, step.fingerprint, step.seconds) == (12, "print", 3.0)
    assert list(step.parts["training"]) == ["case0", "case1"]
