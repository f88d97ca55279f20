"""A virtual environment for each peer, and what its adapter needs: packages, and lines that a user writes."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from peer_process import ToolFailed, last_line

PEERS = Path(__file__).with_name("peers")
BEGIN, END, NOT_COUNTED = "# begin of what a user writes", "# end", "# not counted"


@dataclass(frozen=True)
class Peer:
    """A tool beside ours.

    Attributes:
        name: in the table.
        kind: of its adapter ``peers/with_<kind>.py`` and of its requirements ``peers/requirements/<kind>.txt``.
        arguments: of the adapter, after the folder.
    """

    name: str
    kind: str
    arguments: tuple[str, ...] = ()

    @property
    def adapter(self) -> Path:
        """Its script."""
        return PEERS / f"with_{self.kind}.py"

    @property
    def requirements(self) -> Path:
        """Its packages, one a line, as pip reads them."""
        return PEERS / "requirements" / f"{self.kind}.txt"


def python_of(peer: Peer, environments: Path) -> Path:
    """The interpreter of the peer's environment, which is made at the first call and when its packages change.

    Raises:
        ToolFailed: the packages cannot be installed.
    """
    folder = environments / peer.kind
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    made, wanted = folder / "requirements.txt", peer.requirements.read_text(encoding="utf-8")
    if made.exists() and made.read_text(encoding="utf-8") == wanted:
        return python
    environments.mkdir(parents=True, exist_ok=True)
    log = environments / f"{peer.kind}.log"
    commands = (
        [sys.executable, "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "install", "-r", str(peer.requirements)],
    )
    with log.open("wb") as output:
        for words in commands:
            if subprocess.run(words, stdout=output, stderr=subprocess.STDOUT, check=False).returncode != 0:
                raise ToolFailed(f"cannot be installed: {last_line(log)}")
    made.write_text(wanted, encoding="utf-8")
    return python


def lines_of_user(text: str) -> int:
    """Count the lines of an adapter between its marks, without empty lines, comments and docstrings of one line.

    Lines that end with ``# not counted`` belong to the protocol.

    Raises:
        ValueError: a mark is missing.
    """
    count, inside = 0, False
    for line in map(str.strip, text.splitlines()):
        if line in (BEGIN, END):
            if inside == (line == BEGIN):
                raise ValueError(f"{line!r} follows a mark of its own kind")
            inside = line == BEGIN
        elif inside and line and not line.startswith(("#", '"""')) and not line.endswith(NOT_COUNTED):
            count += 1
    if inside:
        raise ValueError(f"no {END!r} at the end")
    return count
