"""A process with the heavy libraries imported, which forks for each command that it is asked to run.

Commands under test start in a fraction of a second instead of the seconds that torch, Lightning and MLflow take; our
own modules are imported anew in each. Standard input brings a command per line (JSON: arguments, folder, environment,
files of the output), standard output gives its exit code.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import sys
import threading
import types
from pathlib import Path
from typing import Any, NoReturn

LIBRARIES = ("hydra", "torch", "pytorch_lightning", "mlflow")


def serve() -> dict[str, Any] | None:
    """Fork for each command; gives the command in the process that is to run it, None at the end of the input."""
    for name in LIBRARIES:
        importlib.import_module(name)
    # What a collection of garbage does not look at stays memory that all processes share.
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            return dict(json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
    return None


def run(arguments: list[str], folder: str, environment: dict[str, str], files: list[str]) -> None:
    """Do what ``python <arguments>`` does, its input empty and its output and errors in two files."""
    for number, (file, flags) in enumerate([(os.devnull, os.O_RDONLY), *((file, os.O_WRONLY) for file in files)]):
        os.dup2(os.open(file, flags), number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    first, *rest = arguments
    if first == "-m":
        sys.argv, sys.path[0] = rest, folder
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif first == "-c":
        sys.argv, sys.path[0] = ["-c", *rest[1:]], ""
        sys.modules["__main__"] = main = types.ModuleType("__main__")
        exec(compile(rest[0], "<string>", "exec"), main.__dict__)
    else:
        sys.argv, sys.path[0] = arguments, str(Path(first).parent)
        runpy.run_path(first, run_name="__main__")


def run_to_the_end(arguments: list[str], folder: str, environment: dict[str, str], files: list[str]) -> NoReturn:
    """Run it and end as the interpreter does, but for freeing all libraries: that takes longer than most commands."""
    code: object = 0
    try:
        run(arguments, folder, environment, files)
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


if __name__ == "__main__":
    asked = serve()
    if asked is None:
        os._exit(0)
    run_to_the_end(**asked)
