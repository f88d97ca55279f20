"""One case file of 1 GB: read to the last number, in memory that does not grow beyond a few times its size."""

import subprocess
import sys
from pathlib import Path

import pytest

SIZE = 1_000_000_000
COLUMNS = 20
# Of the size of the file, beyond what Python and its libraries take.
LIMIT = 6.0
# Reads the file as train.py does, and prints rows, the last number, and the peak of memory before and after [bytes].
READING = """
import resource, sys
from pathlib import Path
from surrogate_modeling.cases import folder
from surrogate_modeling.cases.channels import Roles
from surrogate_modeling.cases.grid import Grid
folder.CACHE_FOLDER = Path(sys.argv[2])
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
reading = folder.Reading(workers=1, progress_bar=False)
(case,) = folder.read_cases(Path(sys.argv[1]), Roles(1), Grid(1.0, 5.0), 11, reading).cases
print(len(case.time), float(case.values[-1, -1]), before, peak())
"""


def write_large(path: Path) -> int:
    """Rows of 20 columns until the size is reached; returns their number. The last column of row i is i mod 1000."""
    block, rows = 10_000, 0
    with path.open("w") as file:
        file.write(",".join(["time", *(f"c{i}" for i in range(COLUMNS))]) + "\n")
        file.write(",".join(["s"] + ["-"] * COLUMNS) + "\n")
        middle = ",".join(f"{i}.12345" for i in range(COLUMNS - 1))
        while file.tell() < SIZE:
            file.write("".join(f"{row},{middle},{row % 1000}\n" for row in range(rows, rows + block)))
            rows += block
    return rows


@pytest.mark.slow
def test_a_file_of_one_gigabyte(tmp_path: Path) -> None:
    (tmp_path / "cases").mkdir()
    path = tmp_path / "cases" / "large.csv"
    rows = write_large(path)
    size = path.stat().st_size
    command = [sys.executable, "-c", READING, str(path.parent), str(tmp_path / "cache")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=1200)
    path.unlink()
    read, last, before, peak = done.stdout.split()
    assert int(read) == rows
    assert float(last) == 999.0
    print(f"peak of memory: {(int(peak) - int(before)) / size:.2f} times the file")
    assert int(peak) - int(before) < LIMIT * size
