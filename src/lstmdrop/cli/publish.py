"""``lstmdrop publish``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    run: Annotated[Path, typer.Option(help="The run to publish.", metavar="DIR")],
    to: Annotated[
        str | None,
        typer.Option(
            help="A new folder, or hf:OWNER/NAME to send it to the Hugging Face Hub. Default: published in the run's.",
            metavar="FOLDER|HUB",
        ),
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option("--license", help="The model's licence, as the Hub calls it: mit, cc-by-4.0 ...", metavar="NAME"),
    ] = None,
    languages: Annotated[
        list[str] | None, typer.Option("--language", help="A language of the model; may be repeated.", metavar="CODE")
    ] = None,
    benchmark: Annotated[
        str | None,
        typer.Option(
            help="The Hub's dataset that the test split is of, for its leaderboard.", metavar="OWNER/NAME[:TASK]"
        ),
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="A repository that is made is private.")] = False,
) -> None:
    """A trained model as a folder for others: tensors, JSON and a card with its scores; or on the Hugging Face Hub."""
    from lstmdrop.commands.publish import publish

    sent = publish(run, to=to, licence=licence, languages=languages or (), benchmark=benchmark, private=private)
    typer.echo(sent)
