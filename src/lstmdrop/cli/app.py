"""The verbs of the command line."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from lstmdrop.cli import bench, compare, data, evaluate, export, info, predict, publish, report, reproduce, serve, train
from lstmdrop.cli.task_options import BenchCommand, ScoringCommand, TaskCommand
from lstmdrop.errors import LstmdropError, UsageError, WorkerError
from lstmdrop.training.interruption import INTERRUPTED
from lstmdrop.training.launch import is_follower, launched

SPEAKING_SECONDS = 10.0
"""In which the first of several workers comes to what another has failed with, and says it."""

app = typer.Typer(
    name="lstmdrop",
    help="Strong, trustworthy LSTMs: train, score, use and compare them.",
    epilog="Start with: lstmdrop train lm --data demo --size tiny",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help opens in half the time
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("train", cls=TaskCommand)(train.command)
app.command("eval", cls=ScoringCommand)(evaluate.command)
app.add_typer(predict.app, name="predict")
app.command("report")(report.command)
app.command("compare")(compare.command)
app.command("reproduce")(reproduce.command)
app.add_typer(data.app, name="data")
app.command("bench", cls=BenchCommand)(bench.command)
app.command("export")(export.command)
app.command("publish")(publish.command)
app.command("serve")(serve.command)
app.command("info")(info.command)


@app.callback()
def options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error, in any verb.")] = False,
) -> None:
    """Strong, trustworthy LSTMs: train, score, use and compare them."""
    launch = launched()
    if launch is not None and launch.world_size > 1 and context.invoked_subcommand != "train":
        raise UsageError(
            f"torchrun shares a training among workers: call lstmdrop {context.invoked_subcommand} without it"
        )


@contextmanager
def _one_voice() -> Iterator[None]:
    """Of the workers that torchrun starts the first speaks; an unforeseen error is told by whoever has it.

    One that has failed waits with its end, for torchrun ends all others as soon as one has, before they have spoken.
    """
    if not is_follower():
        yield
        return
    try:
        with (
            Path(os.devnull).open("w", encoding="utf-8") as nowhere,
            redirect_stdout(nowhere),
            redirect_stderr(nowhere),
        ):
            yield
    except SystemExit as end:
        if end.code not in (None, 0, INTERRUPTED):
            time.sleep(SPEAKING_SECONDS)
        raise


@_one_voice()
def run(arguments: Sequence[str]) -> None:
    """Run a command; errors that a user can cause become one or two plain lines and an exit code."""
    given = list(arguments)
    debug = "--debug" in given
    if given == ["--version"]:
        from importlib.metadata import version

        print(version("lstmdrop"))  # noqa: T201
        return
    try:
        app([argument for argument in given if argument != "--debug"], prog_name="lstmdrop")
    except LstmdropError as error:
        _fail(error, str(error), error.exit_code, debug)
    except (MemoryError, RuntimeError) as error:
        from lstmdrop.training.memory import OutOfMemoryError, is_out_of_memory

        if not is_out_of_memory(error):
            raise
        _fail(error, OutOfMemoryError.message, OutOfMemoryError.exit_code, debug)
    except OSError as error:
        from lstmdrop.data.registry import NO_ROOM, cache_problem

        plain = f"{error.filename or 'the system'}: {error.strerror or error}"
        if error.errno in NO_ROOM:
            plain += "" if error.filename else " (standard output, or a file that the system does not name)"
            plain += "\nmake room and give the command again (train: with --resume); what was saved before is whole"
        problem = cache_problem(error) or LstmdropError(plain)
        _fail(error, str(problem), problem.exit_code, debug)


def _fail(error: Exception, message: str, exit_code: int, debug: bool) -> None:
    """Say what is wrong; a worker that another speaks for says only what that one cannot know."""
    stream = sys.__stderr__ if isinstance(error, WorkerError) else sys.stderr
    if debug:
        import traceback

        traceback.print_exception(error, file=stream)
    else:
        typer.echo(f"lstmdrop: {message}", file=stream)
    sys.exit(exit_code)
