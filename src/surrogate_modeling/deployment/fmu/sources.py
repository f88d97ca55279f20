"""Write the C sources of an FMU: scaling, start values, weights and network of one surrogate."""

from __future__ import annotations

from importlib import resources

import numpy as np
import torch
from torch import Tensor, nn

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.deployment.c_code import Constants, TranslationError, c_array, translate
from surrogate_modeling.deployment.stepping import Advance, AdvanceSpread, Encode
from surrogate_modeling.surrogate.band import Band, BandScope, existing
from surrogate_modeling.surrogate.model import Surrogate


def main_source(version: float) -> str:
    """Name of the C file to compile for a version of FMI."""
    return f"fmi{version:.0f}_slave.c"


def write_sources(
    surrogate: Surrogate, start: np.ndarray, token: str, version: float, scope: BandScope | None = None
) -> dict[str, str]:
    """C sources by file name; compiling :func:`main_source` gives the slave.

    Args:
        surrogate: on the CPU, in evaluation mode.
        start: (in_len, G) start values of the given rows: of all columns, or of the controls alone.
        token: of the model description.
        version: of FMI.
        scope: of the band that is given as well; None: no band.

    Raises:
        UserError: the network cannot be stepped, or has an operation that cannot be written in C.
    """
    routines = resources.files("surrogate_modeling.deployment.c_code").joinpath("routines.h").read_text()
    own = resources.files("surrogate_modeling.deployment.fmu")
    slave = {name: own.joinpath(name).read_text() for name in (main_source(version), "slave.h")}
    try:
        model = _model_header(surrogate, start, token, scope)
    except TranslationError as error:
        raise UserError(f"format=fmu: {error}; use format=onnx, or add it to c_code/operators.py") from None
    return {**slave, "routines.h": routines, "model.h": model}


def _model_header(surrogate: Surrogate, start: np.ndarray, token: str, scope: BandScope | None) -> str:
    description = surrogate.description
    sizes = description.sizes
    constants = Constants()
    past, control = torch.zeros(1, sizes.in_len, sizes.controls + sizes.predicted), torch.zeros(1, 1, sizes.controls)
    state = torch.zeros(1, surrogate.network.state_size)
    advance: nn.Module = Advance(surrogate.network)
    if scope is not None:
        advance = AdvanceSpread(surrogate.network, existing(surrogate.band).of_copies)
    functions = [
        translate("network_encode", Encode(surrogate.network), (past,), constants),
        translate("network_advance", advance, (state, control), constants),
    ]
    if surrogate.first_row is not None:
        functions.append(translate("network_first_row", surrogate.first_row, (control[0],), constants))
    numbers = {
        "CONTROLS": sizes.controls,
        "PREDICTED": sizes.predicted,
        "IN_LEN": sizes.in_len,
        "STATE_SIZE": surrogate.network.state_size,
        "WORKSPACE": max(1, *(function.workspace for function in functions[:2])),
        "FROM_CONTROLS": int(surrogate.first_row is not None),
        "FIRST_ROW_WORKSPACE": max(1, functions[-1].workspace),
        "KNOTS": 0 if scope is None else len(existing(surrogate.band).knots),
    }
    parameters = [int(name in description.channels.parameters) for name in description.channels.controls]
    return "\n\n".join(
        [
            "#include <math.h>",
            '#include "routines.h"',
            "\n".join(f"#define {name} {value}" for name, value in numbers.items()),
            f'#define MODEL_TOKEN "{token}"',
            f'#define STEP {description.step!r}\n#define STEP_TEXT "{description.step:g}"',
            c_array("mean", surrogate.scaling.mean),
            c_array("output_mean", surrogate.output_scaling.mean),
            c_array("output_scale", surrogate.output_scaling.scale),
            c_array("divisor", surrogate.scaling.divisor),
            _doubles("offset", surrogate.scaling.offset[None]),
            _doubles("start_values", torch.from_numpy(start)),
            f"static const char is_parameter[CONTROLS] = {{{', '.join(map(str, parameters))}}};",
            *([] if scope is None else _band_arrays(existing(surrogate.band), scope)),
            *constants.text,
            *(function.text for function in functions),
            "",
        ]
    )


def _band_arrays(band: Band, scope: BandScope) -> list[str]:
    values = {"knots": band.knots[None], "growth": band.growth_at(scope), "factor": band.factors(scope)[None]}
    return [_doubles(f"band_{name}", torch.from_numpy(array)) for name, array in values.items()]


def _doubles(name: str, values: Tensor) -> str:
    """C definition of a constant array of doubles, a line per row of (R, F)."""
    body = ",\n".join(", ".join(f"{value:.17g}" for value in row) for row in values.double().tolist())
    return f"static const double {name}[{values.numel()}] = {{\n{body}\n}};"
