"""Which devices are chosen, on machines that are made up."""

import pytest
import torch

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.settings import SettingsConfig
from surrogate_modeling.surrogate.device import choose_device, choose_devices, pick_device


@pytest.fixture
def four_gpus(monkeypatch: pytest.MonkeyPatch) -> list[torch.device]:
    """A machine with four GPUs; gives those that were made the current one, in order."""
    made: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "set_device", made.append)
    return made


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.parametrize(
    ("device", "devices", "chosen"),
    [
        ("auto", 1, ["cuda"]), ("cpu", 1, ["cpu"]), ("cuda:3", 1, ["cuda:3"]), ("auto", [2], ["cuda:2"]),
        ("auto", 2, ["cuda:0", "cuda:1"]), ("cuda", "all", ["cuda:0", "cuda:1", "cuda:2", "cuda:3"]),
        ("auto", [3, 1], ["cuda:3", "cuda:1"]), ("cpu", 3, ["cpu"] * 3),
    ],
)  # fmt: skip
def test_devices_of_a_machine_with_gpus(
    four_gpus: list[torch.device], device: str, devices: object, chosen: list[str]
) -> None:
    settings = SettingsConfig(device=device, devices=devices)
    assert choose_devices(settings) == [torch.device(name) for name in chosen]
    assert choose_device(settings) == torch.device(chosen[0])
    # The first is the current one: that is where this process computes.
    assert (four_gpus[-1] if four_gpus else None) == (torch.device(chosen[0]) if ":" in chosen[0] else None)


@pytest.mark.parametrize(
    ("device", "devices", "said"),
    [
        ("cuda:4", 1, r"settings.device=cuda:4: torch sees 4 CUDA GPUs here, numbered from 0"),
        ("auto", 5, r"settings.devices=5: torch sees 4 CUDA GPUs"),
        ("auto", [0, 9], r"settings.devices=\[0, 9\]: torch sees 4 CUDA GPUs"),
    ],
)
def test_gpus_that_there_are_not(four_gpus: list[torch.device], device: str, devices: object, said: str) -> None:
    with pytest.raises(UserError, match=said):
        choose_devices(SettingsConfig(device=device, devices=devices))


def test_devices_of_a_machine_without_a_gpu(no_gpu: None) -> None:
    assert pick_device("auto", "device") == torch.device("cpu")
    assert choose_devices(SettingsConfig(device="cpu", devices=2)) == [torch.device("cpu")] * 2
    with pytest.raises(UserError, match=r"device=cuda:1: torch sees no CUDA GPU here; use auto or cpu"):
        pick_device("cuda:1", "device")
    with pytest.raises(UserError, match=r"settings.devices=2: torch sees no CUDA GPU here; with settings.device=cpu"):
        choose_devices(SettingsConfig(devices=2))
