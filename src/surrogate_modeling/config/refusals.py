"""Error messages and exit codes of every command.

0 done, 1 an internal error (with its traceback), 2 an error that the user can correct, 130 interrupted.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf.errors import OmegaConfBaseException

from surrogate_modeling.common.atomic_file import full_disk
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.passwords import without_passwords
from surrogate_modeling.common.run_log import make_logs_safe
from surrogate_modeling.common.tables import printable_lines
from surrogate_modeling.config.quoting import quoted
from surrogate_modeling.config.unknown_keys import no_such_key

PERMISSION_ERRNOS = (errno.EACCES, errno.EPERM, errno.EROFS)
# A file of hydra/launch/ -> the launcher that it chooses.
LAUNCHERS = {"joblib": "joblib", "ray": "ray", "slurm": "submitit_slurm", "local": "submitit_local"}
# Errors that a user can correct: those of the project, and those of Hydra and OmegaConf about a configuration.
REFUSALS = (UserError, HydraException, OmegaConfBaseException)


def run_command(main: Callable[[], Any], *, searches: bool = False) -> int:
    """Run a Hydra command and return its exit code.

    Args:
        main: decorated with ``hydra.main``.
        searches: whether its ``-m`` is a search, which ``+launch=`` is for.
    """
    # Otherwise Hydra prints its own message of many lines and exits by itself.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    # pandas imports it, and it says on each start how many threads it uses.
    logging.getLogger("numexpr").setLevel(logging.WARNING)
    sys.argv[1:] = quoted(sys.argv[1:])
    sys.excepthook = _print_traceback
    try:
        if not searches:
            _refuse_launch(sys.argv[1:])
        main()
    except REFUSALS as error:
        return print_refusal(_message(error))
    except OSError as error:
        refusal = full_disk(error, Path.cwd())
        if refusal is None and error.errno not in PERMISSION_ERRNOS:
            raise
        return print_refusal(str(refusal) if refusal else _permission_message(error))
    except (ValueError, TypeError, AttributeError, KeyError, AssertionError) as error:
        if not _raised_by_hydra(error):
            raise
        return print_refusal(f"the command line cannot be composed: {' '.join(str(error).split())}")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


def _refuse_launch(arguments: Sequence[str]) -> None:
    """Refuse ``+launch=``, whose keys are those of a search.

    Raises:
        UserError: it was given.
    """
    for argument in arguments:
        group, _, name = argument.lstrip("+").partition("=")
        if group == "launch":
            known = LAUNCHERS.get(name, " or ".join(sorted(LAUNCHERS.values())))
            raise UserError(f"{argument}: is for searches, pdm run train -m; here give hydra/launcher={known}, with -m")


def _permission_message(error: OSError) -> str:
    return (
        f"{error.filename}: {error.strerror}; give folders of your own: hydra.run.dir=<folder> "
        "(of a search hydra.sweep.dir=<folder>), and MLFLOW_TRACKING_URI=sqlite:///<file>"
    )


def _print_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print the traceback of an internal error as Python does, without passwords."""
    sys.stderr.write(without_passwords("".join(traceback.format_exception(kind, error, trace))))


def _raised_by_hydra(error: BaseException) -> bool:
    """Whether a built-in exception comes from Hydra, which has no error of its own for e.g. ``settings=-2``."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    name = str(frame.tb_frame.f_globals.get("__name__")) if frame else ""
    return name.split(".")[0] in ("hydra", "omegaconf", "antlr4")


def print_refusal(message: str) -> int:
    """Print an error message and return its exit code."""
    print(printable_lines(without_passwords(f"error: {message}")), file=sys.stderr)
    return 2


@contextmanager
def refusals() -> Iterator[None]:
    """Print a refusal inside a Hydra task and exit; in a search it is raised again, and fails the trial only."""
    make_logs_safe()
    try:
        yield
    except REFUSALS as error:
        if HydraConfig.get().mode is RunMode.RUN:
            # Hydra would print a line of its own before the message of an exception.
            sys.exit(print_refusal(_message(error)))
        raise


@contextmanager
def removed_if_refused(folder: Path) -> Iterator[None]:
    """Remove the folder of a run if the input is refused before anything was recorded."""
    try:
        yield
    except REFUSALS:
        if not (folder / "tracking.jsonl").exists():
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _message(error: BaseException) -> str:
    return str(error) if isinstance(error, UserError) else configuration_message(error)


def one_line(error: Exception) -> str:
    """Why a run failed, in one line; the kind of an error that is no refusal, too."""
    if isinstance(error, HydraException | OmegaConfBaseException):
        return configuration_message(error)
    text = " ".join(str(error).split())[:500]
    return text if isinstance(error, UserError) else f"{type(error).__name__}: {text}"


def configuration_message(error: BaseException) -> str:
    """One-line message for an error of Hydra or OmegaConf: the key, the given value, the allowed ones."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OmegaConfBaseException):
        cause = cause.__cause__
    message = " ".join(line.strip() for line in str(error).splitlines() if line.strip())
    if isinstance(error, OverrideParseException):
        return (
            f"{error.override}: not readable as key=value; put names with anything but Latin letters, digits, '_', "
            "'-', '.' and '/' in quotes, and the whole in the shell's: 'dataset.targets=[\"圧力\",\"T out\"]'"
        )
    if isinstance(error, MissingConfigException) and error.options:
        group, _, name = str(error.missing_cfg_file).rpartition("/")
        available = [option for option in error.options if not option.endswith("_schema")]
        return f"{group}={name}: no such file in hydra/{group}/; known: {', '.join(available)}"
    if not isinstance(cause, OmegaConfBaseException):
        return message
    key = str(cause.full_key or "")
    reason = str(cause).splitlines()[0]
    if "is not a ListConfig" in reason:
        reason = "give a list, also of one: [a]"
    fields = list(getattr(cause.object_type, "__dataclass_fields__", {}))
    if not fields and "is not in struct" in reason and cause.parent_node is not None:
        # Hydra's own keys have no dataclass.
        fields = [name for name in map(str, cause.parent_node) if not name.startswith("_")]
    if "not in" in reason and fields:
        return no_such_key(key, fields)
    return f"{key}: {reason}" if key and key not in reason else reason
