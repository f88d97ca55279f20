"""Hand a trained surrogate to other tools.

    pdm run python export.py format=onnx surrogate=<lit_model.pth, run id or models:/ URI> output=<file>
    pdm run python export.py format=fmu surrogate=...

Whatever is written was first compared with the surrogate over whole free runs; the largest difference is printed.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
from omegaconf import DictConfig

from surrogate_modeling.command_line import refusals, run_command
from surrogate_modeling.composition import register_schemas, to_use
from surrogate_modeling.config import CONFIG_DIR, UserError
from surrogate_modeling.loading import check_reference, load_surrogate
from surrogate_modeling.schedules import Demands, Schedule, file_refusal, read_schedule, schedule_files
from surrogate_modeling.use_config import ExportConfig, Format

if TYPE_CHECKING:
    from surrogate_modeling.export_check import Trajectories
    from surrogate_modeling.surrogate import Surrogate

log = logging.getLogger(__name__)
register_schemas()


@hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name="export")
def main(composed: DictConfig) -> None:
    """Export, compare, write."""
    with refusals():
        config: ExportConfig = to_use(composed)
        check_reference(config.surrogate)
        output = check_output(config)
        if config.cases is not None:
            case_files(config.cases)
        surrogate = load_surrogate(config.surrogate)
        real = real_cases(surrogate, config)
        if config.format is Format.onnx:
            from surrogate_modeling.onnx_export import export_onnx

            written, difference = export_onnx(surrogate, output, config.form, real)
            log.info("%s: largest difference from the surrogate %s", ", ".join(map(str, written)), difference)
            return
        from surrogate_modeling.fmu.export import export_fmu

        compared = export_fmu(surrogate, output, real, config.fmi_version)
        log.info("%s: largest difference from the surrogate %s", output, compared or "not measured")


def check_output(config: ExportConfig) -> Path:
    """The file to write.

    Raises:
        UserError: its ending is not that of the format, it exists, or its folder does not.
    """
    ending = f".{config.format.value}"
    output = Path(config.output or f"surrogate{ending}").expanduser()
    if output.suffix != ending:
        raise UserError(f"output={config.output}: a file of format={config.format.value} must end in {ending}")
    if not output.absolute().parent.is_dir():
        raise UserError(f"output={output}: there is no folder {output.parent}")
    if output.exists() and not config.overwrite:
        raise UserError(f"output={output}: exists; give another file or overwrite=true")
    return output


def real_cases(surrogate: Surrogate, config: ExportConfig) -> list[Trajectories]:
    """Initial rows (1, in_len, P) and controls (1, T, C) of each of the first cases given.

    Raises:
        UserError: the cases do not fit the surrogate.
    """
    if config.cases is None:
        return []
    description, controls = surrogate.description, surrogate.description.sizes.controls
    demands = Demands(description.channels, description.step, description.in_len, config.max_gap)
    results = [read_schedule(file, demands) for file in case_files(config.cases)[: config.num_cases]]
    if problems := [problem for result in results if isinstance(result, list) for problem in result]:
        raise file_refusal(config.cases, problems, 0)
    values = [result.case.values[None] for result in results if isinstance(result, Schedule)]
    return [(rows[:, : description.in_len, controls:], rows[:, :, :controls]) for rows in values]


def case_files(place: str) -> list[Path]:
    """As :func:`surrogate_modeling.schedules.schedule_files`."""
    return schedule_files(Path(place).expanduser())


def cli() -> None:
    """Entry point of ``pdm run export``."""
    sys.exit(run_command(main))


if __name__ == "__main__":
    cli()
