"""What the store refuses is set aside with its reason, and the rest is sent; damaged journals end in a message."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from mlflow.entities import Param
from mlflow.exceptions import MlflowException
from mlflow.protos import databricks_pb2 as codes
from tracking.fake_store import FakeStore

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.tracking import sender as sending
from surrogate_modeling.tracking.journal import JOURNAL, REFUSED, STATE, is_sent, recorded_tags
from surrogate_modeling.tracking.sender import Sender, send_later
from surrogate_modeling.tracking.store_errors import ErrorKind, error_kind

START = {"op": "start", "time": 1, "experiment": "e", "name": "n", "tags": {"run_key": "k 1", "mine": "x"}}
RECORD = [
    START,
    {"op": "params", "time": 1, "values": {"a.b": "1", "bad param": "2", "c": "3"}},
    {"op": "metrics", "time": 2, "values": {"loss": 0.5, "bad": 1.0, "y": 2.0}, "step": 0},
    {"op": "metrics", "time": 3, "values": {"loss": 0.25, "bad": 2.0, "y": 1.0}, "step": 1},
    {"op": "tags", "time": 4, "values": {"error": "none"}},
    {"op": "artifacts", "time": 5},
    {"op": "register", "time": 6, "name": "plant/v1"},
    {"op": "finish", "time": 7, "status": "FINISHED"},
]


def write(folder: Path, entries: list[dict[str, Any]]) -> Path:
    (folder / "csv").mkdir(parents=True, exist_ok=True)
    (folder / "csv" / "good.csv").write_text("1")
    (folder / "csv" / "bad.csv").write_text("2")
    (folder / "train.log").write_text("3")
    (folder / JOURNAL).write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return folder


def sender_to(store: FakeStore, folder: Path) -> Sender:
    sender = Sender(folder)
    sender._client = store
    return sender


def refusals(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / REFUSED).read_text().splitlines()]


def test_the_rest_is_sent_and_what_was_refused_is_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = write(tmp_path / "run", RECORD)
    store = FakeStore("bad", "bad param", "bad.csv", "plant/v1")
    sender = sender_to(store, folder)
    sender.send_pending()
    (run,) = store.runs.values()
    assert run["params"] == {"a.b": "1", "c": "3"}
    assert run["metrics"] == {"loss": {0: 0.5, 1: 0.25}, "y": {0: 2.0, 1: 1.0}}
    assert run["tags"] == {"run_key": "k 1", "mine": "x", "error": "none"}
    # By then the refusals are a file of the run like any other.
    assert sorted(run["files"]) == ["csv/good.csv", REFUSED, "train.log"]
    assert run["status"] == "FINISHED"
    assert [(r["op"], r.get("key") or r.get("file") or r.get("name"), r["reason"]) for r in refusals(folder)] == [
        ("params", "bad param", "Invalid value ['bad param']"),
        ("metrics", "bad", "Invalid value ['bad']"),
        ("metrics", "bad", "Invalid value ['bad']"),
        ("artifacts", "csv/bad.csv", "Invalid value ['bad.csv']"),
        ("register", "plant/v1", "Invalid value ['plant/v1']"),
    ]
    assert refusals(folder)[1]["value"] == 1.0
    assert is_sent(folder)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 4, "one message for a name that is refused in each epoch"
    assert (
        said[1]
        == f"not recorded: metrics bad: Invalid value ['bad']; it is kept in {folder / REFUSED}, the rest goes on"
    )
    assert sending.clear_folder(sender) == f"/store/{0:032x}/artifacts"
    assert (folder / "csv" / "bad.csv").exists(), "the only copy of what was refused"


def test_what_is_at_fault_among_many_is_found_in_few_calls(tmp_path: Path) -> None:
    names = [f"m{i}" for i in range(500)]
    entry = {"op": "metrics", "time": 1, "values": dict.fromkeys(names, 1.0), "step": 0}
    store = FakeStore("m77", "m400")
    sender_to(store, write(tmp_path, [START, entry])).send_pending()
    assert len(store.runs[f"{0:032x}"]["metrics"]) == 498
    assert store.calls < 45


def test_a_run_that_the_store_no_longer_has_is_recorded_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = write(tmp_path, RECORD[:4])
    sender_to(FakeStore(), folder).send_pending()
    with (folder / JOURNAL).open("a") as journal:
        journal.writelines(json.dumps(entry) + "\n" for entry in RECORD[4:])
    other = FakeStore()
    sender_to(other, folder).send_pending()
    (run,) = other.runs.values()
    assert run["metrics"]["loss"] == {0: 0.5, 1: 0.25}
    assert run["status"] == "FINISHED"
    assert "does not have this run; it is recorded anew there" in caplog.text


def test_a_quote_in_the_key_does_not_end_the_filter(tmp_path: Path) -> None:
    entry = {**START, "tags": {"run_key": 'it\'s "mine" 1'}}
    store = FakeStore()
    for place in ("a", "b"):
        sender_to(store, write(tmp_path / place, [entry])).send_pending()
    assert [run["tags"]["run_key"] for run in store.runs.values()] == ["it_s _mine_ 1"]


def test_calls_are_short_enough_for_the_store() -> None:
    items = [Param(f"key{i}", "圧" * 6000) for i in range(200)]
    parts = list(sending._parts(items, 90))
    assert [item for part in parts for item in part] == items
    # A letter beyond ASCII takes six bytes in JSON.
    assert max(sum(len(json.dumps(item.value)) for item in part) for part in parts) < 1e6
    assert [len(part) for part in sending._parts([Param(str(i), "x") for i in range(200)], 90)] == [90, 90, 20]


def of_status(status: int) -> requests.HTTPError:
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError("said", response=response)


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (MlflowException("Invalid value", codes.INVALID_PARAMETER_VALUE), ErrorKind.refused),
        (MlflowException("(psycopg.errors.DataError) too long (https://sqlalche.me/e/20/9h9h)", codes.BAD_REQUEST), ErrorKind.refused),
        (MlflowException("(psycopg.InterfaceError) closed (https://sqlalche.me/e/20/rvf5)", codes.BAD_REQUEST), ErrorKind.away),
        (MlflowException("nobody", codes.UNAUTHENTICATED), ErrorKind.denied),
        (MlflowException("not yours", codes.PERMISSION_DENIED), ErrorKind.denied),
        (MlflowException("Detected out-of-date database schema (found version a, but expected b)."), ErrorKind.denied),
        (MlflowException("no run", codes.RESOURCE_DOES_NOT_EXIST), ErrorKind.unknown),
        (MlflowException("oops", codes.INTERNAL_ERROR), ErrorKind.away),
        (MlflowException("locked", codes.TEMPORARILY_UNAVAILABLE), ErrorKind.away),
        (of_status(413), ErrorKind.refused),
        (of_status(403), ErrorKind.denied),
        (of_status(502), ErrorKind.away),
        (ConnectionError("refused"), ErrorKind.away),
    ],
)  # fmt: skip
def test_what_an_error_means(error: Exception, answer: ErrorKind) -> None:
    assert error_kind(error) is answer


@pytest.mark.parametrize(
    "line", [b"", b"\x00" * 100 + b"\n", b"[]\n", b'{"op": "tags", "time": 1, "values": {}}\n', b"[" * 9999 + b"\n"]
)
def test_a_record_without_its_start_is_refused_in_one_message(
    tmp_path: Path, line: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / JOURNAL).write_bytes(line + json.dumps(RECORD[1]).encode() + b"\n")
    with pytest.raises(UserError, match=r"tracking\.jsonl: line 1 is not the start of a run"):
        recorded_tags(tmp_path)
    assert send_later([tmp_path]) == 2
    said = capsys.readouterr()
    assert said.err.startswith(f"error: {tmp_path / JOURNAL}: line 1 is not the start of a run")
    assert said.err.count("\n") == 1


def test_damaged_lines_are_set_aside(tmp_path: Path) -> None:
    write(tmp_path, RECORD)
    lines = (tmp_path / JOURNAL).read_bytes().splitlines(keepends=True)
    lines[1:1] = [b"\x00" * 50 + b"\n", b'{"op": "metrics", "time": 1, "step": 0, "values": {"a": "x"}}\n']
    lines[4] = lines[4].replace(b'"metrics"', b'"metrocs"')
    (tmp_path / JOURNAL).write_bytes(b"".join(lines))
    store = FakeStore()
    sender_to(store, tmp_path).send_pending()
    (run,) = store.runs.values()
    assert run["metrics"] == {"loss": {1: 0.25}, "bad": {1: 2.0}, "y": {1: 1.0}}
    assert run["status"] == "FINISHED"
    first = len(lines[0])
    assert [(r["byte"], r["reason"]) for r in refusals(tmp_path)] == [
        (first, "not readable as JSON"),
        (first + 51, "metrics: no usable values"),
        (sum(map(len, lines[:4])), "not an entry of a record"),
    ]


def test_a_line_too_long_to_be_ours_is_not_taken_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("surrogate_modeling.tracking.entries.MAX_LINE_BYTES", 1000)
    write(tmp_path, RECORD)
    lines = (tmp_path / JOURNAL).read_bytes().splitlines(keepends=True)
    lines.insert(1, b"x" * 5555 + b"\n")
    (tmp_path / JOURNAL).write_bytes(b"".join(lines))
    store = FakeStore()
    sender_to(store, tmp_path).send_pending()
    assert [r["reason"] for r in refusals(tmp_path)] == ["longer than 1,000 bytes"]
    assert next(iter(store.runs.values()))["params"]["c"] == "3"


@pytest.mark.parametrize(
    "state",
    [b"", b"{}", b"[1]", b'{"sent": 99999, "run_id": null}', b'{"sent": -1, "run_id": null}', b'{"sent": 3, "run_id": "x"}', b'{"sent": 1e99, "run_id": 5}', b"\xff\x00"],
)  # fmt: skip
def test_a_damaged_state_sends_the_record_again(tmp_path: Path, state: bytes, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, RECORD)
    (tmp_path / STATE).write_bytes(state)
    store = FakeStore()
    sender_to(store, tmp_path).send_pending()
    assert [run["metrics"]["loss"] for run in store.runs.values()] == [{0: 0.5, 1: 0.25}]
    assert "damaged" in caplog.text
    assert is_sent(tmp_path)


WHOLE = "".join(json.dumps(entry) + "\n" for entry in RECORD).encode()
DAMAGE = st.lists(st.tuples(st.integers(0, len(WHOLE)), st.integers(0, 40), st.binary(max_size=12)), max_size=4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(DAMAGE, st.one_of(st.none(), st.binary(max_size=40)))
@example([(0, 1, b"\n")], None)
@example([(len(WHOLE) - 1, 1, b"")], b'{"sent": 0, "run_id": "0"}')
def test_whatever_the_damage_it_ends_in_a_message_or_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: list[tuple[int, int, bytes]], state: bytes | None
) -> None:
    logging.getLogger("surrogate_modeling.tracking").setLevel(logging.CRITICAL)
    folder = tmp_path / "run"
    write(folder, RECORD)
    content = WHOLE
    for start, length, new in damage:
        content = content[:start] + new + content[start + length :]
    (folder / JOURNAL).write_bytes(content)
    for name in (STATE, REFUSED):
        (folder / name).unlink(missing_ok=True)
    if state is not None:
        (folder / STATE).write_bytes(state)
    monkeypatch.setattr(sending, "connect", FakeStore)
    monkeypatch.setattr(sending, "check_store", lambda: None)
    code = send_later([folder])
    assert code in (0, 1, 2)
    if not damage and state is None:
        assert code == 0
