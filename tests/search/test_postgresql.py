"""Searches that keep their study in a real PostgreSQL server, which is started for the tests where one is installed."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import optuna
import pytest
from searching import APP, SPACE, App, states, wait_for_trial

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.search.storage import open_storage

PASSWORD = "s3cret-word"
INSTALLED = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
INITDB = shutil.which("initdb") or (str(INSTALLED[-1]) if INSTALLED else None)

pytest.importorskip("psycopg", reason="the extra postgresql is not installed")
pytestmark = pytest.mark.skipif(INITDB is None, reason="no PostgreSQL server is installed")


@dataclass(frozen=True)
class Server:
    """A server of its own; its user is postgres.

    Attributes:
        address: host, port and database.
        control: has a word, ``start`` or ``stop``, done.
    """

    address: str
    control: Callable[[str], object]


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    assert INITDB is not None
    # The server refuses to be run by root, and its user cannot look into pytest's folders.
    owner = "postgres" if os.getuid() == 0 else getpass.getuser()
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    (folder / "password").write_text(PASSWORD)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for path in (folder, folder / "password"):
        shutil.chown(path, owner)
    user = owner if os.getuid() == 0 else None
    own = {"user": user, "cwd": folder, "check": True, "capture_output": True, "timeout": 120}
    data, control = str(folder / "data"), str(Path(INITDB).with_name("pg_ctl"))
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    try:
        subprocess.run(
            [INITDB, "-D", data, "-U", "postgres", "-A", "scram-sha-256", f"--pwfile={folder}/password"], **own
        )
        command = [control, "-D", data, "-o", options, "-l", str(folder / "log"), "-m", "immediate", "-w"]
        subprocess.run([*command, "start"], **own)
        yield Server(f"127.0.0.1:{port}/postgres", lambda word: subprocess.run([*command, word], **own))
    finally:
        subprocess.run([control, "-D", data, "-m", "immediate", "stop"], **{**own, "check": False})
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def server(own_server: Server) -> str:
    return own_server.address


@pytest.fixture
def app(tmp_path: Path, server: str) -> App:
    """The command; the password is in a file for libpq, as the docs say."""
    app = App(tmp_path)
    host, _, rest = server.partition(":")
    port, _, _ = rest.partition("/")
    passwords = tmp_path / "pgpass"
    passwords.write_text(f"{host}:{port}:*:postgres:{PASSWORD}\n")
    passwords.chmod(0o600)
    app.environment["PGPASSFILE"] = str(passwords)
    return app


def trials(server: str, name: str) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name=name, storage=f"postgresql://postgres:{PASSWORD}@{server}").trials


@pytest.mark.slow
def test_a_killed_search_and_two_at_once_come_to_exactly_n(app: App, server: str) -> None:
    arguments = [
        *SPACE, f"hydra.sweeper.storage=postgresql://postgres@{server}", "hydra.sweeper.study_name=shared",
        "hydra.sweeper.n_trials=5",
    ]  # fmt: skip
    app.environment["SLEEP"] = "5"
    killed = app.start(*arguments)
    app.environment["SLEEP"] = "0.5"
    wait_for_trial(killed)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    both = [app.start(*arguments) for _ in range(2)]
    outputs = [process.communicate(timeout=300)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    found = trials(server, "shared")
    assert states(found) == {"COMPLETE": 5, "FAIL": 1}
    complete = {tuple(trial.params.values()) for trial in found if trial.state.name == "COMPLETE"}
    assert len(complete) == 5
    assert sum("was running when its process ended" in output for output in outputs) == 1


@pytest.mark.slow
def test_four_processes_added_and_killed_come_to_exactly_n_without_waiting(app: App, server: str) -> None:
    arguments = [
        *SPACE, f"hydra.sweeper.storage=postgresql://postgres@{server}", "hydra.sweeper.study_name=four",
        "hydra.sweeper.n_trials=24", "hydra/sweeper/sampler=random",
    ]  # fmt: skip
    # One slow worker: where a free one waited for it, the others would do no more trials than it does.
    app.environment["SLEEP"] = "8"
    slow = app.start(*arguments)
    app.environment["SLEEP"] = "0.2"
    quick = [app.start(*arguments) for _ in range(2)]
    victim = quick[0]
    wait_for_trial(victim)
    added = app.start(*arguments)
    victim.send_signal(signal.SIGKILL)
    victim.communicate()
    outputs = [process.communicate(timeout=300)[0] for process in (slow, quick[1], added)]
    assert [process.returncode for process in (slow, quick[1], added)] == [0, 0, 0], outputs
    found = trials(server, "four")
    complete = [trial for trial in found if trial.state.name == "COMPLETE"]
    assert len(complete) == 24
    assert len({tuple(trial.params.values()) for trial in complete}) == 24
    assert set(states(found)) <= {"COMPLETE", "FAIL"}
    by_slow = sum(f"trial {trial.number}: " in outputs[0] for trial in complete)
    assert 0 < by_slow < 8


@pytest.mark.slow
def test_a_server_that_is_away_for_a_moment_costs_no_trial(app: App, own_server: Server) -> None:
    """It stops while a trial runs, so that the trial's end cannot be told, and is started again."""
    app.environment["SLEEP"] = "1"
    process = app.start(
        *SPACE, f"hydra.sweeper.storage=postgresql://postgres@{own_server.address}", "hydra.sweeper.study_name=away",
        "hydra.sweeper.n_trials=4", "hydra/sweeper/sampler=random",
    )  # fmt: skip
    wait_for_trial(process)
    own_server.control("stop")
    said = ""
    assert process.stdout is not None
    while "does not answer" not in (line := process.stdout.readline()):
        said += line
        assert line, said
    own_server.control("start")
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, line + output
    assert (
        f"hydra.sweeper.storage=postgresql://postgres@{own_server.address} does not answer: OperationalError: " in line
    )
    assert "it is asked again for 10 min" in line
    assert "answers again" in output
    assert "Traceback" not in said + output
    found = trials(own_server.address, "away")
    assert states(found) == {"COMPLETE": 4}
    assert len({tuple(trial.params.values()) for trial in found}) == 4


