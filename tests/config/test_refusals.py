"""How a command ends: exit codes, and one message."""

import pytest
from builders import composed
from hydra.errors import HydraException, OverrideParseException

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import CONFIG_DIR
from surrogate_modeling.config.refusals import LAUNCHERS, configuration_message, run_command


def ending(error: BaseException) -> int:
    def main() -> None:
        raise error

    return run_command(main)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UserError("settings.x=1: no"), 2, "error: settings.x=1: no\n"),
        (HydraException("first\n   second\n\n"), 2, "error: first second\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_endings(error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ending(error) == code
    assert capsys.readouterr().err == said


def test_success_and_faults_of_ours() -> None:
    assert run_command(lambda: 1.5) == 0
    with pytest.raises(ZeroDivisionError):
        ending(ZeroDivisionError())


@pytest.mark.parametrize(
    ("argument", "launcher"),
    [
        ("+launch=slurm", "submitit_slurm"), ("++launch=local", "submitit_local"), ("launch=ray", "ray"),
        ("+launch=mine", "joblib or ray or submitit_local or submitit_slurm"),
    ],
)  # fmt: skip
def test_what_is_for_searches_is_refused_elsewhere(
    argument: str, launcher: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["generate", "-m", argument, "part=1/2,2/2"])
    assert run_command(lambda: None) == 2
    assert capsys.readouterr().err == (
        f"error: {argument}: is for searches, pdm run train -m; here give hydra/launcher={launcher}, with -m\n"
    )
    assert run_command(lambda: None, searches=True) == 0


def test_every_file_of_a_launcher_has_its_launcher() -> None:
    files = {file.stem: file.read_text(encoding="utf-8") for file in (CONFIG_DIR / "launch").glob("*.yaml")}
    assert set(files) == set(LAUNCHERS)
    assert all(f"override /hydra/launcher: {LAUNCHERS[name]}\n" in text for name, text in files.items())


def message(*overrides: str) -> str:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whichever of Hydra's and OmegaConf's
        composed("dataset=csv", *overrides)
    said = configuration_message(caught.value)
    assert "\n" not in said
    return said


def test_unknown_keys_and_wrong_types_name_the_key_and_what_is_allowed() -> None:
    assert message("model.widht=3").startswith("model.widht: no such key; did you mean width? known: name, heads")
    assert message("hydra.sweeper.n_trails=3").startswith("hydra.sweeper.n_trails: no such key; did you mean n_trials?")
    assert message("settings.zzz=3").startswith("settings.zzz: no such key; known: is_debug")
    assert message("settings.epochs=abc").startswith("settings.epochs: Value 'abc'")
    wrong = message("settings.criterion=mae")
    assert all(word in wrong for word in ("settings.criterion", "mae", "mse", "l1", "smoothl1"))
    assert (
        message("model=resnet")
        == "model=resnet: no such file in hydra/model/; known: auto, bt, dol, don, dot, lstm, nss, ssm"
    )


def test_names_that_need_quotes_are_explained() -> None:
    with pytest.raises(OverrideParseException) as caught:
        composed("dataset.targets=[a b,(c]")
    assert configuration_message(caught.value).startswith("dataset.targets=[a b,(c]: not readable as key=value; put")
    with pytest.raises(Exception) as caught:  # noqa: PT011
        composed("dataset.targets=pressure")
    assert configuration_message(caught.value) == "dataset.targets: give a list, also of one: [a]"
