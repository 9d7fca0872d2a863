"""The errors a user can cause: each carries the exit code that the command line gives it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

ItemsT = TypeVar("ItemsT", bound=Iterable[object])


MOST_LINES, MOST_CHARACTERS = 50, 4000
"""Of an error, and of a line of it."""
MOST_COMPARED = 200
"""Characters of a name for which one like it is looked for."""


def shortened(text: str, most: int = MOST_CHARACTERS) -> str:
    """The text, without its middle where it is longer."""
    return text if len(text) <= most else f"{text[: most // 2]} ... {text[-most // 4 :]}"


class LstmdropError(Exception):
    """Something went wrong that one or two plain lines can explain; the message is those lines.

    What a file holds may be part of them, and be of any length: of long lines the middle is left out.
    """

    exit_code = 1

    def __init__(self, message: object = "") -> None:
        lines = str(message).split("\n")
        omitted = [] if len(lines) <= MOST_LINES else [f"... and {len(lines) - MOST_LINES:,} lines more"]
        super().__init__("\n".join([*map(shortened, lines[:MOST_LINES]), *omitted]))


class UsageError(LstmdropError):
    """The command was asked for something it does not offer."""

    exit_code = 2


class ConfigError(LstmdropError):
    """A configuration key or value is wrong."""

    exit_code = 3


class DataError(LstmdropError):
    """Data or a checkpoint is missing or damaged."""

    exit_code = 4


class MissingPartError(LstmdropError):
    """An optional part is not installed; the message gives the line that installs it."""

    exit_code = 5


class WorkerError(LstmdropError):
    """Something is wrong where one of several workers runs, which no other knows."""


class ProcessError(LstmdropError):
    """A process that worked for this one was ended, by the system perhaps; what was done stays."""


class BoundMissedError(LstmdropError):
    """A score missed the bound given with ``--fail-under``."""

    exit_code = 6


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` where something known is close to ``name``, else nothing."""
    if len(name) > MOST_COMPARED:
        return ""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def as_list(name: str, values: ItemsT) -> ItemsT:
    """``values``, unless they are one string, which would be taken letter by letter.

    Raises:
        UsageError: they are.
    """
    if isinstance(values, str | bytes):
        raise UsageError(f"{name} = {values!r} is one string where a list of them is meant: write [{values!r}]")
    return values


@contextmanager
def loading(need: str, install: str) -> Iterator[None]:
    """Around the import of what may be missing or broken: ``need`` says what for, ``install`` is the line to type.

    Raises:
        MissingPartError: it is not installed, or it is and does not load, for whatever reason: a shared library that
            is not there, one built for another version of torch or NumPy.
    """
    try:
        yield
    except LstmdropError:
        raise
    except ModuleNotFoundError:
        raise MissingPartError(f"{need}: {install}") from None
    except Exception as error:
        reason = f"{type(error).__name__}: {next(iter(str(error).strip().splitlines()), '')}"
        again = install.replace("pip install", "pip install --force-reinstall")
        raise MissingPartError(f"{need}, which is here but does not load ({reason})\n{again}") from None
