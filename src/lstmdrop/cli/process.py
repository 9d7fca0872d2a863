"""The process around a command: how it is stopped, and how it writes."""

from __future__ import annotations

import os
import signal
import sys
import threading
from io import TextIOWrapper

from lstmdrop.training.interruption import INTERRUPTED, SIGNALS, interrupt

TYPE_CHECKING = False  # as in `lstmdrop.training.interruption`
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, of this process where no ``arguments`` are given.

    Errors that a user can cause become one or two plain lines and an exit code. Nothing is imported before SIGINT and
    SIGTERM end the process quietly.
    """
    is_own_process = arguments is None
    before = _handle_signals()
    try:
        if is_own_process:
            _require_utf8_names()
        _write_utf8()
        from lstmdrop.cli.app import run

        run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    finally:
        for number, handler in before.items():  # once all is done there is nothing left to interrupt
            signal.signal(number, signal.SIG_IGN if is_own_process else handler)


def _handle_signals() -> dict[signal.Signals, signal._HANDLER]:
    if threading.current_thread() is not threading.main_thread():  # elsewhere Python allows no handlers
        return {}
    return {number: signal.signal(number, interrupt) for number in SIGNALS}


def _require_utf8_names() -> None:
    """Begin again in Python's UTF-8 mode where the locale would have arguments and file names in another encoding."""
    if sys.executable and sys.getfilesystemencoding() != "utf-8" and os.environ.get("PYTHONUTF8") != "1":
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, "PYTHONUTF8": "1"})


def _write_utf8() -> None:
    """Whatever the locale; half characters, such as those of names that are not UTF-8, come as JSON writes them."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # not of a test, nor where the stream is closed
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
