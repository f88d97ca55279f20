"""Text tables of scores that a run logs at its end."""

from __future__ import annotations

from surrogate_modeling.common.tables import aligned
from surrogate_modeling.evaluation.metrics import skill
from surrogate_modeling.evaluation.scores import Scores


def summary_table(scores: Scores, baselines: dict[str, Scores]) -> str:
    """Text table of ADE and FDE per target, of the surrogate and each baseline.

    Args:
        scores: of the surrogate.
        baselines: name -> scores on the same cases.
    """
    head = ["target", "unit", "ADE", "FDE", *(f"{name} {metric}" for name in baselines for metric in ("ADE", "FDE"))]
    everyone = [scores, *baselines.values()]
    rows = [
        [
            name,
            scores.channels.units[name],
            *(f"{errors.mean():.4g}" for other in everyone for errors in other.column(name)),
        ]
        for name in scores.channels.targets
    ]
    rows.append(["nADE, nFDE", "-", *(f"{value:.4f}" for other in everyone for value in (other.nade, other.nfde))])
    table = aligned([head, *rows], left=2)
    verdicts = [_verdict(scores.nade, name, other.nade) for name, other in baselines.items()]
    return f"{table}\nnADE is {' and '.join(verdicts)}" if verdicts else table


def _verdict(error: float, name: str, reference: float) -> str:
    if error <= reference:
        return f"{skill(error, reference):.0%} below {name}"
    return f"{error / reference:.3g} times that of {name}" if reference > 0 else f"above {name}"


def group_table(groups: dict[str, tuple[float, float, int]]) -> str:
    """Text table of scores per group of cases."""
    lines = [[name, str(n), f"{nade:.4f}", f"{nfde:.4f}"] for name, (nade, nfde, n) in groups.items()]
    return aligned([["group", "cases", "nADE", "nFDE"], *lines], left=1)
