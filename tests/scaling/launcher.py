"""torchrun as a user starts it, watched: which process is which worker, how far the run is, and what was printed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

LONGEST = 280.0


class Launched:
    """A torchrun that is going on."""

    def __init__(self, process: subprocess.Popen[str], out: Path, printed: Path) -> None:
        self.process = process
        self.out = out
        self.printed = printed

    def pid(self, rank: int) -> int | None:
        """The process of a worker, once it is there."""
        for environ in Path("/proc").glob("[0-9]*/environ"):
            try:
                parent = int((environ.parent / "stat").read_text().rpartition(")")[2].split()[1])
                names = environ.read_bytes().split(b"\0")
            except (OSError, ValueError):  # it has ended meanwhile, or is another user's
                continue
            if parent == self.process.pid and f"RANK={rank}".encode() in names:
                return int(environ.parent.name)
        return None

    def num_logged(self) -> int:
        """Lines of the run's log."""
        log = self.out / "log.jsonl"
        return log.read_text(encoding="utf-8").count("\n") if log.exists() else 0

    def until(self, is_so: Callable[[], bool]) -> None:
        """Wait, but no longer than until torchrun ends or has taken too long."""
        end = time.monotonic() + LONGEST
        while not is_so():
            assert self.process.poll() is None, self.printed.read_text(encoding="utf-8")
            assert time.monotonic() < end, "nothing happens any more"
            time.sleep(0.05)

    def kill(self, rank: int, after: int) -> None:
        """Kill a worker once so many lines are logged."""
        self.until(lambda: self.num_logged() >= after and self.pid(rank) is not None)
        os.kill(self.pid(rank) or 0, signal.SIGKILL)

    def finish(self) -> tuple[int, str]:
        """The exit code, and all that was printed."""
        code = self.process.wait(LONGEST)
        return code, self.printed.read_text(encoding="utf-8")


@contextmanager
def torchrun(
    options: Sequence[str],
    arguments: Sequence[str],
    out: Path,
    environment: Mapping[str, str] | None = None,
    within: Sequence[str] = (),
) -> Iterator[Launched]:
    """``torchrun OPTIONS -m lstmdrop train ARGUMENTS --out OUT``, ended with the block."""
    command = [*within, sys.executable, "-m", "torch.distributed.run", *options, "-m", "lstmdrop", "train", *arguments]
    printed = out.with_suffix(".printed")
    given = {**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})}
    with printed.open("a", encoding="utf-8") as file:  # so that others may write into it too
        process = subprocess.Popen(
            [*command, "--out", str(out)], stdout=file, stderr=subprocess.STDOUT, text=True, env=given
        )
    try:
        yield Launched(process, out, printed)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
