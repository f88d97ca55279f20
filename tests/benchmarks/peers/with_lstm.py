"""A plain PyTorch LSTM: teacher forcing for half of the time, then trained in free run.

An output row is predicted from the row's controls and the outputs of the row before.
"""

# begin of what a user writes
import numpy as np
import torch
from protocol import Clock, by_length, read_task  # not counted
from torch import nn

task = read_task()  # not counted
WIDTH, ROWS, BATCH, RATE = 64, 200, 32, 3e-3
torch.manual_seed(task.seed)


class Recurrent(nn.Module):
    def __init__(self, controls: int, outputs: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(controls + outputs, WIDTH, batch_first=True)
        self.head = nn.Linear(WIDTH, outputs)

    def forward(self, controls, outputs, state=None):
        hidden, state = self.lstm(torch.cat((controls, outputs), -1), state)
        return self.head(hidden), state

    def free_run(self, controls, first):
        """Rows after the given ones, from the controls of all rows."""
        given = first.shape[1]
        state = self(controls[:, 1:given], first[:, :-1])[1]
        row, found = first[:, -1:], []
        for t in range(given, controls.shape[1]):
            row, state = self(controls[:, t : t + 1], row, state)
            found.append(row)
        return torch.cat(found, 1)


def draw(random):
    """Stretches of the training cases."""
    pairs = []
    for _ in range(BATCH):
        case = task.training[random.integers(len(task.training))]
        first = random.integers(max(1, len(case.outputs) - ROWS + 1))
        pairs.append((case.controls[first : first + ROWS], case.outputs[first : first + ROWS]))
    return (torch.as_tensor(np.stack(part), dtype=torch.float32) for part in zip(*pairs, strict=True))


@torch.no_grad()
def predict_batch(controls, first):
    return network.free_run(torch.as_tensor(controls), torch.as_tensor(first)).numpy()


network = Recurrent(*task.sizes)
optimiser = torch.optim.Adam(network.parameters(), RATE)
random = np.random.default_rng(task.seed)
# end
clock, predict = Clock(task), by_length(predict_batch, task.given)
while not clock.over(predict):
    # begin of what a user writes
    optimiser.param_groups[0]["lr"] = RATE * clock.cosine
    controls, outputs = draw(random)
    if clock.share < 0.5:
        rows, given = network(controls[:, 1:], outputs[:, :-1])[0], 1
    else:
        rows, given = network.free_run(controls, outputs[:, : task.given]), task.given
    loss = nn.functional.l1_loss(rows, outputs[:, given:])
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()
    # end
clock.finish(predict, "one layer of 64, half of the time teacher forcing, then in free run", "torch")
