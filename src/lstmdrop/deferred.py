"""Imports that are put off until what they name is called."""

from __future__ import annotations

import builtins
import importlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any


@contextmanager
def deferred() -> Iterator[None]:
    """Functions that are imported from modules within the block are imported when they are first called.

    So a task names what it is made of, to type checkers too, and is loaded without torch. It is what
    ``lazy from`` of PEP 810 will be. Only ``from module import function`` may stand in the block.
    """
    at_once, thread = builtins.__import__, threading.get_ident()

    def later(name: str, *rest: Any, **named: Any) -> Any:
        names = rest[2] if len(rest) > 2 else ()  # after globals and locals, as an import statement gives them
        if threading.get_ident() != thread or not names:
            return at_once(name, *rest, **named)
        return SimpleNamespace(**{function: partial(_call, name, function) for function in names})

    builtins.__import__ = later
    try:
        yield
    finally:
        builtins.__import__ = at_once


def _call(module: str, function: str, *arguments: Any, **named: Any) -> Any:
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found(*arguments, **named)
