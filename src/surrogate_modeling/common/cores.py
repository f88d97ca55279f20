"""The cores that this process may use."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

# As joblib reads it: a search that runs several trials on a machine gives each its part.
CORES_VARIABLE = "LOKY_MAX_CPU_COUNT"
# By these numerical libraries are told, before they are imported, how many threads to use.
THREADS_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def cores() -> int:
    """Cores for this process: of the machine, less what its affinity, its container or ``CORES_VARIABLE`` take away."""
    from joblib import cpu_count

    return max(1, int(cpu_count()))


def numpy_on_one_core() -> AbstractContextManager[object]:
    """Keep NumPy's linear algebra to one core for a while; torch's, which may be of the same kind, keeps its cores.

    Threads of both, in turn on the same cores, wait for each other for longer than they compute.
    """
    from threadpoolctl import ThreadpoolController

    found = ThreadpoolController()
    blas = [library.filepath for library in found.lib_controllers if library.user_api == "blas"]
    return found.select(filepath=[path for path in blas if "torch" not in Path(path).parts]).limit(limits=1)
