"""``lstmdrop`` as a process that ends with the one that started it, whatever became of that one.

Its standard input is a pipe that the parent holds open and never writes to. When the parent is gone, killed or
interrupted, the pipe ends: the run is told as Ctrl-C would tell it, writes its checkpoint and leaves its folder free.
"""

from __future__ import annotations

import os
import runpy
import signal
import threading

_STDIN = 0


def _follow(pipe: int) -> None:
    while os.read(pipe, 1):
        pass
    os.kill(os.getpid(), signal.SIGINT)


def main() -> None:
    """Follow the parent, and do what ``python -m lstmdrop`` does."""
    pipe = os.dup(_STDIN)
    os.dup2(os.open(os.devnull, os.O_RDONLY), _STDIN)
    if hasattr(signal, "pthread_sigmask"):  # Ray's workers block it, and what they start inherits that
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_follow, args=(pipe,), daemon=True).start()
    runpy.run_module("lstmdrop", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
