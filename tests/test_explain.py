"""The command ``explain``: its refusals are one line, and what it finds is what the embedded plant does."""

from pathlib import Path

import numpy as np
import pytest
from builders import TRAIN, empty_store, run_command

from surrogate_modeling.cases.schedules import Schedule, read_schedule
from surrogate_modeling.config.dataset import RefrigerantConfig
from surrogate_modeling.deployment.influence.sensitivity import step_responses
from surrogate_modeling.deployment.loading import demands_of
from surrogate_modeling.generation.replay import PREDICTED_NAMES, CircuitCase
from surrogate_modeling.surrogate.model import Surrogate


def test_a_refusal_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "model.pth").touch()
    given = ["surrogate=model.pth", "output=out", "cases=none"]
    done = run_command(tmp_path, ["-m", "surrogate_modeling.explain"], *given)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "cases=none: " in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_gains_are_those_of_the_embedded_plant(tmp_path: Path) -> None:
    """Steps of the compressor and the blower at the mean of a case, on the simulator and on a surrogate of it."""
    empty_store(tmp_path)
    keys = ["dataset.cases=24", "dataset.duration=300.0", "dataset.families={random_steps: 1.0}", "dataset.path=cases"]
    recipe = ["model=ssm", "settings=quick", "settings.stack=true", "settings.num_figures=0"]
    train = [str(TRAIN), "hydra.run.dir=run", "settings.is_save_model=true", "settings.mlflow_exp_name=gains"]
    done = run_command(tmp_path, train, "dataset=refrigerant", *keys, *recipe)
    assert done.returncode == 0, done.stderr
    (file,) = (tmp_path / "mlruns").glob("*/artifacts/lit_model.pth")
    surrogate = Surrogate.load(file)
    description = surrogate.description
    read = read_schedule(tmp_path / "cases" / "case0001.csv", demands_of(description, 5.0))
    assert isinstance(read, Schedule)
    case, rows = read.case, 140
    found = step_responses(surrogate, case, 0.5, settle=rows * description.step)
    dataset = RefrigerantConfig(path="", controls=9, duration=300.0, cases=24, families={"random_steps": 1.0})
    circuit = CircuitCase(dataset, "case0001")
    low, high, scale = (
        part.numpy()[:9] for part in (surrogate.scaling.low, surrogate.scaling.high, surrogate.scaling.scale)
    )
    names, base = description.channels.controls, case.controls.mean(axis=0)
    begin = description.step * (description.in_len - 1)

    def last(control: int, level: float) -> np.ndarray:
        """Targets after a step to a level."""
        held = np.repeat(base[None], len(case.time), axis=0)
        held[description.in_len + rows :, control] = level
        out = circuit.run(case.time, dict(zip(names, held.T, strict=True)), begin)
        assert not isinstance(out, str)
        time = case.time[description.in_len + 2 * rows - 1]
        at = int(np.argmin(np.abs(circuit.time - time)))
        return np.array([out[at, PREDICTED_NAMES.index(name)] for name in description.channels.targets])

    for control, targets in (("CompN", ("Comp_kW", "Eva_kW", "EvaAirOutT")), ("BlowerFlow", ("Eva_kW", "EvaAirOutT"))):
        i = names.index(control)
        up, down = min(base[i] + 0.5 * scale[i], high[i]), max(base[i] - 0.5 * scale[i], low[i])
        true = (last(i, up) - last(i, down)) / (up - down)
        for target in targets:
            n = description.channels.targets.index(target)
            # The blower moves its targets little, and a surrogate of 24 cases knows that less well.
            tolerance = 0.35 if control == "CompN" else 0.6
            assert found.gain[n, i] == pytest.approx(true[n], rel=tolerance), (control, target)
