"""``lstmdrop predict``: a group whose commands are the installed tasks, with the options that each offers."""

from __future__ import annotations

import inspect
import os
import re
import shlex
import sys
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import typer
from typer.core import TyperGroup

from lstmdrop.cli import options
from lstmdrop.cli.task_options import as_command
from lstmdrop.errors import DataError, UsageError
from lstmdrop.parsing import to_json

if TYPE_CHECKING:
    from lstmdrop.config import Section
    from lstmdrop.plugin import TaskPlugin

READ_AT_ONCE = 1 << 16
"""Bytes of standard input."""

STANDARD_INPUT = "-"
OF_A_NAME = re.compile(r"[/\\]|\.[^\W\d_]\w*$|^\S*$")
"""An INPUT that is no file is taken for a sentence but where it has a slash, an ending like ``.txt`` or no blank."""


INPUT_HELP = {
    "files": "A file to work on; - is standard input. Without any, the names of files on standard input, a line each.",
    "lines": "A text file to work on, line by line; - is standard input. Without any, standard input.",
}


class TaskGroup(TyperGroup):
    """Finds its commands among the installed tasks; a task is loaded only when it is named."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The installed tasks."""
        from lstmdrop.plugin import installed_tasks

        return installed_tasks()

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of one task, made from its prediction options."""
        from lstmdrop.plugin import load_plugin

        plugin = load_plugin(cmd_name)
        about = inspect.getdoc(plugin.prediction)
        return as_command(cmd_name, _make_command(plugin), help=about, short_help=plugin.summary)


app = typer.Typer(cls=TaskGroup, rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def group() -> None:
    """Use a trained model: sample, translate, transcribe, caption."""


def _make_command(plugin: TaskPlugin) -> Any:
    """A function with the common options and one for each field of the task's prediction."""
    prediction = plugin.prediction

    def command(
        *,
        inputs: Annotated[list[str] | None, typer.Argument(help=INPUT_HELP[plugin.inputs], metavar="INPUT")] = None,
        texts: Annotated[
            list[str] | None, typer.Option("--text", help="A text to work on; may be repeated.", metavar="TEXT")
        ] = None,
        runs: options.Runs = None,
        device: options.Device = "auto",
        data_dir: options.DataDir = None,
        with_names: Annotated[
            bool, typer.Option("--names", help="Begin each line with the file that it is of, and a tab.")
        ] = False,
        as_json: options.Json = False,
        **settings: Any,
    ) -> None:
        from lstmdrop.commands.predict import predict
        from lstmdrop.presets import require_effect, resolve

        given = {name: value for name, value in settings.items() if value is not False and value not in (None, [], ())}
        chosen = resolve(prediction, [given])
        require_effect(chosen, in_json=as_json)
        where = plugin.inputs_where
        if where is not None and (inputs or texts) and not where.holds(chosen):
            raise UsageError(f"{(inputs or texts or [''])[0]!r}: INPUT and --text have an effect only {where.where}")
        names_lines = not as_json and (where is None or where.holds(chosen))
        options.refuse_without_effect(("--names", with_names, names_lines, "on lines of INPUT, without --json"))
        origins = _Origins()
        work = _inputs(plugin, inputs or [], texts or [], origins)
        for output in predict(
            plugin.name, runs=runs or (), inputs=work, options=chosen, device=device, data_dir=data_dir
        ):
            found = dict(origins.told(output))
            plain = found.pop("plain", found["text"])
            name = f"{_name(plugin, found)}\t" if with_names and "plain" not in output else ""
            line = to_json(found, ensure_ascii=False) if as_json else None if plain is None else f"{name}{plain}"
            if line is not None:
                typer.echo(line)

    signature = inspect.signature(command, locals=locals(), eval_str=True)
    inputs, texts, runs, *common, _ = signature.parameters.values()
    own = [inputs, texts] if plugin.inputs == "lines" else [inputs]
    parameters = [*own, runs, *_setting_parameters(prediction), *common]
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


