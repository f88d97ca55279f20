"""neuralforecast: its GRU with known future controls; each output of each case is a series of one global model.

Its recurrent models predict one output; which one, static columns tell. Scaling within a window is off: values are
standardised, and ten given rows are too few to scale by. It reads no past outputs: in trials of 12 to 20 s
that gave a validation nADE of 0.40 to 0.48 on the circuit, teacher forcing 0.54 to 0.57. On the oscillator the trials
(0.53 in 15 s, and 0.47 in 20 s by teacher forcing with a constant rate) do not decide it.
"""

# begin of what a user writes
import copy  # not counted

import numpy as np
import pandas as pd
from neuralforecast import NeuralForecast
from neuralforecast.losses.pytorch import MAE
from neuralforecast.models import GRU
from protocol import Clock, read_task  # not counted
from pytorch_lightning.callbacks import Callback  # not counted
from torch.optim.lr_scheduler import LambdaLR

task = read_task()  # not counted
WIDTH, ROWS, BATCH, RATE = 64, 200, 32, 3e-3
controls, outputs = task.sizes
inputs = [f"u{i}" for i in range(controls)]
kinds = [f"kind{i}" for i in range(outputs)]


def tables(cases, first, last):
    """Long tables of some rows, a series for each case and output: values, and which output it is."""
    parts, static = [], []
    for number, case in enumerate(cases):
        for output in range(outputs):
            rows = np.arange(first, len(case.controls) if last is None else last)
            part = pd.DataFrame(case.controls[rows], columns=inputs)
            part["unique_id"], part["ds"] = f"{number:05d} {output:03d}", rows
            if len(case.outputs) > rows[-1]:
                part["y"] = case.outputs[rows, output]
            parts.append(part)
            static.append(
                {"unique_id": part["unique_id"].iloc[0], **dict(zip(kinds, np.eye(outputs)[output], strict=True))}
            )
    return pd.concat(parts, ignore_index=True), pd.DataFrame(static)


def predict(cases):
    rows = len(cases[0].controls) - task.given
    (known, static), (future, _) = tables(cases, 0, task.given), tables(cases, task.given, None)
    future = future[["unique_id", "ds", *inputs]]
    found = forecast.predict(known, static_df=static, futr_df=future, h=rows).sort_values(["unique_id", "ds"])
    return found["GRU"].to_numpy().reshape(len(cases), outputs, rows).swapaxes(1, 2)


# end
class Watch(Callback):
    """Ends the training when its time is over."""

    def on_train_batch_end(self, trainer, module, *_):
        if trainer.training:
            trainer.should_stop = clock.kept(lambda: copy.deepcopy(module.state_dict()))


clock = Clock(task)
# begin of what a user writes
model = GRU(
    h=len(task.training[0].controls) - task.given,
    h_train=ROWS,
    input_size=task.given - 1,
    recurrent=True,
    exclude_insample_y=True,
    step_size=40,
    encoder_hidden_size=WIDTH,
    encoder_n_layers=1,
    futr_exog_list=inputs,
    stat_exog_list=kinds,
    scaler_type="identity",
    loss=MAE(),
    max_steps=10**9,
    learning_rate=RATE,
    lr_scheduler=LambdaLR,
    lr_scheduler_kwargs={"lr_lambda": lambda _: clock.cosine},
    batch_size=BATCH,
    windows_batch_size=BATCH,
    random_seed=task.seed,
    accelerator="cpu",
    gradient_clip_val=1.0,
    callbacks=[Watch()],  # not counted
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
)
forecast = NeuralForecast([model], freq=1)
values, static = tables(task.training, 0, None)
forecast.fit(values, static_df=static)
# end
clock.replay(forecast.models[0].load_state_dict, predict)
form = f"GRU of {WIDTH} driven by the controls, a series for each case and output"
clock.finish(predict, form, "neuralforecast", "torch", "pytorch-lightning")
