"""Stopping when the user or the system asks for it: between two steps, and never in the middle of an import."""

from __future__ import annotations

import _thread
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from types import FrameType, TracebackType

TYPE_CHECKING = False  # typing itself takes its time, in which a signal would still be Python's own
if TYPE_CHECKING:
    from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)

INTERRUPTED = 130
"""The exit code."""

TRY_AGAIN = 0.05
"""Seconds after which a signal that came during an import comes again."""

COMMAND_LINE = "lstmdrop.cli"
"""What its modules import, they import before any work has begun."""


def interrupt(number: int, frame: FrameType | None) -> None:
    """Raise `KeyboardInterrupt`: the handler of a signal.

    Libraries in C++ abort where that happens while they are imported. So an import of the command line's own ends the
    process, and any other comes to its end first.
    """
    importer = _importer(frame)
    if importer is None:
        raise KeyboardInterrupt
    if str(importer.f_globals.get("__name__")).startswith(COMMAND_LINE):
        os._exit(INTERRUPTED)
    # Not a thread of threading's, whose locks the main thread may hold.
    _thread.start_new_thread(_send_again, (number, _thread.get_ident()))


def _importer(frame: FrameType | None) -> FrameType | None:
    """Who began the outermost of the imports that are going on."""
    found = None
    for inner, outer in _calls(frame):
        if _is_import(inner) and not _is_import(outer):
            found = outer
    return found


def _calls(frame: FrameType | None) -> Iterator[tuple[FrameType, FrameType]]:
    while frame is not None and frame.f_back is not None:
        yield frame, frame.f_back
        frame = frame.f_back


def _is_import(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith("<frozen importlib")


def _send_again(number: int, main_thread: int) -> None:
    time.sleep(TRY_AGAIN)
    if hasattr(signal, "pthread_kill"):  # wakes the main thread where it waits for something
        signal.pthread_kill(main_thread, number)
    else:  # Windows
        _thread.interrupt_main(signal.Signals(number))


class Interruption:
    """Inside the block SIGINT and SIGTERM only set ``requested``, for the block to act on; a second one is at once.

    While ``at_once`` is true (nothing would be lost) so is the first: it raises `KeyboardInterrupt`.
    """

    def __init__(self, *, at_once: bool = True) -> None:
        self.at_once = at_once
        self.requested = False
        self._handlers: Mapping[signal.Signals, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():  # elsewhere Python allows no handlers
            self._handlers = {number: signal.signal(number, self._handle) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested or self.at_once:
            try:
                interrupt(number, frame)
            except KeyboardInterrupt:
                self.requested = True  # should it be raised where a library drops all errors
                raise
        else:
            self.requested = True