class _Origins:
    """Which file each line is of, and where in it."""

    def __init__(self) -> None:
        self.names: list[str | None] = []
        self.befores: list[int] = []
        """How many lines stand before those of each."""

    def lines(self, names: Iterable[str]) -> Iterator[str]:
        """Of all files, one after the other."""
        count = 0
        for name in names:
            is_sentence = name != STANDARD_INPUT and not Path(name).exists()
            self.names.append(None if is_sentence else name)
            self.befores.append(count)
            for line in _lines(name):
                count += 1
                yield line

    def told(self, output: Mapping[str, Any]) -> Mapping[str, Any]:
        """An output whose line is not counted through all files, but is that of its own file."""
        if "line" not in output or not self.names:
            return output
        place = bisect_left(self.befores, output["line"]) - 1
        file = self.names[place]
        return output if file is None else {**output, "file": file, "line": output["line"] - self.befores[place]}


def _name(plugin: TaskPlugin, output: Mapping[str, Any]) -> str:
    if plugin.inputs == "files":
        return str(output[plugin.output_of])
    return ":".join(str(output[key]) for key in ("file", "line") if key in output)


def _inputs(plugin: TaskPlugin, names: Sequence[str], texts: Sequence[str], origins: _Origins) -> Iterable[str]:
    """What the task is given; all names are looked at before the work begins."""
    from lstmdrop.config import whole_characters

    if names.count(STANDARD_INPUT) > 1:
        raise UsageError("standard input can be read once: give - once")
    if names and texts:
        raise UsageError("texts come from INPUT or from --text, not from both")
    for text in texts:
        try:
            whole_characters(text)
        except ValueError as error:
            raise UsageError(f"--text {text!r}: {error}") from None
    if texts:
        return texts
    if not names:
        return origins.lines([STANDARD_INPUT]) if plugin.inputs == "lines" else _lines_of_standard_input()
    if plugin.inputs == "files":
        return names
    for name in names:
        _require_text_file(plugin.name, name)
    return origins.lines(names)


def _require_text_file(task: str, name: str) -> None:
    if name and Path(name).is_dir():
        raise DataError(f"{name} is a folder: name the text files in it")
    if name != STANDARD_INPUT and not (name and Path(name).exists()) and OF_A_NAME.search(name):
        say = f"lstmdrop predict {task} --text {shlex.quote(name)}"
        raise DataError(f"{name or repr(name)}: no such file\nif it is a text in itself: {say}")


def _lines(name: str) -> Iterator[str]:
    """Of a file or of standard input; a sentence in place of a name is a line itself."""
    from lstmdrop.data.archive import open_unpacked
    from lstmdrop.data.lines import stream_lines

    if name == STANDARD_INPUT:
        yield from _lines_of_standard_input()
    elif not Path(name).exists():
        yield name
    else:
        with open_unpacked(Path(name)) as stream:
            yield from stream_lines(stream, name)


def _lines_of_standard_input() -> Iterator[str]:
    """As UTF-8, whatever the terminal's language, each line as soon as it has come."""
    from lstmdrop.data.text import not_utf8

    for number, raw in enumerate(_raw_lines(), 1):
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise not_utf8("standard input", number, error) from None
        yield line.removesuffix("\n").removesuffix("\r")


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
    if get_origin(annotation) is Literal:
        return "|".join(get_args(annotation))
    kinds = {annotation, *get_args(annotation)}
    return "N" if int in kinds else "X" if float in kinds else "FILE" if Path in kinds else "TEXT"


def _option_type(annotation: Any) -> Any:
    """What Typer is told: a flag, a list for an option that may be repeated, else the plain type, optional."""
    if annotation is bool:
        return bool
    if get_origin(annotation) is Literal:  # what does not fit is refused with the other settings
        return str | None
    if get_origin(annotation) is tuple:
        return list[get_args(annotation)[0]] | None  # type: ignore[misc]
    return annotation | None