@pytest.mark.slow
def test_a_server_that_stays_away_ends_the_search_in_one_line(app: App, own_server: Server) -> None:
    program = app.folder / "app.py"
    program.write_text("import surrogate_modeling.search.away as away; away.SECONDS_OF_PATIENCE = 2.0\n" + APP)
    app.environment["SLEEP"] = "1"
    arguments = [
        *SPACE, f"hydra.sweeper.storage=postgresql://postgres@{own_server.address}", "hydra.sweeper.study_name=gone",
        "hydra.sweeper.n_trials=2", "hydra/sweeper/sampler=random",
    ]  # fmt: skip
    process = app.start(*arguments)
    wait_for_trial(process)
    own_server.control("stop")
    try:
        output, _ = process.communicate(timeout=120)
    finally:
        own_server.control("start")
    assert process.returncode == 2, output
    assert "Traceback" not in output
    assert "trial 0 stays RUNNING in the study: " in output
    assert output.rstrip().endswith("when it does, the same command goes on with the study")
    code, output = app.run(*arguments)
    assert code == 0, output
    assert states(trials(own_server.address, "gone")) == {"COMPLETE": 2, "FAIL": 1}


def test_a_password_in_the_environment_is_written_nowhere(app: App, server: str) -> None:
    app.environment["STUDIES"] = f"postgresql://postgres:{PASSWORD}@{server}"
    code, output = app.run(
        *SPACE, "hydra.sweeper.storage=${oc.env:STUDIES}", "hydra.sweeper.study_name=secret", "hydra.sweeper.n_trials=1"
    )
    assert code == 0, output
    assert f"search secret in postgresql://postgres:***@{server}" in output
    assert states(trials(server, "secret")) == {"COMPLETE": 1}
    written = [path for path in (app.folder / "out").rglob("*") if path.is_file()]
    assert written
    assert not [path for path in written if PASSWORD in path.read_text(errors="ignore")]
    assert PASSWORD not in output


def test_a_server_that_cannot_be_reached_is_one_message_without_the_password(server: str) -> None:
    for url, reason in (
        (f"postgresql://postgres:wrong-{PASSWORD}@{server}", "password authentication failed"),
        (f"postgresql://postgres:{PASSWORD}@127.0.0.1:1/postgres", "127.0.0.1"),
    ):
        with pytest.raises(UserError) as refusal:
            open_storage(url)
        assert "hydra.sweeper.storage=postgresql://postgres:***@" in str(refusal.value)
        assert reason in str(refusal.value)
        assert PASSWORD not in str(refusal.value)


def test_without_its_driver_the_hint_names_our_extra() -> None:
    with pytest.raises(
        UserError, match=r"cannot be opened: ModuleNotFoundError: .*; install its driver: .*-G postgresql"
    ):
        open_storage("postgresql+psycopg2://postgres@127.0.0.1:1/postgres")
