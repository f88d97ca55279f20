"""Speed of the nonlinear state space's recurrence against PyTorch's loop over rows, forward and backward.

    python tests/benchmarks/benchmark_recurrence.py

Both sides run in this process, on one thread; the median of several runs of each.
"""

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from surrogate_modeling.networks.recurrence import Weights, run_row_by_row, run_states

ROWS, CASES, HIDDEN, RUNS = 600, 16, 32, 7


def milliseconds(run: Callable[..., Tensor], inputs: list[Tensor]) -> float:
    """Median over runs of one pass forward and backward; the first, which compiles, does not count."""
    times = []
    for _ in range(RUNS + 1):
        started = time.perf_counter()
        torch.autograd.grad(run(*inputs[:3], Weights(*inputs[3:])).square().sum(), inputs)
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times[1:])


def main() -> None:
    """Print one line for each size of the state."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    for states in (4, 12, 24):
        shapes = [(CASES, states), (ROWS, CASES, states), (ROWS, CASES, HIDDEN), (HIDDEN, states), (states, HIDDEN)]
        start, drive, hidden, inner, outer = (0.1 * torch.randn(shape) for shape in shapes)
        inputs = [part.requires_grad_() for part in (start, drive, hidden, 0.9 * torch.eye(states), inner, outer)]
        compiled, plain = milliseconds(run_states, inputs), milliseconds(run_row_by_row, inputs)
        print(
            f"{ROWS} rows x {CASES} cases, {states} states, {HIDDEN} hidden: "
            f"compiled {compiled:.1f} ms, loop {plain:.1f} ms, {plain / compiled:.1f} times"
        )


if __name__ == "__main__":
    main()
