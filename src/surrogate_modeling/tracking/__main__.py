"""Entry point of ``pdm run ui`` and ``pdm run send``."""

from __future__ import annotations

import sys
from pathlib import Path

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.tracking.sender import send_later
from surrogate_modeling.tracking.ui import open_ui


def main(arguments: list[str]) -> int:
    """Run one of the two commands; returns the exit code.

    Args:
        arguments: of the command line.
    """
    match arguments:
        case ["ui", *rest]:
            try:
                return open_ui(rest)
            except UserError as error:
                print(f"error: {error}", file=sys.stderr)
                return 2
        case ["send", first, *rest]:
            return send_later([Path(argument) for argument in (first, *rest)])
        case _:
            print("usage: python -m surrogate_modeling.tracking ui [--port N] | send <run folder> ...", file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
