"""The product of WebAssembly against NumPy, in Chromium: every width of a remainder, with and without a bias."""

import base64
from typing import Any

import numpy as np
from browser import page_of

from surrogate_modeling.deployment.html.kernel import kernel_module

RUN = """([module, cases]) => {
    const memory = new WebAssembly.Memory({ initial: 8 });
    const bytes = Uint8Array.from(atob(module), letter => letter.charCodeAt(0));
    const { dense } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { page: { memory } }).exports;
    return cases.map(({ x, weight, bias, rows, inputs, outputs }) => {
        const take = (values, at) => new Float32Array(memory.buffer, at, values.length).set(values);
        take(x, 16);
        take(weight, 40000);
        take(bias, 120000);
        dense(16, 40000, bias.length ? 120000 : 0, 160000, rows, inputs, outputs);
        return Array.from(new Float32Array(memory.buffer, 160000, rows * outputs));
    });
}"""


def test_products_are_those_of_numpy(browser: Any) -> None:
    rng = np.random.default_rng(0)
    # 59 = 32 + 16 + 2 times 4 + 3 columns.
    shapes = [(1, 1, 1), (2, 3, 5), (3, 2, 59), (1, 40, 43), (4, 7, 64), (2, 5, 16), (1, 9, 12), (2, 0, 3)]
    cases, expected = [], []
    for rows, inputs, outputs in shapes:
        for has_bias in (False, True):
            x, weight = rng.normal(size=(rows, inputs)), rng.normal(size=(inputs, outputs))
            bias = rng.normal(size=outputs) if has_bias else np.zeros(0)
            arrays = {"x": x.ravel().tolist(), "weight": weight.ravel().tolist(), "bias": bias.tolist()}
            cases.append({**arrays, "rows": rows, "inputs": inputs, "outputs": outputs})
            expected.append(x @ weight + (bias if has_bias else 0.0))
    with page_of(browser) as page:
        found = page.evaluate(RUN, [base64.b64encode(kernel_module()).decode(), cases])
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other.ravel(), rtol=1e-5, atol=1e-5)
