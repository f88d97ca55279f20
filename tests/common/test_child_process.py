"""Processes of our own within a worker of joblib, which has a start method that others do not know."""

from concurrent.futures import ProcessPoolExecutor

from joblib.externals import loky

from surrogate_modeling.common.child_process import fresh_processes


def three_in_a_fresh_process() -> int:
    with ProcessPoolExecutor(1, mp_context=fresh_processes()) as pool:
        return pool.submit(sum, (1, 2)).result()


def test_a_worker_of_joblib_starts_fresh_processes() -> None:
    with loky.ProcessPoolExecutor(max_workers=1) as workers:
        assert workers.submit(three_in_a_fresh_process).result() == 3
