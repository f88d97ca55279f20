"""Translated JavaScript against PyTorch, in Chromium, the operations one by one."""

import base64
from collections.abc import Callable
from importlib import resources
from typing import Any

import numpy as np
import pytest
import torch
from browser import browser, page_of  # noqa: F401
from operations import OPERATIONS, Layers, Wrapped, rand
from torch import Tensor, nn

from surrogate_modeling.deployment.c_code import JavaScript, PackedConstants, translate

RUN = """([weights, inputs, sizes, workspace, source]) => {
    const k = new Float32Array(Uint8Array.from(atob(weights), (c) => c.charCodeAt(0)).buffer);
    const outputs = sizes.map((size) => new Float32Array(size));
    const run = new Function("k", source + "; return run;")(k);
    run(...inputs.map((values) => Float32Array.from(values)), ...outputs, new Float32Array(workspace));
    return outputs.map((values) => Array.from(values));
}"""


def check(browser: Any, module: nn.Module | Callable[..., object], *inputs: Tensor) -> None:  # noqa: F811
    module = module if isinstance(module, nn.Module) else Wrapped(module)
    with torch.no_grad():
        expected = module.eval()(*inputs)
    constants = PackedConstants()
    function = translate("run", module, inputs, constants, JavaScript())
    routines = resources.files("surrogate_modeling.deployment.c_code").joinpath("routines.js").read_text()
    given = [values.flatten().tolist() for values in inputs]
    weights = base64.b64encode(constants.values).decode()
    with page_of(browser) as page:
        sizes = [values.numel() for values in expected]
        outputs = page.evaluate(RUN, [weights, given, sizes, function.workspace, routines + function.text])
    for one, other in zip(outputs, expected, strict=True):
        # Of JavaScript a list holds no NaN apart from null.
        found = np.array([np.nan if value is None else value for value in one]).reshape(other.shape)
        np.testing.assert_allclose(found, other.numpy(), rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations(browser: Any, name: str) -> None:  # noqa: F811
    function, inputs = OPERATIONS[name]
    check(browser, function, *inputs)


@pytest.mark.parametrize("batch_first", [True, False])
def test_layers(browser: Any, batch_first: bool) -> None:  # noqa: F811
    torch.manual_seed(0)
    check(browser, Layers(batch_first), rand(1, 5, 3) if batch_first else rand(5, 1, 3))


def test_long_functions_are_split() -> None:
    text = JavaScript().function("run", 1, 1, [[f"out0[{i}] = in0[{i}];"] for i in range(400)])
    parts = text.split("function ")[1:]
    assert [part.split("(")[0] for part in parts] == ["run_0", "run_1", "run_2", "run"]
    assert max(part.count("\n") for part in parts) < 160
    assert parts[-1].count("(in0, out0, w);") == 3
