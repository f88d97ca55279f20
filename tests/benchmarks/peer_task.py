"""The task that all tools are given, made and scored by this project's own code."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from hydra import compose, initialize_config_dir

from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.channels import Channels
from surrogate_modeling.cases.split import CaseSplit
from surrogate_modeling.common.paths import CONFIG_DIR
from surrogate_modeling.config.composition import register_schemas, to_config
from surrogate_modeling.evaluation.scores import Scores, score
from surrogate_modeling.experiment.dataset import load_cases
from surrogate_modeling.experiment.split_and_folds import split_of
from surrogate_modeling.surrogate.scaling import Standardizer

PARTS = ("training", "validation", "test")


@dataclass(frozen=True)
class PeerTask:
    """The cases of one set as one run of ours reads and splits them, with the targets as their only outputs.

    Attributes:
        name: of the set.
        keys: of ``train`` that name the set.
        split: training, validation and test cases.
        given: first rows of a case that a free run starts from.
        step: between rows [s].
        mean: of controls and targets over the training cases.
        scale: their standard deviations.
        whole_test: test cases with their byproducts, whose first rows this tool is given too.
    """

    name: str
    keys: list[str]
    split: CaseSplit
    given: int
    step: float
    mean: np.ndarray
    scale: np.ndarray
    whole_test: list[Case]

    @property
    def controls(self) -> int:
        """How many."""
        return len(self.split.training[0].channels.controls)

    def cases(self, part: str) -> list[Case]:
        """Of training, validation or test."""
        return getattr(self.split, part)

    def names(self, part: str) -> list[str]:
        """Of the cases of a part, sorted."""
        return sorted(case.name for case in self.cases(part))

    def scores(self, part: str, rows: Sequence[np.ndarray]) -> Scores:
        """Errors of predicted rows (T - given, P), in the columns' units."""
        cases, controls = self.cases(part), self.controls
        for case, each in zip(cases, rows, strict=True):
            wanted = len(case.time) - self.given, len(case.channels.predicted)
            if each.shape != wanted:
                raise ValueError(f"{case.name}: predicted rows and columns are {each.shape}, not {wanted}")
        return score(cases, rows, cases[0].channels, self.scale[controls:])

    def standard_scores(self, part: str, rows: Sequence[np.ndarray]) -> Scores:
        """Errors of predicted rows that are standardised, as adapters write them."""
        mean, scale = self.mean[self.controls :], self.scale[self.controls :]
        return self.scores(part, [each.astype(np.float64) * scale + mean for each in rows])


def make_task(name: str, keys: list[str]) -> PeerTask:
    """Read and split the cases as ``train`` does with these keys."""
    register_schemas()
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        config = to_config(compose("config", ["model=nss", "settings=nss", *keys]))
    case_set = load_cases(config)
    whole = split_of(config, case_set)
    split = CaseSplit(*([only_targets(case) for case in getattr(whole, part)] for part in PARTS))
    columns = split.training[0].values.shape[1]
    scaling = Standardizer(columns)
    scaling.fit(case.values for case in split.training)
    mean, scale = (part.double().numpy() for part in (scaling.mean, scaling.scale))
    return PeerTask(name, keys, split, config.settings.in_len, case_set.step, mean, scale, whole.test)


def only_targets(case: Case) -> Case:
    """The case without byproducts: what nobody asks for is not what a peer should spend its time on."""
    channels = case.channels
    columns = [*range(len(channels.controls)), *(len(channels.controls) + i for i in channels.target_indices)]
    names = [*channels.controls, *channels.targets]
    kept = Channels(
        channels.controls, channels.targets, channels.targets, {name: channels.units[name] for name in names}
    )
    return replace(case, values=channels.physical(case.values)[:, columns].astype(np.float32), channels=kept)


def write_task(task: PeerTask, folder: Path, seconds: float, seed: int) -> None:
    """Write what an adapter reads; of the outputs of test cases the given rows only."""
    folder.mkdir(parents=True)
    arrays = {}
    for part in PARTS:
        for i, case in enumerate(task.cases(part)):
            values = ((case.values - task.mean) / task.scale).astype(np.float32)
            outputs = values[:, task.controls :]
            arrays[f"{part}{i}_controls"] = values[:, : task.controls]
            arrays[f"{part}{i}_outputs"] = outputs[: task.given] if part == "test" else outputs
    np.savez(folder / "task.npz", **arrays)
    facts = {
        "set": task.name, "given": task.given, "step": task.step, "seconds": seconds, "seed": seed,
        "cases": {part: len(task.cases(part)) for part in PARTS},
    }  # fmt: skip
    (folder / "task.json").write_text(json.dumps(facts), encoding="utf-8")


def read_snapshots(task: PeerTask, folder: Path) -> list[tuple[float, Scores, Scores]]:
    """Seconds of training of each snapshot that an adapter wrote, with its validation and test errors."""
    found = []
    for file in sorted(folder.glob("snapshot*.npz")):
        with np.load(file) as arrays:
            rows = {
                part: [arrays[f"{part}{i}"] for i in range(len(task.cases(part)))] for part in ("validation", "test")
            }
            scores = (task.standard_scores(part, each) for part, each in rows.items())
            found.append((float(arrays["seconds"]), *scores))
    return found
