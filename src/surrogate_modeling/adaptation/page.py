"""The page of an adaptation, from what it found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from surrogate_modeling.adaptation.candidates import AS_IT_IS, Candidate
from surrogate_modeling.adaptation.table import NEW, OLD, BeforeAfter
from surrogate_modeling.reporting.adaptation_report import AdaptationFacts, KeptOutFacts, PartFacts, adaptation_content
from surrogate_modeling.reporting.content import write_page_or_warning


def write_page(
    folder: Path,
    parts: Sequence[BeforeAfter],
    candidates: Sequence[Candidate],
    chosen: Candidate,
    *,
    facts: Mapping[str, str],
    language: str,
) -> None:
    """Write ``report.html`` of an adaptation; what fails in making it is a warning.

    Args:
        folder: of the run.
        parts: errors of the new cases kept out, and of the old test cases where they are there.
        candidates: what was tried.
        chosen: which of them was kept.
        facts: everything else, for people.
        language: of the page.
    """
    by_name = {part.what: part for part in parts}
    new, old = by_name[NEW], by_name.get(OLD)

    write_page_or_warning(
        folder,
        lambda: adaptation_content(
            AdaptationFacts(
                title=folder.name,
                how=chosen.how,
                is_same=chosen.how == AS_IT_IS,
                tried=[(each.how, each.nade, each.seconds) for each in candidates],
                new=PartFacts(new.before, new.after),
                old=PartFacts(old.before, old.after) if old else None,
                kept_out=KeptOutFacts(new.cases, *new.rows),
                given=len(chosen.left_out.cases),
                facts=list(facts.items()),
            )
        ),
        language,
    )
