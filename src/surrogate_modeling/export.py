"""Export a trained surrogate as ONNX, as an FMU, or as a page that runs it.

    pdm run export format=onnx surrogate=<lit_model.pth, run id or models:/ URI> output=<file>
    pdm run export format=fmu surrogate=...
    pdm run export format=html surrogate=... cases=<folder>

An export is compared with the surrogate over whole free runs before it is kept; the largest difference is printed.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import hydra
from omegaconf import DictConfig

from surrogate_modeling.cases.schedules import Schedule, schedule_files
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.output_folder import held
from surrogate_modeling.common.paths import CONFIG_DIR, expanded
from surrogate_modeling.config.commands import ExportConfig, Format
from surrogate_modeling.config.composition import register_schemas, to_command
from surrogate_modeling.config.refusals import refusals, run_command
from surrogate_modeling.deployment.loading import check_reference, load_surrogate, say_mean_unit

if TYPE_CHECKING:
    from surrogate_modeling.deployment.export_check import Difference
    from surrogate_modeling.surrogate.model import Surrogate

log = logging.getLogger(__name__)
register_schemas()


@hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name="export")
def main(composed: DictConfig) -> None:
    """Load the surrogate and export it in the configured format."""
    with refusals():
        config = to_command(composed, ExportConfig)
        check_reference(config.surrogate)
        output = check_output(config)
        if config.cases is not None:
            schedule_files(config.cases)
        with held(output.with_name(f".{output.name}.lock"), config.output or output):
            _export(config, output)


def _export(config: ExportConfig, output: Path) -> None:
    """Export to a file that no other command writes meanwhile."""
    check_output(config)
    surrogate = load_surrogate(config.surrogate)
    if config.unit is None and (units := surrogate.known_units):
        say_mean_unit(surrogate, f"unit=<name> exports one of them, such as unit={units[0]}")
    if config.unit is not None or surrogate.known_units:
        from surrogate_modeling.surrogate.one_unit import UnitSurrogate

        surrogate = UnitSurrogate(surrogate, config.unit)
    from surrogate_modeling.deployment.export_check import given_schedules

    found = WRITERS[config.format](surrogate, output, config, given_schedules(surrogate, config))
    log.info("%s: largest difference from the surrogate %s", found.files, found.difference or "not measured")


class _Written(NamedTuple):
    """Names of the files, for people, and how far what they predict is from the surrogate; None: not compared."""

    files: str
    difference: Difference | None


def _onnx(surrogate: Surrogate, output: Path, config: ExportConfig, schedules: Sequence[Schedule]) -> _Written:
    from surrogate_modeling.deployment.export_check import real_cases
    from surrogate_modeling.deployment.onnx_export import export_onnx

    written, difference = export_onnx(surrogate, output, config.form, real_cases(surrogate, schedules), config.band)
    return _Written(", ".join(map(str, written)), difference)


def _fmu(surrogate: Surrogate, output: Path, config: ExportConfig, schedules: Sequence[Schedule]) -> _Written:
    from surrogate_modeling.deployment.export_check import real_cases
    from surrogate_modeling.deployment.fmu.export import export_fmu

    real = real_cases(surrogate, schedules)
    return _Written(str(output), export_fmu(surrogate, output, real, config.fmi_version, config.band))


def _html(surrogate: Surrogate, output: Path, config: ExportConfig, schedules: Sequence[Schedule]) -> _Written:
    from surrogate_modeling.deployment.html.export import Offer, export_html

    offer = Offer(config.starts, config.language.value)
    found = export_html(surrogate, output, schedules, offer, browser=config.browser, check=config.check)
    return _Written(str(output), found)


# Each imports what it needs: a command that is refused loads no torch.
WRITERS: dict[Format, Callable[[Surrogate, Path, ExportConfig, Sequence[Schedule]], _Written]] = {
    Format.onnx: _onnx,
    Format.fmu: _fmu,
    Format.html: _html,
}


def check_output(config: ExportConfig) -> Path:
    """Path of the file to write, checked.

    Raises:
        UserError: its ending is not that of the format, it exists, or its folder does not.
    """
    ending = f".{config.format.value}"
    output = expanded(config.output or f"surrogate{ending}", "output")
    if output.suffix != ending:
        raise UserError(f"output={config.output}: a file of format={config.format.value} must end in {ending}")
    if not output.absolute().parent.is_dir():
        raise UserError(f"output={output}: there is no folder {output.parent}")
    if output.exists() and not config.overwrite:
        raise UserError(f"output={output}: exists; give another file or overwrite=true")
    return output


def cli() -> None:
    """Entry point of ``pdm run export``."""
    sys.exit(run_command(main))


if __name__ == "__main__":
    cli()
