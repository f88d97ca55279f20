"""Train the surrogate of a round on the cases that are there, as the first one was trained."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from surrogate_modeling.adaptation.old_cases import files_of, steps_since_training
from surrogate_modeling.cases.stretches import STRETCH
from surrogate_modeling.common.atomic_file import write_atomic
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.commands import Config
from surrogate_modeling.config.composition import save_config
from surrogate_modeling.config.dataset import DatasetConfig, Split
from surrogate_modeling.config.plan_keys import PlanConfig, Update
from surrogate_modeling.config.saved_config import unflattened
from surrogate_modeling.experiment.assignment import Assignment
from surrogate_modeling.experiment.dataset import load_cases
from surrogate_modeling.experiment.run import run_experiment
from surrogate_modeling.surrogate.lineage import PARTS, TRAINED
from surrogate_modeling.surrogate.model import Surrogate

# Of the recipe, where a training goes on from the weights of the round before.
EPOCHS_SHARE, LR_SHARE = 1 / 3, 0.3


@dataclass(frozen=True)
class FirstCases:
    """Cases of the first training.

    Attributes:
        files: all of them.
        validation: names of those that choose.
        test: names of those that the error is measured on, which nothing is trained on.
    """

    files: list[Path]
    validation: list[str]
    test: list[str]

    @property
    def test_files(self) -> list[Path]:
        """Files of the test cases, in their order."""
        by_name = {file.stem: file for file in self.files}
        return [by_name[name] for name in self.test]


def first_cases(surrogate: Surrogate, config: PlanConfig) -> FirstCases:
    """Find the cases of the first training where they are what they were.

    Args:
        surrogate: with its lineage.
        config: ``old`` is the folder of the last training's cases where they were moved.

    Raises:
        UserError: they are gone, are parts of records or of units, are no CSV files, have the same names, or the
            surrogate does not say; or it has no weights to go on from where that is wanted.
    """
    steps = steps_since_training(surrogate.lineage)
    if not steps or not surrogate.config:
        raise UserError("rounds: the surrogate's file does not say how and on which cases it was trained")
    if config.update is Update.further and surrogate.config.get("model.name") == "auto":
        raise UserError("update=further: model=auto starts from closed forms, each time; use update=anew")
    if surrogate.config.get("dataset.groups"):
        raise UserError(
            "rounds: the surrogate was trained with dataset.groups, and new cases have no unit; train it without "
            "groups first"
        )
    files = [file for step in steps for file in files_of(step, config.old if step.what == TRAINED else None)]
    names = [name for step in steps for part in PARTS for name in step.parts[part]]
    if any(STRETCH.search(name) for name in names):
        raise UserError(
            "rounds: the surrogate was trained on stretches of records (dataset.split=time), and new cases are whole "
            "ones; train it on whole cases first"
        )
    if other := [file.name for file in files if file.suffix.lower() != ".csv"]:
        raise UserError(
            f"rounds: {other[0]}: new cases are CSV files, and those of one training are of one format; train the "
            "surrogate on CSV files first"
        )
    if twice := {file.name for file in files if [each.name for each in files].count(file.name) > 1}:
        raise UserError(f"rounds: {sorted(twice)[0]}: a name of two training cases; rename one and train anew")
    parts = {part: [name for step in steps for name in step.parts[part]] for part in PARTS}
    if not parts["test"]:
        raise UserError("rounds: the surrogate had no test cases, on which the error is measured")
    return FirstCases(files, parts["validation"], parts["test"])


def copy_cases(cases: FirstCases, folder: Path) -> None:
    """Copy the cases of the first training to the folder of all cases; those that are there stay."""
    for file in cases.files:
        there = folder / file.name
        if not there.exists():
            write_atomic(there, file.read_bytes())


def train_round(first: Surrogate, before: Path, cases: FirstCases, config: PlanConfig, folder: Path) -> Surrogate:
    """Train on the cases in ``cases/`` beside the folder of the round; goes on with a training that was stopped.

    Args:
        first: whose recipe is taken.
        before: file of the surrogate of the round before.
        cases: of the first training.
        config: of the command.
        folder: of the run.
    """
    recipe = training_config(first, before, cases, config, folder.parents[1] / "cases")
    folder.mkdir(parents=True, exist_ok=True)
    save_config(recipe, folder)
    tags = {"mlflow.source.name": "plan.py", "plan.round": folder.parent.name}
    assignment = Assignment(
        tags=tags, name=f"plan {folder.parents[1].name} {folder.parent.name}", keeps_on_interrupt=False
    )
    surrogate = run_experiment(recipe, load_cases(recipe), folder, assignment).surrogate
    assert surrogate is not None
    return surrogate


def training_config(first: Surrogate, before: Path, cases: FirstCases, config: PlanConfig, folder: Path) -> Config:
    """Configuration of a training on the cases of a folder, which tests on the same cases as the first one."""
    saved, channels = unflattened(first.config), first.description.channels
    dataset = DatasetConfig(
        "csv",
        str(folder.absolute()),
        "*.csv",
        controls=list(channels.controls),
        targets=list(channels.targets),
        ignore=saved.dataset.ignore,
        parameters=list(channels.parameters) or None,
        split=Split.named,
        validation=0 if not cases.validation else 1,
        validation_cases=cases.validation or None,
        test_cases=cases.test,
        max_gap=saved.dataset.max_gap,
    )
    settings = replace(
        saved.settings,
        is_save_model=True,
        register_model=None,
        init_from=None,
        num_figures=0,
        device=config.device,
        progress_bar=config.progress_bar,
        workers=config.workers,
        mlflow_exp_name=config.mlflow_exp_name,
        max_minutes=config.max_minutes or saved.settings.max_minutes,
    )
    if config.update is Update.further:
        epochs = max(1, round(EPOCHS_SHARE * settings.epochs))
        settings = replace(settings, init_from=str(before), epochs=epochs, lr=LR_SHARE * settings.lr)
    return replace(saved, dataset=dataset, settings=settings, resume=None, objective=None)
