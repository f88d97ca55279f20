"""Optuna's dashboard on the project's studies, to this machine only: ``pdm run dashboard [storage] [--port N]``."""

from __future__ import annotations

import argparse
import sys

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import CONFIG_DIR
from surrogate_modeling.config.refusals import print_refusal

LAST_PORT = 65535


def default_storage() -> str:
    """The storage of a search that names none."""
    from omegaconf import OmegaConf

    return str(OmegaConf.load(CONFIG_DIR / "hydra" / "sweeper" / "search.yaml").storage)


def main(arguments: list[str]) -> int:
    """Serve until Ctrl-C; returns the exit code."""
    parser = argparse.ArgumentParser(prog="pdm run dashboard", description="show the studies of searches in a browser")
    parser.add_argument("storage", nargs="?", default=default_storage(), help="as hydra.sweeper.storage")
    parser.add_argument("--port", type=int, default=8080)
    given = parser.parse_args(arguments)
    if not 0 < given.port <= LAST_PORT:
        return print_refusal(f"--port={given.port}: must be from 1 to {LAST_PORT}")
    try:
        import optuna_dashboard
    except ImportError:
        return print_refusal("the dashboard is not installed: pdm install -G dashboard")
    from surrogate_modeling.search.storage import JOURNAL, SQLITE, file_of, open_storage, quieten_optuna

    if given.storage.startswith((SQLITE, JOURNAL)) and not file_of(given.storage).exists():
        return print_refusal(f"{file_of(given.storage)}: no study yet; a search with -m makes it")
    quieten_optuna()
    try:
        store = open_storage(given.storage)
    except UserError as error:
        return print_refusal(str(error))
    print(f"studies in {store.place}: http://127.0.0.1:{given.port} (Ctrl-C ends)", flush=True)
    try:
        optuna_dashboard.run_server(store.storage, host="127.0.0.1", port=given.port)
    except OSError as error:
        return print_refusal(f"--port={given.port}: {error.strerror or error}")
    except KeyboardInterrupt:
        pass
    return 0


def cli() -> None:
    """Entry point of ``pdm run dashboard``."""
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    cli()
