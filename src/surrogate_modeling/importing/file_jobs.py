"""Jobs that are done for every file, in as many threads as fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from surrogate_modeling.common.cores import cores
from surrogate_modeling.common.progress import track
from surrogate_modeling.config.import_keys import ImportConfig
from surrogate_modeling.importing.memory import workers_for
from surrogate_modeling.importing.raw_table import BadFile
from surrogate_modeling.importing.sources import SourceFile

T = TypeVar("T")


@dataclass(frozen=True)
class Problem:
    """A file that cannot be imported, and why."""

    file: SourceFile
    reason: str


def each(
    files: Sequence[SourceFile],
    job: Callable[[SourceFile], T],
    config: ImportConfig,
    description: str = "importing",
) -> tuple[list[T], list[Problem]]:
    """Do a job for every file in threads, and collect results and problems in the order of the files.

    Args:
        files: to work on.
        job: raises a BadFile where it fails.
        config: keys, of which this takes those of threads and of the bar.
        description: of the bar.
    """

    def guarded(file: SourceFile) -> T | Problem:
        """Do the job, and return what is wrong with the file where it fails."""
        try:
            return job(file)
        except BadFile as error:
            return Problem(file, reason(error, file))
        except MemoryError:
            return Problem(file, "does not fit into memory; cases_by=<seconds> cuts it while it is read")

    done: list[T] = []
    problems: list[Problem] = []
    with ThreadPoolExecutor(workers_for(files, config.workers or cores())) as pool:
        results: Iterator[T | Problem] = pool.map(guarded, files)
        try:
            for result in track(results, len(files), description, config.progress_bar):
                if isinstance(result, Problem):
                    problems.append(result)
                else:
                    done.append(result)
        except BaseException:
            # After Ctrl-C, or a full disk, the files that wait are not begun.
            pool.shutdown(cancel_futures=True)
            raise
    return done, problems


def reason(error: BadFile, file: SourceFile) -> str:
    """Place and reason of what is wrong with a file, which is named beside it."""
    return str(error).removeprefix(str(file)).removeprefix(": ").strip()
