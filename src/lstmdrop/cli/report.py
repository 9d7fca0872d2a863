"""``lstmdrop report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer


def command(
    directories: Annotated[
        Optional[list[Path]], typer.Argument(help="Runs, or folders of runs. Default: runs/", metavar="[DIR]...")
    ] = None,
    output_format: Annotated[str, typer.Option("--format", help="table, markdown, csv or json.")] = "table",
    output: Annotated[Optional[Path], typer.Option(help="Write to a file.", metavar="FILE")] = None,
) -> None:
    """The paper's rows beside what the runs reached, and what dropout changed."""
