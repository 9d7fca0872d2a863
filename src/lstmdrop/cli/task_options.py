"""Verbs to which the task that they are given adds options of its own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from lstmdrop.cli.completion import TASK

if TYPE_CHECKING:
    from lstmdrop.plugin import TaskOption, TaskPlugin


UsageError: Any = typer.BadParameter.__base__
"""Of the command line's own library, whichever of its modules has it."""


class TaskCommand(TyperCommand):
    """Takes all options of the task that stands among the arguments."""

    def make_context(self, info_name: Any, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """That of a command which has these options."""
        from lstmdrop.plugin import installed_tasks, load_plugin

        tasks = installed_tasks()
        task = next((argument for argument in args if argument in tasks), None)
        options = [] if task is None else self.offered(load_plugin(task))
        with_options = _with_options(inspect.unwrap(self.callback or _nothing), options)
        command = as_command(info_name, with_options)
        try:
            context = command.make_context(info_name, args, parent, **extra)
        except UsageError as error:
            if task is not None and error.ctx is not None:  # the help that names its options is the task's
                error.ctx.info_name = f"{info_name} {task}"
                command.params[:] = [parameter for parameter in command.params if parameter.name != "task"]
            raise
        context.meta[TASK] = task
        return context

    def offered(self, plugin: TaskPlugin) -> Sequence[TaskOption]:
        """Those of a task whose settings act in training."""
        from lstmdrop.plugin import stands_among

        return [option for option in plugin.options if not stands_among(option.setting, plugin.eval_only)]


class ScoringCommand(TaskCommand):
    """Takes those whose settings can be chosen after training."""

    def offered(self, plugin: TaskPlugin) -> Sequence[TaskOption]:
        """Those that stand among the task's `scoring_settings`."""
        from lstmdrop.plugin import stands_among

        return [option for option in plugin.options if stands_among(option.setting, plugin.scoring_settings)]


class BenchCommand(TaskCommand):
    """Takes those whose settings change what a training step computes."""

    def offered(self, plugin: TaskPlugin) -> Sequence[TaskOption]:
        """Those that stand among the task's `bench_settings`."""
        from lstmdrop.plugin import stands_among

        return [option for option in plugin.options if stands_among(option.setting, plugin.bench_settings)]


def as_command(name: str, function: Callable[..., None], **texts: Any) -> Any:
    """A function as a command by itself."""
    single = typer.Typer(rich_markup_mode=None, add_completion=False)
    single.command(name, **texts)(function)
    return typer.main.get_command(single)


def _nothing() -> None:
    pass


def _with_options(function: Callable[..., None], options: Sequence[TaskOption]) -> Callable[..., None]:
    """A verb's function with a parameter for each option; what they are given stands first among the ``overrides``."""
    settings = {option.flag.lstrip("-").replace("-", "_"): option.setting for option in options}

    def command(**given: Any) -> None:
        chosen = {setting: given.pop(name) for name, setting in settings.items()}
        named = [
            f"{setting}={'true' if value is True else value}"
            for setting, value in chosen.items()
            if value not in (None, False)
        ]
        function(**{**given, "overrides": [*named, *(given["overrides"] or [])]})

    signature = inspect.signature(function, eval_str=True)
    task, *verb = (parameter.replace(kind=parameter.KEYWORD_ONLY) for parameter in signature.parameters.values())
    own = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(option))
        for name, option in zip(settings, options, strict=True)
    ]
    parameters = [task, *own, *verb]
    command.__doc__ = function.__doc__
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def _annotation(option: TaskOption) -> Any:
    if option.metavar is None:
        return Annotated[bool | None, typer.Option(option.flag, help=option.help)]
    return Annotated[str | None, typer.Option(option.flag, help=option.help, metavar=option.metavar)]
