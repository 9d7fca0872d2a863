"""Train several seeds of one model as one, in steps of all; what comes of it is a run for each."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lstmdrop.commands.train import begun, changes, chosen, finish, go_on, prepare, require_named_data
from lstmdrop.config import TaskConfig
from lstmdrop.data.atomic import naming
from lstmdrop.errors import ConfigError, DataError, LstmdropError, UsageError
from lstmdrop.plugin import TaskPlugin, load_plugin
from lstmdrop.presets import flatten, parse_override
from lstmdrop.recording import fit_together
from lstmdrop.result import run_result
from lstmdrop.run import Run
from lstmdrop.settings import AnyPath, naming_moved_data, resolve_config
from lstmdrop.start import started_config
from lstmdrop.task import Task
from lstmdrop.training.checkpoint import read_values
from lstmdrop.training.device import switches_kept
from lstmdrop.training.ensemble import Ensemble, GivenGradient, Randomness
from lstmdrop.training.interruption import Interruption
from lstmdrop.training.progress import Event, Finished, Progress, Started
from lstmdrop.training.trainer import Trainer
from lstmdrop.training.workers import Workers, joined

Listener = Callable[[int, Event | Started | Finished], None]
"""Hears of every event, and of which member it tells, counted from 0."""

Point = tuple[int, int]
"""The epoch in which a training stands, and the steps made in it."""

BEGINNING: Point = (1, 0)


@switches_kept()
def train_ensemble(
    task: str,
    num_models: int,
    *,
    seed: int | None = None,
    out: AnyPath | None = None,
    resume: bool = False,
    device: str = "auto",
    data_dir: Path | None = None,
    listener: Listener = lambda number, event: None,
    **choices: Any,
) -> list[Run]:
    """Train and score ``num_models`` models of the seeds ``seed``, ``seed + 1`` ...; returns their finished runs.

    Each has what `lstmdrop.train` with its seed would give it, but for rounding: its own first weights, masks, order of
    data, clipping, schedule and best checkpoint. On a CPU its random numbers are the same. Under ``out`` lie the runs
    ``s1``, ``s2`` ..., by their seeds. With ``resume`` those that are finished stay as they are, and the others go on
    together from the newest point at which all have a checkpoint. ``choices`` are those of `lstmdrop.train`.

    Raises:
        LstmdropError: as `lstmdrop.train`, or these models cannot be trained as one.
        KeyboardInterrupt: SIGINT or SIGTERM came; a checkpoint of each has been written.
    """
    with joined(device) as workers:
        plugin = load_plugin(task)
        pairs = _chosen(plugin, num_models, seed, out, resume, data_dir, choices)
        _require_stackable(plugin, pairs[0][1], workers)
        runs = [run for run, _ in pairs]
        if resume and choices.get("start") is None and not any(run.exists() for run in runs):
            require_named_data(
                runs[0].directory, choices.get("data"), choices.get("preset"), choices.get("overrides", ())
            )
        with ExitStack() as held:
            for run, config in pairs:
                held.enter_context(run.claimed())
                held.enter_context(naming(run.directory))
                if not run.exists() or not resume:
                    held.enter_context(begun(run, config))
            held.enter_context(naming_moved_data([pairs[0][1].data.name]))
            numbers = [
                n for n, pair in enumerate(pairs) if not pair[0].is_finished() or changes(pair[0], plugin, pair[1])
            ]
            for number, (run, config) in enumerate(pairs):
                if number not in numbers:
                    go_on(run, plugin, config, workers, data_dir, partial(listener, number))
            if numbers:
                listeners = [partial(listener, number) for number in numbers]
                _train([pairs[number] for number in numbers], plugin, workers, data_dir, listeners, num_models)
        for number, run in enumerate(runs):
            listener(number, Finished(run.directory, run.result()))
        return runs


def _chosen(
    plugin: TaskPlugin,
    num_models: int,
    seed: int | None,
    out: AnyPath | None,
    resume: bool,
    data_dir: Path | None,
    choices: dict[str, Any],
) -> list[tuple[Run, TaskConfig]]:
    named = dict(choices)
    start = named.pop("start", None)
    size, data, regularizer = (named.pop(name, None) for name in ("size", "data", "regularizer"))
    preset, overrides = named.pop("preset", None), named.pop("overrides", ())
    if named:
        raise TypeError(f"train_ensemble has no {', '.join(named)}")
    if num_models < 2:
        raise UsageError(f"--ensemble {num_models}: an ensemble has 2 models or more")
    if seed is None:
        given = (size, data, regularizer, None, preset, overrides)
        resolved = (
            resolve_config(plugin, *given, data_dir=data_dir)
            if start is None
            else started_config(plugin, start, *given)
        )
        seed = resolved.seed
    if any("seed" in parse_override(text) for text in overrides):
        raise UsageError("--set seed: the models of an ensemble have seeds of their own; the first one is --seed N")
    found = []
    for number in range(seed, seed + num_models):
        place = None if out is None else Path(out, f"s{number}")
        own = (size, data, regularizer, number, preset, overrides)
        found.append(chosen(plugin, own, place, start, resume, data_dir))
    return found


def _require_stackable(plugin: TaskPlugin, config: TaskConfig, workers: Workers) -> None:
    """Make sure that models can be trained as one.

    Raises:
        LstmdropError: they cannot; the line says what can.
    """
    instead = f"train them one by one: lstmdrop train {plugin.name} --seed 1, --seed 2 ..."
    if plugin.stack is None:
        raise UsageError(f"--ensemble: {plugin.name} has no step for several models; {instead}")
    if workers.count > 1:
        raise UsageError("--ensemble trains in one process: leave torchrun out, or train one model with all workers")
    values, defaults = (flatten(each.model_dump()) for each in (config, type(config)(task=config.task)))
    for key in ("training.kernel", *plugin.not_stacked):
        if values.get(key) != defaults.get(key):  # some settings are left out where they are usual
            raise ConfigError(
                f"{key} = {values.get(key)} is nothing that a step of several models has; leave it out, or {instead}"
            )


@dataclass(frozen=True, slots=True)
class _Member:
    """One of the models."""

    run: Run
    built: Task[Any]
    trainer: Trainer[Any]
    config: TaskConfig


def _train(
    pairs: Sequence[tuple[Run, TaskConfig]],
    plugin: TaskPlugin,
    workers: Workers,
    data_dir: Path | None,
    listeners: Sequence[Callable[[Event | Started | Finished], None]],
    num_models: int,
) -> None:
    assert plugin.stack is not None
    _align([run for run, _ in pairs], pairs[0][1])
    randomness, members = Randomness(), []
    with Interruption() as interruption:
        for (run, config), listener in zip(pairs, listeners, strict=True):
            if config.start is None and not any(
                run.assets.iterdir()
            ):  # what is learnt from the text is the same for all
                shutil.copytree(pairs[0][0].assets, run.assets, dirs_exist_ok=True)
            members.append(_Member(run, *prepare(run, plugin, config, workers, data_dir, listener, GivenGradient())))
            randomness.add_present()
        _require_one_point(members)
        ensemble = Ensemble([member.trainer for member in members], randomness, plugin.stack)
        runs = [member.run for member in members]
        fit_together(runs, ensemble, interruption, lambda number, event: listeners[number](event))
        for member in members:
            result = run_result(member.run, member.built, member.trainer, member.config)
            finish(member.run, plugin, member.built, {**result, "ensemble": num_models})


def _align(runs: Sequence[Run], config: TaskConfig) -> None:
    """After an end between the saves of one and of another, let all go on from the newest point that they share.

    Raises:
        DataError: there is none.
    """
    if not any(run.states for run in runs):
        for run in runs:
            run.start_over()
        return
    going = [run for run in runs if not _is_trained(run, config)]
    common = set.intersection(*(set(_points(run)) for run in going)) if going else set()
    if going and not common:
        stand = "; ".join(f"{run.directory}: epoch {e}, {p} steps" for run in going for e, p in _points(run)[:1])
        raise DataError(
            f"the models have no checkpoints at one point ({stand})\n"
            "let those that are behind go on by themselves first: lstmdrop train TASK --resume --out RUN"
        )
    for run in going:
        while _points(run)[0] != max(common):
            newest, *older = run.states
            if older:
                older[0].replace(newest)
            else:
                newest.unlink()
        if not run.states:
            run.start_over()


def _is_trained(run: Run, config: TaskConfig) -> bool:
    return any(progress.is_at_the_end(config.training) for progress in _saved(run)[:1])


def _points(run: Run) -> list[Point]:
    """Where it can go on, the newest first: a run that has made one step has lost nothing if it begins again."""
    saved = _saved(run)
    points = [(progress.epoch, progress.position) for progress in saved]
    return points if saved and saved[-1].step > 1 else [*points, BEGINNING]


def _saved(run: Run) -> list[Progress]:
    found = []
    for path in run.states:
        with suppress(DataError):  # damaged: the run passes over it
            found.append(Progress.from_json(read_values(path)))
    return found


def _require_one_point(members: Sequence[_Member]) -> None:
    going = [member for member in members if not member.trainer.progress.is_at_the_end(member.config.training)]
    if len({(one.trainer.progress.epoch, one.trainer.progress.position) for one in going}) > 1:
        raise LstmdropError(
            "a damaged checkpoint of one model was passed over, and the others have none of the same point: "
            "let each go on by itself, with --resume --out RUN"
        )
