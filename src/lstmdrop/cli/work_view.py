"""Long work on data on the screen: a progress bar on a terminal, a plain line now and then in a pipe."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from lstmdrop.data.work_progress import listening

QUIET_SECONDS = 10.0
"""In a pipe, at most one line in so many seconds, so that short work says nothing."""


@contextmanager
def shown_work(progress: Progress | None = None) -> Iterator[None]:
    """Within the block, long work on data is shown on standard error.

    A display that is up already, such as that of training, is given as ``progress``; its tasks have a field
    ``speed``.
    """
    if progress is not None:
        with listening(WorkView(progress)):
            yield
        return
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    own = Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[speed]}"), TimeRemainingColumn(compact=True),
        console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip
    with own, listening(WorkView(own)):
        yield


class WorkView:
    """Shows one piece of work after the other."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.bar: TaskID | None = None
        self.started = self.last_line = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        """``done`` of ``total`` items are through."""
        now = time.monotonic()
        if done == 0:
            self._end_bar()
            self.started = self.last_line = now
        speed = f"{done / (now - self.started):,.0f}/s" if now > self.started else ""
        if self.progress.console.is_terminal:
            self._draw(what, done, total, speed)
        elif now - self.last_line >= QUIET_SECONDS:
            self.last_line = now
            self.progress.console.print(f"{what}: {done:,} of {total:,}, {speed}", markup=False)

    def _draw(self, what: str, done: int, total: int, speed: str) -> None:
        if done == total:
            self._end_bar()
            return
        if self.bar is None:
            self.bar = self.progress.add_task(what, total=total, speed=speed)
        self.progress.update(self.bar, completed=done, speed=speed)

    def _end_bar(self) -> None:
        if self.bar is not None:
            self.progress.remove_task(self.bar)
            self.bar = None
