"""Translated C, and JavaScript in Chromium, against PyTorch, the operations one by one."""

import base64
import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from browser import find_chromium, page_of
from operations import OPERATIONS, Layers, Wrapped, rand
from torch import Tensor, nn

from surrogate_modeling.deployment.c_code import (
    Constants,
    JavaScript,
    PackedConstants,
    TranslationError,
    translate,
    translation,
)

needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
RUN = """([weights, inputs, sizes, workspace, source]) => {
    const k = new Float32Array(Uint8Array.from(atob(weights), (c) => c.charCodeAt(0)).buffer);
    const outputs = sizes.map((size) => new Float32Array(size));
    const run = new Function("k", "kernel", source + "; return run;")(k, null);
    run(...inputs.map((values) => Float32Array.from(values)), ...outputs, new Float32Array(workspace));
    return outputs.map((values) => Array.from(values));
}"""


def run_c(folder: Path, module: nn.Module, inputs: tuple[Tensor, ...]) -> list[np.ndarray]:
    """Translate, compile and call."""
    constants = Constants()
    function = translate("run", module.eval(), inputs, constants)
    routines = resources.files("surrogate_modeling.deployment.c_code").joinpath("routines.h").read_text()
    source = "\n".join(
        ["#include <math.h>", routines, *constants.text, function.text.replace("static void", "void", 1)]
    )
    (folder / "f.c").write_text(source)
    library = folder / "f.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", str(library), str(folder / "f.c"), "-lm"], check=True)
    with torch.no_grad():
        expected = module(*inputs)
    expected = expected if isinstance(expected, tuple) else (expected,)
    arrays = [np.ascontiguousarray(values.numpy(), np.float32) for values in inputs]
    outputs = [np.zeros(tuple(values.shape), np.float32) for values in expected]
    work = np.zeros(max(1, function.workspace), np.float32)
    everything = [array.ctypes.data_as(ctypes.c_void_p) for array in (*arrays, *outputs, work)]
    ctypes.CDLL(str(library)).run(*everything)
    return outputs


def run_javascript(page: Any, module: nn.Module, inputs: tuple[Tensor, ...]) -> list[np.ndarray]:
    """Translate and call in a page."""
    constants = PackedConstants()
    function = translate("run", module, inputs, constants, JavaScript())
    routines = resources.files("surrogate_modeling.deployment.c_code").joinpath("routines.js").read_text()
    with torch.no_grad():
        sizes = [values.numel() for values in module(*inputs)]
    given = [values.flatten().tolist() for values in inputs]
    weights = base64.b64encode(constants.values).decode()
    outputs = page.evaluate(RUN, [weights, given, sizes, function.workspace, routines + function.text])
    # Of JavaScript a list holds no NaN apart from null.
    return [np.array([np.nan if value is None else value for value in output]) for output in outputs]


@pytest.fixture
def page(request: pytest.FixtureRequest) -> Iterator[Any]:
    """An empty page; None where no browser is, so that the C is tested there."""
    if find_chromium() is None and os.environ.get("CI") != "true":
        yield None
        return
    with page_of(request.getfixturevalue("browser")) as opened:
        yield opened


def check(
    folder: Path, monkeypatch: pytest.MonkeyPatch, page: Any, module: nn.Module | Callable[..., object], *inputs: Tensor
) -> None:
    module = (module if isinstance(module, nn.Module) else Wrapped(module)).eval()
    with torch.no_grad():
        expected = module(*inputs)
    # Exported once for both languages: it takes most of the time.
    graph = translation.export_graph(module, inputs)
    monkeypatch.setattr(translation, "export_graph", lambda *_: graph)
    found = [run_c(folder, module, inputs), *([] if page is None else [run_javascript(page, module, inputs)])]
    for outputs in found:
        for one, other in zip(outputs, expected, strict=True):
            np.testing.assert_allclose(one.reshape(other.shape), other.numpy(), rtol=1e-5, atol=2e-6)


@needs_compiler
@pytest.mark.parametrize("name", OPERATIONS)
def test_operations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: Any, name: str) -> None:
    function, inputs = OPERATIONS[name]
    check(tmp_path, monkeypatch, page, function, *inputs)


def test_computed_positions_beyond_exact_floats_are_refused() -> None:
    far = torch.zeros(1).expand(2**24 + 1)
    with pytest.raises(TranslationError, match="16777216"):
        translate("run", Wrapped(lambda x: far.index_select(0, (x > 0).int())), (rand(3),), Constants())


@needs_compiler
@pytest.mark.parametrize("batch_first", [True, False])
def test_layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: Any, batch_first: bool) -> None:
    torch.manual_seed(0)
    check(tmp_path, monkeypatch, page, Layers(batch_first), rand(1, 5, 3) if batch_first else rand(5, 1, 3))


def test_an_unknown_operation_is_refused_by_name() -> None:
    with pytest.raises(TranslationError, match=r"aten\.sort"):
        translate("run", Wrapped(lambda x: x.sort()[0]), (rand(3),), Constants())


def test_long_functions_are_split() -> None:
    text = JavaScript().function("run", 1, 1, [[f"out0[{i}] = in0[{i}];"] for i in range(400)])
    parts = text.split("function ")[1:]
    assert [part.split("(")[0] for part in parts] == ["run_0", "run_1", "run_2", "run"]
    assert max(part.count("\n") for part in parts) < 160
    assert parts[-1].count("(in0, out0, w);") == 3
