"""Which store is taken, what is refused at once, and that no password is shown."""

import os
import threading
from pathlib import Path

import pytest

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import PROJECT_ROOT
from surrogate_modeling.tracking import store
from surrogate_modeling.tracking.store import PASSWORD, URI, USERNAME, check_store, reason_of, shown_uri, tracking_uri


def refusal(monkeypatch: pytest.MonkeyPatch, uri: str) -> str:
    monkeypatch.setenv(URI, uri)
    with pytest.raises(UserError) as caught:
        check_store()
    return str(caught.value)


def test_without_a_setting_it_lies_in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(URI, raising=False)
    assert tracking_uri() == f"sqlite:///{PROJECT_ROOT}/mlflow.db"


@pytest.mark.parametrize("form", ["file://{}", "{}", "file:{}"])
def test_a_folder_of_files_is_refused_with_the_way_out_in_the_first_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    uri = form.format(tmp_path / "mlruns")
    first, second = refusal(monkeypatch, uri).splitlines()
    instead = f"sqlite:///{tmp_path}/mlflow.db"
    assert first == f"{URI}={uri}: MLflow keeps no runs in folders of files any more: set {URI}={instead}"
    assert second.endswith(f"mlflow migrate-filestore --source {tmp_path}/mlruns --target {instead}")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    check_store()


@pytest.mark.parametrize("uri", ["htp://host", "sqlit:///x.db", "s3://bucket/x"])
def test_kinds_that_nobody_knows(monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    assert refusal(monkeypatch, uri).startswith(f"{URI}={uri}: no kind of store that MLflow knows; give sqlite:///")


@pytest.mark.parametrize("uri", ["http://", "http://eve:pa/s3cret@host", "http://host:port", "http://[::1"])
def test_addresses_that_are_none(monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    said = refusal(monkeypatch, uri)
    assert said.startswith(f"{URI}: not an address like http://<host>:<port>")
    assert "s3cret" not in said


@pytest.mark.parametrize(
    "uri", ["http://host:5000", "https://host/p", "postgresql+psycopg://eve@host/x", "mysql://h/x", "databricks", "sqlite:///:memory:"]
)  # fmt: skip
def test_kinds_that_are_let_through(monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    if uri == "databricks":
        uri = "databricks://profile"
    monkeypatch.setenv(URI, uri)
    check_store()


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="rights by user")
def test_a_place_that_cannot_be_written_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The tests may run as a user whom no right stops.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    uri = f"sqlite:///{tmp_path}/new/mlflow.db"
    assert refusal(monkeypatch, uri) == (
        f"{tmp_path}: cannot be written, and the tracking store {tmp_path}/new/mlflow.db is there; "
        f"set {URI}=sqlite:///<file of your own>"
    )
    check_store(writes=False)


def test_a_login_in_the_address_goes_where_no_library_prints_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (USERNAME, PASSWORD):
        monkeypatch.setenv(name, "other")
    monkeypatch.setenv(URI, "https://eve:p%40ss%2Fw@host:5000/x?y=1")
    assert tracking_uri() == "https://host:5000/x?y=1"
    assert [os.environ[name] for name in (URI, USERNAME, PASSWORD)] == ["https://host:5000/x?y=1", "eve", "p@ss/w"]
    assert tracking_uri() == "https://host:5000/x?y=1"


def test_a_database_keeps_its_login_and_is_shown_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URI, "postgresql://eve:s3cret@host/x")
    assert tracking_uri() == "postgresql://eve:s3cret@host/x"
    assert shown_uri() == "postgresql://eve:***@host/x"


def test_a_reason_is_one_short_line_without_passwords() -> None:
    error = RuntimeError(f"API request to http://eve:s3cret@host failed {'x' * 500}\nmore")
    assert reason_of(error).startswith("API request to http://eve:***@host failed xxx")
    assert len(reason_of(error)) == store.MAX_REASON_LETTERS


def test_two_threads_import_mlflow_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second waits until the first, which is held in its import, goes on."""
    inside, go_on, order = threading.Event(), threading.Event(), list[str]()

    def slow(name: str) -> str:
        order.append("begun")
        inside.set()
        assert go_on.wait(10)
        order.append("done")
        return name

    monkeypatch.setattr(store, "import_module", slow)
    threads = [threading.Thread(target=store.import_mlflow) for _ in range(2)]
    threads[0].start()
    assert inside.wait(10)
    threads[1].start()
    threads[1].join(0.05)
    assert order == ["begun"]
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert order == ["begun", "done", "begun", "done"]
