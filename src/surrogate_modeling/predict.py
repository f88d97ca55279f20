"""Predict control schedules with a trained surrogate.

    pdm run predict surrogate=<lit_model.pth, run id or models:/ URI> cases=<folder or file> output=<folder>

Heavy imports happen after the paths are checked, so that refusals answer at once.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from surrogate_modeling.cases.schedules import schedule_files
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.output_folder import held_folder, made_folder
from surrogate_modeling.common.paths import CONFIG_DIR, expanded
from surrogate_modeling.common.wording import counted, names_and_rest
from surrogate_modeling.config.commands import PredictConfig
from surrogate_modeling.config.composition import register_schemas, to_command
from surrogate_modeling.config.part import ALL, Part
from surrogate_modeling.config.refusals import refusals, run_command
from surrogate_modeling.deployment.loading import check_reference, load_surrogate

register_schemas()


@hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name="predict")
def main(composed: DictConfig) -> None:
    """Predict every schedule."""
    with refusals():
        config = to_command(composed, PredictConfig)
        check_reference(config.surrogate)
        require_output(config, HydraConfig.get().overrides.task)
        files = files_of(config)
        output = prepare_output(config)
        with held_folder(output, config.output), _emptied_if_refused(output):
            refuse_earlier(output, overwrite=config.overwrite)
            surrogate = load_surrogate(config.surrogate, config.device)
            from surrogate_modeling.deployment.prediction import predict_files

            predict_files(surrogate, files, output, config)


def files_of(config: PredictConfig) -> list[Path]:
    """The schedules of this part.

    Raises:
        UserError: there are none.
    """
    files = schedule_files(config.cases)
    own = list(Part.of(config.part).take(files))
    if not own:
        raise UserError(f"part={config.part}: of {counted(len(files), 'file')} it has none; give fewer parts")
    return own


def require_output(config: PredictConfig, given: Sequence[str]) -> None:
    """Check that a part was given its folder: the default is named by the time, which is not that of other parts.

    Raises:
        UserError: it was not.
    """
    if Part.of(config.part) != ALL and not any(key.startswith("output=") for key in given):
        raise UserError(f"part={config.part}: give output=<folder>, the same for all parts")


def prepare_output(config: PredictConfig) -> Path:
    """Make the output folder; parts have one each within it.

    Raises:
        UserError: it cannot be made, or holds a prediction of other parts.
    """
    part, whole = Part.of(config.part), expanded(config.output, "output")
    others = [
        path.name for path in whole.glob("part-*-of-*") if part == ALL or not path.name.endswith(f"-of-{part.total}")
    ]
    if part != ALL and (whole / "csv").exists():
        others.append("csv")
    if others and not config.overwrite:
        raise UserError(
            f"output={config.output}: holds {names_and_rest(sorted(others), 3)} of another prediction; give another "
            "folder or overwrite=true"
        )
    return made_folder(str(whole if part == ALL else whole / part.folder), "csv")


def refuse_earlier(output: Path, *, overwrite: bool) -> None:
    """Check that a folder holds no prediction, unless it may be overwritten.

    Raises:
        UserError: it does.
    """
    # Another command may have made and emptied the folder since this one did.
    (output / "csv").mkdir(exist_ok=True)
    if not overwrite and any((output / "csv").iterdir()):
        raise UserError(f"{output}: holds an earlier prediction; give output=<another folder>, or overwrite=true")


@contextlib.contextmanager
def _emptied_if_refused(output: Path) -> Iterator[None]:
    """Remove what a prediction that wrote no schedule leaves in its folder."""
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            (output / "csv").rmdir()
            (output / "range.csv").unlink(missing_ok=True)


def cli() -> None:
    """Entry point of ``pdm run predict``."""
    sys.exit(run_command(main))


if __name__ == "__main__":
    cli()
