"""``lstmdrop predict``: a group whose commands are the installed tasks, with the options that each offers."""

from __future__ import annotations

import inspect
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

import typer
from typer.core import TyperGroup

from lstmdrop.cli import options
from lstmdrop.errors import UsageError

if TYPE_CHECKING:
    from lstmdrop.config import Section

READ_AT_ONCE = 1 << 16
"""Bytes of standard input."""


class TaskGroup(TyperGroup):
    """Finds its commands among the installed tasks; a task is loaded only when it is named."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The installed tasks."""
        from lstmdrop.discovery import installed_tasks

        return installed_tasks()

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of one task, made from its prediction options."""
        from lstmdrop.discovery import load_plugin

        plugin = load_plugin(cmd_name)
        single = typer.Typer(rich_markup_mode=None, add_completion=False)
        single.command(cmd_name, help=inspect.getdoc(plugin.prediction), short_help=plugin.summary)(
            _make_command(cmd_name, plugin.prediction)
        )
        return typer.main.get_command(single)


app = typer.Typer(cls=TaskGroup, rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def group() -> None:
    """Use a trained model: sample, translate, transcribe, caption."""


def _make_command(task: str, prediction: type[Section]) -> Any:
    """A function with the common options and one for each field of ``prediction``."""

    def command(
        *,
        inputs: Annotated[
            list[str] | None,
            typer.Argument(help="What to work on; without any, the lines of standard input.", metavar="INPUT"),
        ] = None,
        runs: options.Runs = None,
        device: options.Device = "auto",
        data_dir: options.DataDir = None,
        as_json: options.Json = False,
        **settings: Any,
    ) -> None:
        from lstmdrop.commands.predict import predict
        from lstmdrop.config import resolve

        given = {name: value for name, value in settings.items() if value not in (None, [], ())}
        chosen = resolve(prediction, [given])
        lines = inputs or _lines_of_standard_input()
        for output in predict(task, runs=runs or (), inputs=lines, options=chosen, device=device, data_dir=data_dir):
            typer.echo(json.dumps(output, ensure_ascii=False) if as_json else output["text"])

    signature = inspect.signature(command, eval_str=True)
    inputs, runs, *common, _ = signature.parameters.values()
    parameters = [inputs, runs, *_setting_parameters(prediction), *common]
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def _lines_of_standard_input() -> Iterator[str]:
    """As UTF-8, whatever the terminal's language, each line as soon as it has come."""
    from lstmdrop.data.text import not_utf8

    for number, raw in enumerate(_raw_lines(), 1):
        try:
            yield raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise not_utf8("standard input", number, error) from None


def _raw_lines() -> Iterator[bytes]:
    """Read without the lock of `sys.stdin`: a thread that waited in it would keep the program from ending."""
    if sys.stdin is None:
        raise UsageError("nothing to work on: there is no INPUT, and standard input is closed")
    with open(os.dup(sys.stdin.fileno()), "rb", buffering=0) as source:  # noqa: PTH123 (it is not a path)
        rest = b""
        while part := source.read(READ_AT_ONCE):
            *lines, rest = (rest + part).split(b"\n")
            yield from (line + b"\n" for line in lines)
        if rest:
            yield rest


def _setting_parameters(prediction: type[Section]) -> Iterator[inspect.Parameter]:
    for name, field in prediction.model_fields.items():
        yield inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default if isinstance(field.default, bool) else None,
            annotation=Annotated[_option_type(field.annotation), _option(name, field)],
        )


def _option(name: str, field: Any) -> Any:
    default = "" if field.default in (None, "", (), False) else f"  [default: {field.default}]"
    flag = f"--{name.replace('_', '-')}"
    text = field.description or ""
    return typer.Option(
        flag, help=f"{text[:1].upper()}{text[1:]}.{default}", metavar=_metavar(field.annotation), show_default=False
    )


def _metavar(annotation: Any) -> str:
    kinds = {annotation, *get_args(annotation)}
    return "N" if int in kinds else "X" if float in kinds else "FILE" if Path in kinds else "TEXT"


def _option_type(annotation: Any) -> Any:
    """What Typer is told: a flag, a list for an option that may be repeated, else the plain type, optional."""
    if annotation is bool:
        return bool
    if get_origin(annotation) is tuple:
        return list[get_args(annotation)[0]] | None  # type: ignore[misc]
    return annotation | None
