"""What a run says, counted, and said on a full disk."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from builders import disk, fill

from surrogate_modeling.common.run_log import make_logs_safe, report_full_disk_once, warnings_counted


def test_warnings_are_counted_and_those_of_the_store_are_not() -> None:
    log = logging.getLogger("surrogate_modeling.anything")
    with warnings_counted() as counted:
        assert counted.summary() == ""
        for case in ("a", "b", "a"):
            log.warning("case %s is short", case)
        log.info("not this")
        with warnings_counted() as inner:
            log.error("worse")
        assert inner is counted
        logging.getLogger("surrogate_modeling.tracking").warning("the store is away")
    log.warning("after it")
    assert counted.summary() == "2 x case a is short\n1 x case b is short\n1 x worse"


def test_passwords_are_in_no_log_not_even_in_tracebacks(tmp_path: Path) -> None:
    handler, root = logging.FileHandler(tmp_path / "train.log"), logging.getLogger()
    handler.setFormatter(logging.Formatter("[%(levelname)s] %(message)s"))
    root.addHandler(handler)
    try:
        for _ in range(2):
            make_logs_safe()
        try:
            raise OSError("no answer from http://eve:s3cret@host/")
        except OSError:
            root.exception("store %s failed", "http://eve:s3cret@host/")
    finally:
        root.removeHandler(handler)
        handler.close()
    written = (tmp_path / "train.log").read_text()
    assert written.startswith("[ERROR] store http://eve:***@host/ failed\nTraceback")
    assert written.rstrip().endswith("OSError: no answer from http://eve:***@host/")


def test_of_very_many_the_rest_is_counted() -> None:
    with warnings_counted() as counted:
        for number in range(50):
            logging.getLogger("x").warning("warning %d", number)
    lines = counted.summary().splitlines()
    assert (len(lines), lines[0], lines[-1]) == (31, "1 x warning 0", "and 20 more, see above")


def test_a_full_disk_is_said_once_by_a_log_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with disk(tmp_path, "64k") as folder:
        handler = logging.FileHandler(folder / "train.log")
        root = logging.getLogger()
        root.addHandler(handler)
        try:
            report_full_disk_once()
            fill(folder)
            for _ in range(3):
                handler.handle(logging.makeLogRecord({"msg": "x" * 5000}))
            said = capsys.readouterr().err
            assert said == f"{folder}/train.log: No space left on device; log lines from here on are missing there\n"
            handler.handle(logging.makeLogRecord({"msg": "%d", "args": ("not a number",)}))
            assert "Traceback" in capsys.readouterr().err, "a mistake of ours is still shown"
        finally:
            root.removeHandler(handler)
            (folder / "ballast").unlink()
            handler.close()


def test_names_steer_no_terminal_and_what_its_encoding_lacks_is_escaped(tmp_path: Path) -> None:
    """In a process of its own: ASCII is the encoding of everything there."""
    code = (
        "import logging, sys; from surrogate_modeling.common.run_log import make_logs_safe;"
        "from surrogate_modeling.common.file_names import file_names;"
        "logging.basicConfig(level=logging.INFO, handlers=[logging.StreamHandler(sys.stdout), "
        "logging.FileHandler('a.log')], format='%(message)s'); make_logs_safe();"
        "logging.info('T \\x1b[31m\\u202e 圧力\\nsecond line');"
        "open(file_names(['圧力.a'])['圧力.a'] + '.png', 'w').close()"
    )
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    script = tmp_path / "a.py"
    script.write_text(code, encoding="utf-8")
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, env=environment, capture_output=True, check=True)
    assert done.stderr == b""
    assert done.stdout == rb"T \x1b[31m\u202e \u5727\u529b" + b"\nsecond line\n"
    assert (tmp_path / "a.log").read_text(encoding="utf-8") == "T \\x1b[31m\\u202e 圧力\nsecond line\n"
    assert len(list(tmp_path.glob("__.a~*.png"))) == 1


@pytest.mark.parametrize("say", ["logging.info", "print_text"])
def test_a_reader_that_leaves_ends_the_lines_without_a_traceback(tmp_path: Path, say: str) -> None:
    script = tmp_path / "a.py"
    script.write_text(
        "import logging, sys\n"
        "from surrogate_modeling.common.console import print_text\n"
        "from surrogate_modeling.common.run_log import make_logs_safe\n"
        "logging.basicConfig(level=logging.INFO, stream=sys.stdout)\n"
        "make_logs_safe(); make_logs_safe()\n"
        "sys.stdin.read()\n"
        f"for _ in range(5): {say}('x' * 100_000)\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, script], **pipes, text=True) as process:  # type: ignore[call-overload]
        process.stdout.close()
        process.stdin.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0
