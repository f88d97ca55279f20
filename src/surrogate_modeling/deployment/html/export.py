"""Export a surrogate as one HTML file that holds it and runs it in the browser: no server, no Python, no network.

The network is JavaScript, written by the translation that writes the C of an FMU
(:mod:`surrogate_modeling.deployment.c_code`), with its weights as base64. Before the page is written, a browser without
a window opens it with cases inside, and what it computes is compared with the surrogate
(:mod:`surrogate_modeling.deployment.html.check`).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from surrogate_modeling.cases.schedules import Schedule
from surrogate_modeling.common.atomic_file import write_atomic
from surrogate_modeling.deployment.export_check import Difference, real_cases
from surrogate_modeling.deployment.html.browser import find_browser, run_page
from surrogate_modeling.deployment.html.check import Check
from surrogate_modeling.deployment.html.content import page_data
from surrogate_modeling.deployment.html.network import write_network
from surrogate_modeling.pages.rendering import render
from surrogate_modeling.surrogate.model import Surrogate

log = logging.getLogger(__name__)


class Offer(NamedTuple):
    """What the page offers whoever reads it.

    Attributes:
        starts: how many of the cases a schedule in the page may begin as.
        language: of its texts, ``en`` or ``ja``.
    """

    starts: int = 3
    language: str = "en"


USUAL_OFFER = Offer()


def export_html(
    surrogate: Surrogate,
    path: Path,
    cases: Sequence[Schedule] = (),
    offer: Offer = USUAL_OFFER,
    *,
    browser: str | None = None,
    check: bool = True,
) -> Difference | None:
    """Write the page, after comparing it with the surrogate in a browser.

    Args:
        surrogate: on the CPU, in evaluation mode.
        path: of the page; it appears there only when the comparison has passed.
        cases: to compare beside random ones.
        offer: to whoever reads the page.
        browser: to check in; None for one that is found.
        check: False writes the page unchecked.

    Returns:
        The largest difference found; None where nothing was compared.

    Raises:
        UserError: the network cannot be translated, there is no browser, or the page differs.
    """
    program = find_browser(browser) if check else None
    script = write_network(surrogate)
    data = page_data(surrogate, script, cases[: offer.starts])
    title, network = f"{path.stem}: {surrogate.description.model.name}", Markup(script.text)

    def page(check: Check | None) -> bytes:
        """The page, with cases to be answered at once or without."""
        asked = None if check is None else check.asked
        return render("surrogate", offer.language, title=title, data=data, network=network, check=asked).encode()

    if program is None:
        log.warning("check=false: the page was not compared with the surrogate")
        write_atomic(path, page(None))
        return None
    check_of = Check(surrogate, real_cases(surrogate, cases))
    # Beside the page: a browser in a container of its own may see no folder for temporary files.
    part = path.with_name(f"{path.stem}.part.html")
    try:
        write_atomic(part, page(check_of), durable=False)
        difference = check_of.compare(run_page(program, part))
    finally:
        part.unlink(missing_ok=True)
    write_atomic(path, page(None))
    return difference
