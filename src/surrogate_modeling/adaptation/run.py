"""One adaptation, top to bottom: cases, candidates, the choice, the band, before and after, record."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from surrogate_modeling.adaptation.candidates import (
    AS_IT_IS,
    UNIT,
    Candidate,
    as_it_is,
    free_runs,
    score_runs,
    with_units,
)
from surrogate_modeling.adaptation.latents import with_latents
from surrogate_modeling.adaptation.new_cases import NewCases, read_new
from surrogate_modeling.adaptation.old_cases import OldCases, read_old
from surrogate_modeling.adaptation.page import write_page
from surrogate_modeling.adaptation.table import (
    NEW,
    OLD,
    BeforeAfter,
    before_after_table,
    metrics,
    tried_table,
    write_before_after,
)
from surrogate_modeling.adaptation.tuning import CannotTune, Tuning
from surrogate_modeling.cases.case import Case
from surrogate_modeling.cases.groups import unit_names
from surrogate_modeling.common.cores import numpy_on_one_core
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import MODEL_FILE, expanded
from surrogate_modeling.config.adapt_keys import AdaptConfig, How
from surrogate_modeling.config.schema import plain
from surrogate_modeling.evaluation.coverage import Coverage, coverage_table, write_coverage
from surrogate_modeling.experiment.origin import names
from surrogate_modeling.experiment.recording import device_name, git_commit, recorded
from surrogate_modeling.reporting.adaptation_report import FORGOTTEN
from surrogate_modeling.surrogate.lineage import ADAPTED, LineageStep, weights_digest
from surrogate_modeling.surrogate.model import Surrogate
from surrogate_modeling.tracking.run import Run
from surrogate_modeling.tracking.sender import MLFLOW_MODEL
from surrogate_modeling.tracking.serving import save_mlflow_model

log = logging.getLogger(__name__)
# Part of the error over cases left out that more change must take away.
MIN_GAIN = 0.02
TABLE_FILE = "before_after.csv"


@dataclass(frozen=True)
class Adaptation:
    """The inputs: the surrogate before, the new and the old cases, and the configuration."""

    surrogate: Surrogate
    new: NewCases
    old: OldCases
    config: AdaptConfig


def adapt(surrogate: Surrogate, config: AdaptConfig, folder: Path) -> Surrogate:
    """Adapt a surrogate to new cases, log what it brought, record it, and save it.

    Args:
        surrogate: as loaded; it is not changed.
        config: checked.
        folder: of the run, exists.

    Raises:
        UserError: cases that do not do, or a surrogate that cannot be adapted so.
    """
    new = read_new(surrogate.description, config)
    inputs = Adaptation(surrogate, new, read_old(surrogate, config.old), config)
    _warn_of_constants(inputs)
    log.info(
        "%d new cases to adapt to, %d kept out; %d old training cases are there", len(new.given), len(new.kept_out),
        len(inputs.old.training),
    )  # fmt: skip
    parent = weights_digest(surrogate.state_dict())
    params = {key: str(plain(value)) for key, value in asdict(config).items()}
    tags = {
        "git_commit": git_commit(),
        "dataset_fingerprint": new.fingerprint,
        "device": device_name(surrogate.device.type),
        "mlflow.source.name": "adapt.py",
        "mlflow.source.type": "LOCAL",
        "lineage.parent": config.surrogate,
        "lineage.parent_digest": parent,
        "lineage.cases": f"{new.folder} ({new.fingerprint})",
    }
    name = f"adapt {surrogate.description.model.name} {Path(new.folder).name} {folder.name}"
    recording = recorded(Run.start(folder, config.mlflow_exp_name, name, tags, params), "adapt")
    with recording as run, numpy_on_one_core():
        return _adapt(inputs, run, parent)


def _adapt(inputs: Adaptation, run: Run, parent: str) -> Surrogate:
    config, new, began = inputs.config, inputs.new, time.monotonic()
    candidates = _candidates(inputs, run)
    chosen = candidates[-1] if config.how is How.finetune else choose(candidates)
    log.info("each new case predicted by what the others gave:\n%s", tried_table(candidates, chosen))
    chosen.calibrate()
    after = chosen.surrogate
    band = f"band set by {after.band.cases} new cases" if after.band is not None else "no band"
    step = LineageStep(
        ADAPTED, new.folder, new.pattern, new.files, new.fingerprint,
        {"training": names(new.given), "validation": {}, "test": names(new.kept_out)},
        seconds=time.monotonic() - began, parent=config.surrogate, parent_digest=parent,
        changed=(*(chosen.changed or ("weights as they were",)), band),
    )  # fmt: skip
    after.lineage = (*after.lineage, step)
    parts = _before_after(inputs, after)
    log.info("error before and after:\n%s", before_after_table(parts))
    _warn(inputs, chosen, parts)
    run.log_metrics(metrics(parts, candidates))
    run.set_tags({"lineage.how": chosen.how, "lineage.changed": "; ".join(step.changed)})
    write_before_after(run.folder / TABLE_FILE, parts)
    _report_coverage(after, new.kept_out, run)
    facts = {
        "surrogate": config.surrogate,
        "cases": f"{new.folder} ({new.fingerprint})",
        "given": ", ".join(names(new.given)),
        "kept_out": ", ".join(names(new.kept_out)),
        **{f"changed {i}": text for i, text in enumerate(step.changed, start=1)},
        "parent_digest": parent,
        "seconds": f"{step.seconds:.3g}",
    }
    write_page(run.folder, parts, candidates, chosen, facts=facts, language=str(config.language))
    _save(after, inputs, run)
    return after


def _candidates(inputs: Adaptation, run: Run) -> list[Candidate]:
    """What the surrogate may become, from the least to the largest change.

    Raises:
        UserError: what was asked for cannot be done.
    """
    config, new = inputs.config, inputs.new
    found = [as_it_is(inputs.surrogate, new.given)]
    if config.how is not How.finetune:
        latent = with_latents(found[0], config.max_minutes)
        ways = [with_units(found[0]), latent, with_units(latent) if latent is not None else None]
        found += [way for way in ways if way is not None]
    if config.how is How.unit:
        return found
    try:
        tuning = Tuning(inputs.surrogate, new.given, inputs.old, config, run.folder / "checkpoints", run.log_metrics)
    except CannotTune as error:
        if config.how is How.finetune:
            raise
        log.warning("%s", error)
        return found
    tuned = tuning.run()
    if tuned is not None:
        found.append(tuned)
        if config.how is How.auto and (both := with_units(tuned)) is not None:
            found.append(both)
    elif config.how is How.finetune:
        raise UserError("how=finetune: the training diverged; try a smaller lr_share")
    return found


def choose(candidates: Sequence[Candidate]) -> Candidate:
    """The candidate that predicts cases left out best; of nearly equal ones that of the least change."""
    best = candidates[0]
    for each in candidates[1:]:
        if not each.nade >= (1 - MIN_GAIN) * best.nade:
            best = each
    return best


def _before_after(inputs: Adaptation, after: Surrogate) -> list[BeforeAfter]:
    parts = [(NEW, inputs.new.kept_out), (OLD, inputs.old.test)]
    found = []
    for what, cases in ((what, cases) for what, cases in parts if cases):
        before, now = (free_runs(each, cases) for each in (inputs.surrogate, after))
        scores = score_runs(inputs.surrogate, before), score_runs(after, now)
        found.append(BeforeAfter(what, cases, *scores, (before.rows, now.rows)))
    return found


def _warn(inputs: Adaptation, chosen: Candidate, parts: Sequence[BeforeAfter]) -> None:
    if chosen.how == AS_IT_IS:
        log.warning(
            "nothing that was tried predicts new cases better that are left out: the surrogate stays as it is, and its "
            "band is that of the new cases; give more of them, or train anew on the old and the new ones together"
        )
    if chosen.how.endswith(UNIT) or chosen.surrogate.known_units != inputs.surrogate.known_units:
        units = ", ".join(unit_names(inputs.new.given))
        log.info("predict these units by name (unit=%s); without a name the mean unit is predicted", units)
    for part in parts:
        if part.what == OLD and part.change > FORGOTTEN:
            log.warning(
                "the error on old test cases grew by %.0f %%: more old windows (old_share), or a smaller lr_share, "
                "forget less", 100 * part.change,
            )  # fmt: skip
    if not inputs.old.test:
        log.info("the old test cases are gone: what was forgotten is not known")


def _warn_of_constants(inputs: Adaptation) -> None:
    """Warn of columns that were constant in the training and move in the new cases: no weight of theirs was trained."""
    scaling, channels = inputs.surrogate.scaling, inputs.surrogate.description.channels
    moved = [
        repr(name)
        for i, name in enumerate((*channels.controls, *channels.predicted))
        if bool(scaling.constant[i])
        and any(abs(case.column(i) - float(scaling.level[i])).max() > 1e-6 * abs(float(scaling.level[i]))
                for case in inputs.new.given)
    ]  # fmt: skip
    if moved:
        log.warning(
            "%s: constant in the training, and not so in the new cases. The surrogate does not see it move, and no "
            "adaptation changes that: train on the new cases with settings.init_from=%s",
            ", ".join(moved), inputs.config.surrogate,
        )  # fmt: skip


def _report_coverage(after: Surrogate, kept_out: Sequence[Case], run: Run) -> None:
    if after.band is None:
        return
    runs = free_runs(after, kept_out)
    pairs = list(zip(runs.rows, runs.spreads, strict=True))
    table = Coverage.of(kept_out, pairs, after.band, after.description.channels)
    write_coverage(run.folder / "coverage.csv", table)
    run.log_metrics(table.metrics())
    log.info(
        "bands set by %d new cases, on %d that were kept out:\n%s", after.band.cases, len(kept_out),
        coverage_table(table),
    )  # fmt: skip


def _save(after: Surrogate, inputs: Adaptation, run: Run) -> None:
    """Save the surrogate and MLflow's model among the files of the run, and to the file that was asked for."""
    config, file = inputs.config, run.folder / MODEL_FILE
    after.save(file)
    save_mlflow_model(after, file, run.folder / MLFLOW_MODEL, inputs.new.kept_out[0])
    if config.register_model:
        run.register_model(config.register_model)
    if config.output is not None:
        output = expanded(config.output, "output")
        shutil.copyfile(file, output)
        log.info("the new surrogate is %s", output)
