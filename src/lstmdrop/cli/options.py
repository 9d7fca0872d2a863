"""The options that mean the same in every verb."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lstmdrop.cli import completion
from lstmdrop.errors import UsageError

Task = Annotated[
    str,
    typer.Argument(
        help="What to do it on: lm, or any other installed task.", metavar="TASK", autocompletion=completion.tasks
    ),
]
Data = Annotated[
    str | None,
    typer.Option(
        help="A dataset's name, or the path of your own files.",
        metavar="NAME|PATH",
        autocompletion=completion.datasets,
    ),
]
DataDir = Annotated[Path | None, typer.Option(help="Where datasets lie, in place of $LSTMDROP_DATA.", metavar="DIR")]
Device = Annotated[str, typer.Option(help="Where to compute: auto, cpu, cuda, cuda:1 ...")]
Runs = Annotated[
    list[Path] | None,
    typer.Option(
        "--run", help="A run directory; several make an ensemble. Default: the newest finished run.", metavar="DIR"
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="One setting; may be repeated.",
        metavar="SECTION.FIELD=VALUE",
        autocompletion=completion.settings,
    ),
]


def _own_numbers(seed: int | None) -> int | None:
    if seed is not None and not 0 <= seed < 2**32:
        raise UsageError(f"--seed {seed} is no seed: they go from 0 to {2**32 - 1}")
    return seed


Seed = Annotated[
    int | None, typer.Option(help="Every random choice follows from it; 0 to 4294967295.", callback=_own_numbers)
]


def refuse_without_effect(*options: tuple[str, object, bool, str]) -> None:
    """Check options of a verb: of each its name, what was given, whether that has an effect, and where it would.

    Raises:
        UsageError: one was given and has none.
    """
    for name, given, has_effect, where in options:
        if given and not has_effect:
            raise UsageError(f"{name} has an effect only {where}")
