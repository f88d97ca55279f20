"""The parts of a Markdown page: blocks of code, prose, headings, tables, commands."""

import re
from collections.abc import Iterator
from pathlib import Path

CODE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def code_blocks(page: Path) -> list[tuple[str, list[str]]]:
    """Language and lines of each block, without comments, which are translated."""
    blocks = CODE.findall(page.read_text(encoding="utf-8"))
    return [(language, [re.sub(r"\s*#.*", "", line) for line in text.splitlines()]) for language, text in blocks]


def prose(page: Path) -> list[str]:
    """The lines outside of blocks of code."""
    return CODE.sub("", page.read_text(encoding="utf-8")).splitlines()


def headings(page: Path) -> list[tuple[int, str]]:
    found = [re.fullmatch(r"(#+) (.+)", line) for line in prose(page)]
    return [(len(match[1]), match[2]) for match in found if match]


def anchors(page: Path) -> set[str]:
    """As GitHub makes them: lower case, spaces as hyphens, other signs dropped."""
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for _, text in headings(page)}


def tables(page: Path) -> list[list[list[str]]]:
    """Tables of rows of cells; the line under the head is left out."""
    found: list[list[list[str]]] = [[]]
    for line in prose(page):
        if line.startswith("|"):
            found[-1].append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        elif found[-1]:
            found.append([])
    return [[table[0], *table[2:]] for table in found if table]


def commands(page: Path) -> Iterator[str]:
    """Whole lines of blocks, and code in the text, that begin with ``pdm run``."""
    for _, lines in code_blocks(page):
        yield from (line for line in lines if line.startswith("pdm run "))
    for line in prose(page):
        yield from re.findall(r"`(pdm run [^`]+)`", line)
