"""Processes of our own within a worker of joblib, which has a start method that others do not know."""

import subprocess
import sys
from pathlib import Path

SCRIPT = """
from concurrent.futures import ProcessPoolExecutor
from joblib.externals import loky
from surrogate_modeling.common.child_process import fresh_processes

def three_in_a_fresh_process():
    with ProcessPoolExecutor(1, mp_context=fresh_processes()) as pool:
        return pool.submit(sum, (1, 2)).result()

if __name__ == "__main__":
    with loky.ProcessPoolExecutor(max_workers=1) as workers:
        print(workers.submit(three_in_a_fresh_process).result())
"""


def test_a_worker_of_joblib_starts_fresh_processes(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run([sys.executable, str(tmp_path / "script.py")], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "3\n"), done.stderr
