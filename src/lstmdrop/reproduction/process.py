"""One cell of a grid as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lstmdrop.reproduction.plan import Planned

_ERROR = "lstmdrop: "


def command(planned: Planned, device: str = "auto", data_dir: Path | None = None) -> list[str]:
    """What ``lstmdrop`` is told for one cell."""
    cell = planned.cell
    experiment = cell.experiment
    where = ["--data-dir", str(data_dir)] if data_dir else []
    if planned.members:
        runs = [f"--run={member}" for member in planned.members]
        return ["eval", experiment.task, *runs, "--out", str(planned.directory), "--device", device, *where]
    options = {
        "--size": experiment.size, "--data": experiment.data, "--regularizer": cell.rule.rule, "--seed": str(cell.seed),
        "--out": str(planned.directory), "--device": device,
    }  # fmt: skip
    words = [word for option in options.items() for word in option]
    words += [word for override in planned.overrides for word in ("--set", override)]
    return ["train", experiment.task, *words, *where, "--resume"]


def log_of(directory: Path) -> Path:
    """Where what a cell says is written, beside its run."""
    return directory.with_name(f"{directory.name}.txt")


def num_cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class CellProcess:
    """A cell that runs; it ends with the process that started it."""

    process: subprocess.Popen[bytes]
    log: Path
    log_start: int
    """Bytes that earlier tries left in the log."""
    started: float

    @classmethod
    def start(cls, words: Sequence[str], log: Path, threads: str, folder: Path | None = None) -> CellProcess:
        """Start ``lstmdrop`` with these words, in a working directory, adding what it says to a log."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as file:
            log_start = file.tell()
            process = subprocess.Popen(
                [sys.executable, "-m", "lstmdrop.reproduction.bound", *words],
                stdin=subprocess.PIPE, stdout=file, stderr=file, cwd=folder,
                env={**os.environ, "OMP_NUM_THREADS": threads},
                start_new_session=True,  # Ctrl-C in the terminal would reach it too, and two are taken as 'at once'
            )  # fmt: skip
        return cls(process, log, log_start, time.monotonic())

    def exit_code(self) -> int | None:
        """None while it runs."""
        return None if self.process.poll() is None else self.wait()

    def wait(self) -> int:
        """Until it has ended; its exit code."""
        exit_code = self.process.wait()
        assert self.process.stdin is not None
        self.process.stdin.close()
        return exit_code

    @property
    def seconds(self) -> float:
        """Since it was started."""
        return time.monotonic() - self.started

    def said(self) -> bytes:
        """What it wrote, without what earlier tries did."""
        return self.log.read_bytes()[self.log_start :]

    def interrupt(self) -> None:
        """Tell it to write its checkpoint and end."""
        if os.name == "nt":  # Windows sends no signals
            self.process.terminate()
        else:
            self.process.send_signal(signal.SIGINT)


def complaint(said: bytes) -> str:
    """The last error, which may have several lines, else the last line."""
    lines = [line.strip() for line in said.decode("utf-8", errors="replace").splitlines() if line.strip()]
    errors = [number for number, line in enumerate(lines) if line.startswith(_ERROR)]
    if errors:
        return " ".join(lines[errors[-1] :]).removeprefix(_ERROR)
    return (lines or ["it said nothing"])[-1]
