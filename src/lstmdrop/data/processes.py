"""Work on data, done by several processes side by side."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from typing import TypeVar

from lstmdrop.data.work_progress import report_work
from lstmdrop.errors import ProcessError, UsageError

PROCESSES = "LSTMDROP_PROCESSES"
"""The variable of the environment that says how many; by default one for each core that this process may use."""

SharedT = TypeVar("SharedT")
JobT = TypeVar("JobT")


def num_processes() -> int:
    """How many processes may work side by side.

    Raises:
        UsageError: the environment says something else than a number.
    """
    import loky

    given = os.environ.get(PROCESSES)
    if given is None:
        return int(loky.cpu_count())
    if not given.isdecimal() or int(given) < 1:
        raise UsageError(f"{PROCESSES} is {given!r}; it is a number of processes, 1 or more")
    return int(given)


def do_all(
    function: Callable[[SharedT, JobT], None], shared: SharedT, jobs: Sequence[JobT], what: str, num_done: int = 0
) -> None:
    """Call ``function(shared, job)`` for each job, in any order; several, in processes, which all end with this one.

    ``shared`` goes to each process once. ``num_done`` jobs were done before, and count as progress of ``what``.

    Raises:
        ProcessError: one of them was ended, by lack of memory say.
        Exception: what the first job that fails raises; no further one is begun then.
    """
    total = num_done + len(jobs)
    workers = min(len(jobs), num_processes()) if len(jobs) > 1 else 1
    if workers == 1:
        for done, job in enumerate(jobs, num_done):
            report_work(what, done, total)
            function(shared, job)
    else:
        _side_by_side(function, shared, jobs, workers, what, num_done)
    if jobs:
        report_work(what, total, total)


def _side_by_side(
    function: Callable[[SharedT, JobT], None], shared: SharedT, jobs: Sequence[JobT], workers: int, what: str,
    num_done: int,
) -> None:  # fmt: skip
    # Unlike the standard library's, its processes do not run the user's script again, and idle ones end.
    from loky import ProcessPoolExecutor, as_completed
    from loky.process_executor import BrokenProcessPool

    executor = ProcessPoolExecutor(workers, timeout=10, initializer=_begin, initargs=(function, shared))
    try:
        waiting = [executor.submit(_do, job) for job in jobs]
        for done, future in enumerate(as_completed(waiting), num_done):
            report_work(what, done, num_done + len(jobs))
            future.result()
    except BrokenProcessPool:
        raise ProcessError(
            f"{what}: a process was ended, by lack of memory perhaps; what is done is kept: run it again\n"
            f"with fewer processes it takes less memory: {PROCESSES}=1"
        ) from None
    finally:
        executor.shutdown(wait=True, kill_workers=True)


_function: Callable[[object, object], None]
_shared: object


def _begin(function: Callable[[object, object], None], shared: object) -> None:
    global _function, _shared
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the first process ends the others
    _function, _shared = function, shared


def _do(job: object) -> None:
    _function(_shared, job)
