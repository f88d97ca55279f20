"""Ranges and combinations: what is refused, by the key, what was given, and what is allowed."""

from typing import Any

import pytest

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.dataset import DatasetConfig, Split
from surrogate_modeling.config.models import BtConfig, DotConfig
from surrogate_modeling.config.settings import Launcher, SettingsConfig, StartMode


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"in_len": 0}, "settings.in_len=0: must be at least 1"),
        ({"out_len": 11}, "settings.out_len=11: must be at most settings.in_len=10"),
        (
            {"in_len": 5, "start": StartMode.rest},
            "settings.in_len=5: must be 1 with settings.start=rest, which starts from one row",
        ),
        ({"out_len": 2, "start": StartMode.row}, "settings.out_len=2: must be at most settings.in_len=1"),
        ({"seed": -1}, "settings.seed=-1: must be at least 0 and at most 4294967295"),
        ({"seed": 2**32}, "settings.seed=4294967296"),
        ({"lr": 0.0}, "settings.lr=0.0: must be above 0"),
        ({"lr": float("nan")}, "settings.lr=nan"),
        ({"decimate_range": float("inf")}, "settings.decimate_range=inf"),
        ({"warmup": 1.0}, "settings.warmup=1.0: must be at least 0.0 and below 1.0"),
        ({"noise": float("nan")}, "settings.noise=nan"),
        ({"noise": float("inf")}, "settings.noise=inf: must be finite"),
        ({"weight_decay": float("inf")}, "settings.weight_decay=inf: must be finite"),
        ({"horizon": 2, "out_len": 3}, "settings.horizon=2: must be at least settings.out_len=3"),
        ({"mlflow_exp_name": "  "}, "settings.mlflow_exp_name=  : must not be empty"),
        ({"mlflow_exp_name": "x" * 257}, f"settings.mlflow_exp_name={'x' * 257}: must be at most 256 characters"),
        ({"register_model": "plant"}, "settings.register_model=plant: needs settings.is_save_model=True"),
        *(
            (
                {"register_model": name, "is_save_model": True},
                f"settings.register_model={name}: must not be empty, begin",
            )
            for name in ("plant/v1", "a:b", "", " ", "..", ".")
        ),
        ({"register_model": "x" * 257, "is_save_model": True}, "settings.register_model=xxx"),
        *(
            ({"device": name}, f"settings.device={name}: must be auto, cpu, cuda, or one GPU of several such as cuda:1")
            for name in ("gpu", "cuda:", "cuda:x", "cuda:-1", "")
        ),
        *(
            (
                {"devices": given},
                f"settings.devices={given}: must be a whole number from 1, all, or the numbers of GPUs",
            )
            for given in (0, -1, True, 1.5, "two", [], [0, 0], [-1], [0, "1"], None)
        ),
        ({"device": "cuda:1", "devices": 2}, "settings.device=cuda:1: names one device, and settings.devices=2 names"),
        ({"device": "cpu", "devices": "all"}, "settings.devices=all: must be a number of processes with settings.dev"),
        ({"device": "cpu", "devices": [0, 1]}, "settings.devices=[0, 1]: must be a number of processes"),
        ({"devices": 2, "launched_by": Launcher.srun}, "settings.devices=2: must be 1: srun says how many"),
        ({"device": "cuda:0", "launched_by": Launcher.torchrun}, "settings.device=cuda:0: must be auto, cuda or cpu"),
    ],
)
def test_settings(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as caught:
        SettingsConfig(**options)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"controls": 0}, "dataset.controls=0: must be at least 1"),
        ({"controls": []}, "dataset.controls=[]: must be at least 1"),
        ({"controls": True}, "dataset.controls=True: must be the number"),
        ({"controls": 1.5}, "dataset.controls=1.5: must be the number"),
        ({"controls": None}, "dataset.controls=None: must be the number"),
        ({"controls": {"a": 1}}, "dataset.controls={'a': 1}: must be the number"),
        ({"targets": []}, "dataset.targets=[]: must name at least one column; null for all"),
        ({"test": 0}, "dataset.test=0: must be a number of cases"),
        ({"test": 1.0}, "dataset.test=1.0: must be a number of cases"),
        ({"test": -0.1}, "dataset.test=-0.1: must be at least 0"),
        ({"test": float("nan")}, "dataset.test=nan"),
        ({"max_gap": 0.5}, "dataset.max_gap=0.5: must be at least 1.0"),
        ({"split": Split.named}, "dataset.split=named: needs dataset.validation_cases"),
        ({"split": Split.named, "test_cases": ["a"]}, "dataset.split=named: needs"),
        ({"test_cases": ["a"]}, "dataset.split=random: must be named"),
    ],
)
def test_dataset(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as caught:
        DatasetConfig(**{"path": "x", "controls": 2, **options})
    assert str(caught.value).startswith(said)


def test_limits_themselves_are_allowed() -> None:
    least = SettingsConfig(in_len=1, out_len=1, seed=2**32 - 1, warmup=0.0, horizon=1, num_figures=0)
    assert least.loss_rows == 1
    DatasetConfig(path="x", controls=["a"], validation=1, test=0.5, max_gap=1.0)
    DatasetConfig(path="x", controls=1, max_gap=None)


def test_a_start_without_a_history_has_one_past_row() -> None:
    for start, rows in ((StartMode.rows, 10), (StartMode.row, 1), (StartMode.rest, 1)):
        assert SettingsConfig(start=start).in_len == rows
    assert SettingsConfig(start=StartMode.rest, in_len=1).in_len == 1


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(UserError, match="^model.heads=3: must divide model.trunk_dim=256$"):
        DotConfig("dot", heads=3)
    with pytest.raises(UserError, match="^model.heads=5: must divide model.dim=256$"):
        BtConfig("bt", heads=5)
    DotConfig("dot", heads=3, trunk_dim=9)


@pytest.mark.parametrize(
    ("options", "several"),
    [
        ({}, False), ({"devices": 1}, False), ({"devices": [3]}, False), ({"devices": 2}, True),
        ({"devices": "all"}, True), ({"devices": [0, 2]}, True), ({"launched_by": Launcher.torchrun}, True),
    ],
)  # fmt: skip
def test_several_devices(options: dict[str, Any], several: bool) -> None:
    assert SettingsConfig(**options).on_several_devices is several
