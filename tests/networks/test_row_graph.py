"""A captured free run against the same run row by row."""

from __future__ import annotations

import pytest
import torch
from networks.test_networks import small

from surrogate_modeling.networks import build_network, row_graph
from surrogate_modeling.networks.sizes import Sizes

CONTROLS, PREDICTED, IN_LEN = 2, 3, 4


def test_a_cpu_captures_nothing() -> None:
    assert not row_graph.pays(torch.zeros(2, IN_LEN, CONTROLS + PREDICTED), calls=1000)


@pytest.mark.gpu
@pytest.mark.parametrize("out_len", [1, 3])
@pytest.mark.parametrize("name", ["dot", "dol", "don", "bt", "lstm"])
def test_a_captured_free_run_is_that_of_single_rows(name: str, out_len: int, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = build_network(small(name), Sizes(CONTROLS, PREDICTED, IN_LEN, out_len, PREDICTED)).cuda().eval()
    # Neither length is a whole number of blocks.
    past, control = torch.randn(5, IN_LEN, CONTROLS + PREDICTED), torch.randn(5, 200, CONTROLS)
    with torch.no_grad():
        captured = network.free_run(past.cuda(), control.cuda())
        monkeypatch.setattr(row_graph, "pays", lambda *_: False)
        torch.testing.assert_close(captured, network.free_run(past.cuda(), control.cuda()), rtol=1e-4, atol=1e-4)


@pytest.mark.gpu
def test_weights_changed_in_between_are_those_that_count() -> None:
    torch.manual_seed(0)
    network = build_network(small("don"), Sizes(CONTROLS, PREDICTED, IN_LEN, 1, PREDICTED)).cuda().eval()
    past, control = torch.randn(5, IN_LEN, CONTROLS + PREDICTED).cuda(), torch.randn(5, 200, CONTROLS).cuda()
    with torch.no_grad():
        before = network.free_run(past, control)
        for part in network.parameters():
            part.data = 0.5 * part.data
        assert not torch.allclose(before, network.free_run(past, control))
