"""Write the network of a surrogate as JavaScript, with its weights apart.

Shape letters: B batch, R rows of a step, F feature (C control, then P predicted), S state.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

import torch

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.deployment.c_code import JavaScript, PackedConstants, TranslationError, translate
from surrogate_modeling.deployment.stepping import AdvanceSpread, Encode
from surrogate_modeling.surrogate.model import Surrogate


@dataclass(frozen=True)
class NetworkScript:
    """A network in JavaScript.

    Attributes:
        text: ``NETWORK_SIZES``, and ``makeNetwork``, which gives its functions when given the weights and a kernel.
        weights: float32, little-endian.
    """

    text: str
    weights: bytes


def write_network(surrogate: Surrogate) -> NetworkScript:
    """Translate the network of a surrogate.

    Args:
        surrogate: on the CPU, in evaluation mode.

    Raises:
        UserError: the network has an operation that cannot be translated.
    """
    sizes, network = surrogate.description.sizes, surrogate.network
    constants, dialect = PackedConstants(), JavaScript()
    past = torch.zeros(1, sizes.in_len, sizes.controls + sizes.predicted)
    control = torch.zeros(1, network.rows_per_step, sizes.controls)
    state = torch.zeros(1, network.state_size)
    advance = AdvanceSpread(network, surrogate.band is None or surrogate.band.of_copies)
    try:
        functions = [
            translate("encode", Encode(network), (past,), constants, dialect),
            translate("advance", advance, (state, control), constants, dialect),
        ]
        if surrogate.first_row is not None:
            functions.append(translate("firstRow", surrogate.first_row, (control[0, :1],), constants, dialect))
    except TranslationError as error:
        raise UserError(f"format=html: {error}; use format=onnx, or add it to c_code/operators.py") from None
    numbers = {
        "controls": sizes.controls,
        "predicted": sizes.predicted,
        "inLen": sizes.in_len,
        "rowsPerStep": network.rows_per_step,
        "state": network.state_size,
        "workspace": max(1, *(function.workspace for function in functions)),
    }
    routines = resources.files("surrogate_modeling.deployment.c_code").joinpath("routines.js").read_text()
    given = ["encode", "advance", "firstRow" if surrogate.first_row is not None else "firstRow: null"]
    text = "\n".join(
        [
            f"const NETWORK_SIZES = {{ {', '.join(f'{key}: {number}' for key, number in numbers.items())} }};",
            "function makeNetwork(k, kernel) {",
            routines,
            *(function.text for function in functions),
            f"return {{ {', '.join(given)} }};",
            "}",
        ]
    )
    return NetworkScript(text, bytes(constants.values))
