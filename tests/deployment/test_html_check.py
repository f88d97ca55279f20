"""What passes as rounding where a page is compared with its surrogate."""

import base64

import numpy as np
import pytest
from exported import make

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.deployment.html.check import Check

# Cases of 60 predicted rows of 3 columns: three random ones, with WebAssembly and without.
SHAPE = (6, 60, 3)


def test_a_page_may_differ_by_some_times_the_rounding_of_the_surrogate(monkeypatch: pytest.MonkeyPatch) -> None:
    """All rows are 0, so the size of a column is its deviation; a case alone is 3e-5 of it off: up to 1.2e-4 passes."""
    surrogate = make("don")
    scale, off = surrogate.predicted_scale, 0.0

    def free_run(initial: np.ndarray, controls: np.ndarray) -> np.ndarray:
        return np.zeros((len(controls), *SHAPE[1:])) + (off * scale if len(controls) == 1 else 0.0)

    monkeypatch.setattr(surrogate, "free_run", free_run)

    def page(share: float) -> str:
        rows = np.broadcast_to(share * scale, SHAPE).astype("<f8")
        return f'<pre id="answer" hidden="">{base64.b64encode(rows.tobytes()).decode()}</pre>'

    check = Check(surrogate, [])
    assert check.compare(page(0.9e-5)).relative == pytest.approx(0.9e-5)
    with pytest.raises(UserError, match="the page differs from the surrogate by 1.1e-05 training"):
        check.compare(page(1.1e-5))
    off = 3e-5
    assert check.compare(page(1.1e-4)).relative == pytest.approx(1.1e-4)
    with pytest.raises(UserError, match="the page differs from the surrogate by 0.00013 training"):
        check.compare(page(1.3e-4))
