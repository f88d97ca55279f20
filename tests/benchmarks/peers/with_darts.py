"""darts: its LSTM with future covariates (``RNNModel``), all cases and outputs in one model."""

# begin of what a user writes
import copy  # not counted

import numpy as np
from darts import TimeSeries
from darts.models import RNNModel
from protocol import Clock, read_task  # not counted
from pytorch_lightning.callbacks import Callback  # not counted
from torch.optim.lr_scheduler import LambdaLR

task = read_task()  # not counted
WIDTH, ROWS, BATCH, RATE = 64, 200, 32, 3e-3


def series(values):
    return TimeSeries.from_values(np.asarray(values, np.float32))


def predict(cases):
    rows = len(cases[0].controls) - task.given
    first = [series(case.outputs[: task.given]) for case in cases]
    controls = [series(case.controls) for case in cases]
    found = model.predict(rows, first, future_covariates=controls, verbose=False)
    return [each.values() for each in found]


# end
class Watch(Callback):
    """Ends the training when its time is over."""

    def on_train_batch_end(self, trainer, module, *_):
        trainer.should_stop = clock.kept(lambda: copy.deepcopy(module.state_dict()))


clock = Clock(task)
# begin of what a user writes
model = RNNModel(
    input_chunk_length=task.given,
    training_length=ROWS,
    model="LSTM",
    hidden_dim=WIDTH,
    batch_size=BATCH,
    n_epochs=10**6,
    optimizer_kwargs={"lr": RATE},
    lr_scheduler_cls=LambdaLR,
    lr_scheduler_kwargs={"lr_lambda": lambda _: clock.cosine, "interval": "step"},
    random_state=task.seed,
    pl_trainer_kwargs={
        "accelerator": "cpu",
        "callbacks": [Watch()],  # not counted
        "gradient_clip_val": 1.0,
        "logger": False,
        "enable_checkpointing": False,
    },
)
outputs = [series(case.outputs) for case in task.training]
controls = [series(case.controls) for case in task.training]
model.fit(outputs, future_covariates=controls, verbose=False)
# end
clock.replay(model.model.load_state_dict, predict)
clock.finish(predict, f"RNNModel, LSTM of {WIDTH}, teacher forcing", "darts", "torch", "pytorch-lightning")
