"""What the project uses of Lightning, imported without a second of what it looks for and does not need.

Lightning imports torchmetrics, which imports SciPy's signal processing and Matplotlib where they are installed. Told
that they are not, it does without: its metrics of sound and its plots, which nothing here uses.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lightning_utilities.core import imports


@contextmanager
def _taken_as_not_installed(*packages: str) -> Iterator[None]:
    """What asks Lightning's utilities whether a package is there is told that it is not, and remembers it."""
    module: Any = imports
    is_available, is_met = module.package_available, module.RequirementCache.__bool__
    module.package_available = lambda name: name not in packages and is_available(name)
    module.RequirementCache.__bool__ = lambda cache: cache.requirement not in packages and is_met(cache)
    try:
        yield
    finally:
        module.package_available, module.RequirementCache.__bool__ = is_available, is_met


with _taken_as_not_installed("scipy", "matplotlib"):
    from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment, find_free_network_port
    from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
    from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
    from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
    from pytorch_lightning import Callback, LightningDataModule, LightningModule, Trainer, seed_everything
    from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint, Timer, WeightAveraging
    from pytorch_lightning.strategies import DDPStrategy
    from torchmetrics import Metric

__all__ = [
    "Callback",
    "ClusterEnvironment",
    "DDPStrategy",
    "EarlyStopping",
    "LightningDataModule",
    "LightningEnvironment",
    "LightningModule",
    "Metric",
    "ModelCheckpoint",
    "SLURMEnvironment",
    "Timer",
    "TorchCheckpointIO",
    "TorchElasticEnvironment",
    "Trainer",
    "WeightAveraging",
    "find_free_network_port",
    "seed_everything",
]
