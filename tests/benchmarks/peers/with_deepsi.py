"""deepSI's encoder method (SUBNET), multiple outputs, many records at once.

``fit`` calls ``val_fun`` every ``val_freq`` iterations, and ends well at KeyboardInterrupt: both are its own.
"""

# begin of what a user writes
import deepSI
import numpy as np
import torch
from deepSI.networks import MLP_res_net
from protocol import Clock, by_length, read_task  # not counted

task = read_task()  # not counted
ROWS, BATCH, RATE = 80, 128, 5e-3
np.random.seed(task.seed)  # noqa: NPY002 that of the package
torch.manual_seed(task.seed)


def records(cases):
    return [deepSI.Input_output_data(u=case.controls, y=case.outputs) for case in cases]


class Encoder(MLP_res_net):
    """As the package's, which cannot flatten batches of several columns (0.4.4)."""

    def forward(self, *arrays):
        return super().forward(*(each.reshape(len(each), -1) for each in arrays))


@torch.no_grad()
def predict_batch(controls, first):
    past, future = controls[:, : task.given], controls[:, task.given :]
    return model(*(torch.as_tensor(each.copy()) for each in (past, first, future))).numpy()


training, validation = records(task.training), records(task.validation)
controls, outputs, norm = deepSI.get_nu_ny_and_auto_norm(training)
STATES, WIDTH = (8, 32) if outputs == 1 else (12, 64)
model = deepSI.SUBNET(
    controls,
    outputs,
    norm,
    nx=STATES,
    nb=task.given,
    na=task.given,
    f=norm.f(MLP_res_net([STATES, controls], STATES, n_hidden_nodes=WIDTH)),
    h=norm.h(MLP_res_net([STATES, controls], outputs, n_hidden_nodes=WIDTH)),
    encoder=norm.encoder(Encoder([(task.given, controls), (task.given, outputs)], STATES, n_hidden_nodes=WIDTH)),
    feedthrough=True,
)
optimiser = torch.optim.Adam(model.parameters(), RATE)
# end
clock, predict = Clock(task), by_length(predict_batch, task.given)


def look(network, *arrays):
    """Snapshot in place of the package's own choice by validation error, which the orchestrator makes."""
    optimiser.param_groups[0]["lr"] = RATE * clock.cosine
    if clock.over(predict):
        raise KeyboardInterrupt
    return torch.zeros(())


# begin of what a user writes
kept = deepSI.fit(
    model,
    training,
    validation,
    n_its=10**9,
    T=ROWS,
    batch_size=BATCH,
    val_freq=25,
    optimizer=optimiser,
    val_fun=look,
)
# end
clock.finish(predict, f"SUBNET, {STATES} states, unrolled over {ROWS} rows", "deepSI", "torch")
