"""How far long work on data has come, for whoever listens; by default nobody does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class WorkListener(Protocol):
    """Is told how far a piece of work has come."""

    def __call__(self, what: str, done: int, total: int) -> None:
        """``done`` of ``total`` items are through; the first call has 0, the last has all."""
        ...


def _silent(what: str, done: int, total: int) -> None:
    pass


_listener: ContextVar[WorkListener] = ContextVar("work listener", default=_silent)


@contextmanager
def listening(listener: WorkListener) -> Iterator[None]:
    """Within the block, ``listener`` hears of all work that this thread does."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def report_work(what: str, done: int, total: int) -> None:
    """Say that ``done`` of ``total`` items are through."""
    _listener.get()(what, done, total)
