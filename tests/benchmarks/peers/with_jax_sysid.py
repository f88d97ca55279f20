"""jax-sysid's state-space models: a recurrent network, or with the argument ``linear`` its linear model.

Adam, then L-BFGS, over whole cases, as in its documentation; the first state of a case to predict is estimated from the
given rows by its smoother. It compiles every training case by itself, which takes about a second each: of many cases
some train. Its callback of L-BFGS is replaced, to look at the parameters on the way, and to end when time is over.
"""

# begin of what a user writes
import sys  # not counted

import flax.linen as nn
import jax
import jax_sysid._model as package  # not counted
import numpy as np
from jax_sysid.models import RNN, LinearModel
from protocol import Clock, read_task  # not counted

task = read_task()  # not counted
linear = "linear" in sys.argv[2:]  # not counted
STATES, WIDTH, CASES, ADAM = 8, 16, 20, 200
jax.config.update("jax_enable_x64", True)
controls, outputs = task.sizes


class Network(nn.Module):
    size: int

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.size)(nn.swish(nn.Dense(WIDTH)(x))) + nn.Dense(self.size)(x)


def predict(cases):
    found = []
    for case in cases:
        u, y = case.controls.astype(float), case.outputs[: task.given].astype(float)
        start = model.learn_x0(u[: task.given], y, RTS_epochs=1, verbosity=False, LBFGS_refinement=False)
        found.append(np.asarray(model.predict(start, u)[0])[task.given :])
    return found


if linear:
    model = LinearModel(STATES, outputs, controls, feedthrough=True, seed=task.seed)
else:
    state, output = (lambda: Network(STATES)), (lambda: Network(outputs))
    model = RNN(STATES, outputs, controls, FX=state, FY=output, x_scaling=0.1, seed=task.seed)
model.loss(rho_x0=1e-4, rho_th=1e-6)
model.optimization(adam_eta=0.01, adam_epochs=ADAM, lbfgs_epochs=10**5)
chosen = task.training[:: max(1, len(task.training) // CASES)][:CASES]
u, y = (
    [np.asarray(each, float) for each in part] for part in zip(*((c.controls, c.outputs) for c in chosen), strict=True)
)
# end
clock, count = Clock(task), len(model.params)


def watched(*_):
    """The callback of each iteration, and that of the end."""

    def look(parameters):
        if clock.kept(lambda: {"parameters": [np.array(each) for each in parameters[:count]]}):
            raise StopIteration

    return look, None


def load(state):
    model.params = state["parameters"]


package.lbfgs_callback = watched
while clock.share < 1:
    # begin of what a user writes
    model.fit(y, u)
    model.optimization(adam_epochs=0, lbfgs_epochs=10**5)
    # end
clock.replay(load, predict)
kind = "linear" if linear else f"two networks of {WIDTH}"
clock.finish(predict, f"{kind}, {STATES} states, {len(chosen)} training cases", "jax-sysid", "jax")
