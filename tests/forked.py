"""Python commands forked from a process that has the heavy libraries imported.

Commands under test start in a fraction of a second instead of the seconds that torch, Lightning and MLflow take; our
own modules are imported anew in each.
"""

import atexit
import gc
import multiprocessing
import os
import runpy
import signal
import sys
import threading
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

LIBRARIES = ("hydra", "torch", "pytorch_lightning", "mlflow")


class Forked:
    """What ``python <arguments>`` is, its input empty and its output and errors in two files; used as a Popen is."""

    def __init__(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], files: Sequence[Path]
    ) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(LIBRARIES))
        given = [*arguments], folder, {**environment}, files
        self._process = context.Process(target=_run_to_the_end, args=given)
        self._process.start()

    def poll(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self._process.pid or 0, number)

    def wait(self, timeout: float | None = None) -> int | None:
        """The exit code; None where it is at work still."""
        self._process.join(timeout)
        return self._process.exitcode

    def kill_with_children(self) -> None:
        os.killpg(self._process.pid or 0, signal.SIGKILL)
        self._process.join()


def _run(arguments: list[str], folder: Path, environment: dict[str, str], files: Sequence[Path]) -> None:
    """Do what ``python <arguments>`` does."""
    # What a collection of garbage does not look at stays memory that all processes share.
    gc.freeze()
    os.setsid()
    for number, (file, flags) in enumerate(
        [(Path(os.devnull), os.O_RDONLY), *((file, os.O_WRONLY | os.O_CREAT) for file in files)]
    ):
        os.dup2(os.open(file, flags), number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    # The modules of the tests are not those of a command.
    here = str(Path(__file__).parent)
    paths = [path for path in sys.path if path not in ("", here)]
    first, *rest = arguments
    if first == "-m":
        sys.argv, sys.path = rest, [str(folder), *paths]
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif first == "-c":
        sys.argv, sys.path = ["-c", *rest[1:]], ["", *paths]
        sys.modules["__main__"] = main = types.ModuleType("__main__")
        exec(compile(rest[0], "<string>", "exec"), main.__dict__)
    else:
        sys.argv, sys.path = arguments, [str(Path(first).parent), *paths]
        runpy.run_path(first, run_name="__main__")


def _run_to_the_end(arguments: list[str], folder: Path, environment: dict[str, str], files: Sequence[Path]) -> NoReturn:
    """Run it and end as the interpreter does, but for freeing all libraries: that takes longer than most commands."""
    code: object = 0
    try:
        _run(arguments, folder, environment, files)
    except SystemExit as error:
        code = error.code or 0
        if not isinstance(code, int):
            print(code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)
