"""Options of a run that belongs to a search or a comparison: objectives, tags, early stop."""

from __future__ import annotations

from dataclasses import dataclass, field

from surrogate_modeling.common.progress import OnEpoch

OBJECTIVES = {
    "val_loss": "best validation loss",
    "val_nADE": "best nADE of the validation cases during training (settings.free_run_every)",
    "nADE": "nADE of the validation cases in free run, with the best weights",
    "nFDE": "nFDE of the validation cases in free run, with the best weights",
    "prediction_seconds": "seconds a validation case takes in free run",
    "parameters": "trained numbers of the network",
}
# Objectives that follow the validation curve, so that a bad curve may end a trial.
PRUNABLE = ("val_loss", "val_nADE", "nADE", "nFDE")


class Pruned(Exception):
    """The pruner stopped this trial."""


@dataclass(frozen=True)
class Assignment:
    """Options of one run as part of a search or a comparison.

    Attributes:
        objective: which of :data:`OBJECTIVES` the run returns.
        tags: of the record, e.g. the run of the search.
        on_epoch: called with the metrics of each epoch; raises :class:`Pruned` to end the run.
        trial: number in its study; None for a plain run.
        name: of the run in the store; None for the default name.
        keeps_on_interrupt: whether the first Ctrl-C ends training and keeps what there is; else it interrupts.
    """

    objective: tuple[str, ...] = ("val_loss",)
    tags: dict[str, str] = field(default_factory=dict)
    on_epoch: OnEpoch | None = None
    trial: int | None = None
    name: str | None = None
    keeps_on_interrupt: bool = True
