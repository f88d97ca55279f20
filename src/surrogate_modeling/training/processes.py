"""Train one network in several processes of this machine, started for it; this one watches them.

None of them is this process: whatever becomes of them, it is there to say so, and to record how the run ended.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import sys
from collections.abc import Sequence
from logging.handlers import QueueHandler
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import torch
from torch import distributed
from torch.multiprocessing.spawn import ProcessContext, ProcessException, start_processes

from surrogate_modeling.common.child_process import follow_parent, interrupts_held_back
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.progress import OnEpoch
from surrogate_modeling.training.checkpoints import FitResult
from surrogate_modeling.training.job import Place, TrainingJob
from surrogate_modeling.training.lightning import find_free_network_port

PRODUCT = __name__.partition(".")[0]
JOB_FILE = "job.pickle"
# Not fork: this process has threads of torch and of the tracking client.
START_METHOD = "spawn"
# For processes that are told to end.
SECONDS_TO_END = 5.0


def train_in_processes(job: TrainingJob, devices: Sequence[torch.device], on_epoch: OnEpoch) -> FitResult:
    """Train with one process on each device; the best weights are in the job's folder then.

    Args:
        job: to do.
        devices: of this machine.
        on_epoch: is given the losses and the epoch's number after each epoch, in this process.

    Raises:
        UserError: the training diverged, there was too little memory, or a process was killed.
    """
    # As plain bytes: what is sent as tensors would be one memory, which all processes train at once. In a file:
    # arguments are read when a process is ready for them, and only then the next one would be started.
    job.surrogate.to("cpu")
    job.folder.mkdir(parents=True, exist_ok=True)
    packed, port = job.folder / JOB_FILE, find_free_network_port()
    packed.write_bytes(pickle.dumps(job))
    receivers, senders = zip(*(Pipe(duplex=False) for _ in devices), strict=True)
    logging.getLogger("torch.multiprocessing").setLevel(logging.ERROR)
    with interrupts_held_back():
        arguments = (packed, tuple(devices), port, senders)
        context = start_processes(_work, arguments, len(devices), join=False, daemon=True, start_method=START_METHOD)
    for sender in senders:
        sender.close()
    heard = _Heard(on_epoch, list(receivers))
    try:
        while not context.join(timeout=0):
            heard.wait(list(context.sentinels))
    except ProcessException as error:
        heard.wait_for_the_rest()
        if heard.error is not None:
            raise heard.error from None
        raise _how_it_ended(context) or error from None
    finally:
        _end(context)
        packed.unlink(missing_ok=True)
    heard.wait_for_the_rest()
    assert heard.result is not None
    return heard.result


class _Heard:
    """What the processes send: log records, metrics of an epoch, the result, or a refusal.

    Args:
        on_epoch: is given the metrics.
        connections: to the processes.
    """

    def __init__(self, on_epoch: OnEpoch, connections: list[Connection]) -> None:
        self.on_epoch, self.connections = on_epoch, connections
        self.result: FitResult | None = None
        self.error: UserError | None = None

    def wait(self, sentinels: Sequence[int]) -> None:
        """Wait until something comes or a process ends, and take what came."""
        for ready in wait([*self.connections, *sentinels]):
            if isinstance(ready, Connection):
                self._take_from(ready)

    def wait_for_the_rest(self) -> None:
        """Take what is still on its way from processes that have ended."""
        while self.connections:
            self.wait([])

    def _take_from(self, connection: Connection) -> None:
        try:
            self._take(connection.recv())
        except (EOFError, OSError):
            self.connections.remove(connection)

    def _take(self, message: Any) -> None:
        if isinstance(message, logging.LogRecord):
            logging.getLogger(message.name).handle(message)
        elif isinstance(message, FitResult):
            self.result = message
        elif isinstance(message, UserError):
            self.error = self.error or message
        else:
            self.on_epoch(*message)


def _how_it_ended(context: ProcessContext) -> UserError | None:
    """The refusal that says which process was killed; None where an error of ours ended them."""
    count = len(context.processes)
    for i, process in enumerate(context.processes):
        code = process.exitcode or 0
        # SIGTERM is what the others were ended with.
        if code < 0 and code != -signal.SIGTERM:
            why = ", most likely for want of memory" if code == -signal.SIGKILL else ""
            return UserError(
                f"process {i + 1} of the {count} that trained together was killed ({signal.Signals(-code).name}{why}); "
                "the others were ended"
            )
    return None


def _end(context: ProcessContext) -> None:
    for process in context.processes:
        process.terminate()
    for process in context.processes:
        process.join(SECONDS_TO_END)
        process.kill()


class _Sent(QueueHandler):
    """Log handler that sends records to the process that watches."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(SimpleQueue())
        self.connection = connection

    def enqueue(self, record: logging.LogRecord) -> None:
        """Send a record as text; its arguments may be anything."""
        self.connection.send(record)


def _work(
    rank: int, packed: Path, devices: Sequence[torch.device], port: int, connections: Sequence[Connection]
) -> None:
    """One process of the training."""
    follow_parent()
    connection = connections[rank]
    for other in connections:
        if other is not connection:
            other.close()
    os.environ.update(LOCAL_RANK=str(rank), NODE_RANK="0", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(max(1, torch.get_num_threads() // len(devices)))
    if rank == 0:
        logging.getLogger().addHandler(_Sent(connection))
        logging.getLogger(PRODUCT).setLevel(logging.INFO)
    job: TrainingJob = pickle.loads(packed.read_bytes())

    def on_epoch(metrics: dict[str, float], epoch: int) -> None:
        if rank == 0:
            connection.send((metrics, epoch))

    try:
        result = job.run(on_epoch, Place(devices, rank=rank, local_rank=rank))
    except UserError as error:
        connection.send(error)
        sys.exit(1)
    if rank == 0:
        connection.send(result)
    distributed.destroy_process_group()
