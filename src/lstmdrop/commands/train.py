"""Train a model, evaluate it as it goes, score it at the end, write a run directory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from lstmdrop.config import TaskConfig
from lstmdrop.errors import ConfigError, DataError, did_you_mean
from lstmdrop.plugin import TaskPlugin, load_plugin
from lstmdrop.presets import flatten, lasting_settings, parse_override, read_preset, resolve
from lstmdrop.result import run_result
from lstmdrop.run import DEFAULT_ROOT, Run
from lstmdrop.settings import (
    AnyPath,
    default_name,
    naming_moved_data,
    require_readable,
    require_trainable,
    resolve_config,
)
from lstmdrop.start import build_new, require_other_place, require_same_start, start_summary, started_config
from lstmdrop.task import Task
from lstmdrop.training.changes import changed_training, noted, require_possible, require_same_data
from lstmdrop.training.checkpoint import Checkpoint, write_checkpoint
from lstmdrop.training.device import choose_device, require_kernel, switches_kept
from lstmdrop.training.finite import NonFiniteError, batch_tensors
from lstmdrop.training.interruption import Interruption
from lstmdrop.training.kernels import kernels_of
from lstmdrop.training.progress import Evaluated, Event, Finished, Logged, Progress, Started, Stepped, Validating
from lstmdrop.training.trainer import Trainer

Listener = Callable[[Event | Started | Finished], None]


@switches_kept()
def train(
    task: str,
    *,
    size: str | None = None,
    data: AnyPath | None = None,
    regularizer: str | None = None,
    seed: int | None = None,
    preset: AnyPath | None = None,
    overrides: Sequence[str] = (),
    out: AnyPath | None = None,
    start: AnyPath | None = None,
    device: str = "auto",
    resume: bool = False,
    data_dir: Path | None = None,
    listener: Listener = lambda event: None,
) -> Run:
    """Train and score a model; returns its finished run.

    With ``start``, a trained run of the task, a new run begins with that one's best weights and its assets, and what is
    not named is as it was there; what belongs to the weights cannot be another.

    With ``resume`` an interrupted run goes on from its last checkpoint, to the weights that it would have
    had; a finished one is returned as it is; where there is none, one is begun if its data is named. Settings of
    training may be others then: both kinds go on under them, and note it. So may what changes no result: see
    `lstmdrop.config.Section.neutral`, and the place of the data, whose content decides.
    ``listener`` hears of every event. A run that ends before its first step leaves nothing behind.

    Raises:
        LstmdropError: the configuration, the data or the run directory is wrong; see `lstmdrop.errors`.
        KeyboardInterrupt: SIGINT or SIGTERM came; a checkpoint has been written.
    """
    plugin = load_plugin(task)
    choices = (size, data, regularizer, seed, preset, overrides)
    run, config = _chosen(plugin, choices, out, start, resume, data_dir)
    goes_on = resume and run.exists()
    if resume and not goes_on and start is None:
        _require_named_data(run.directory, data, preset, overrides)
    with run.claimed(), naming_moved_data([config.data.name]):
        if goes_on:
            _go_on(run, plugin, config, device, data_dir, listener)
        else:
            with _begun(run, config):
                _finish(run, plugin, config, device, data_dir, listener)
    listener(Finished(run.directory, run.result()))
    return run


def _chosen(
    plugin: TaskPlugin,
    choices: tuple[Any, ...],
    out: AnyPath | None,
    start: AnyPath | None,
    resume: bool,
    data_dir: Path | None,
) -> tuple[Run, TaskConfig]:
    """Where to train, and with which configuration."""
    run = None if out is None else Run(out)
    if run is None or not (resume and run.exists()):  # of a run that goes on, its start may be gone
        if run is not None and start is not None:
            require_other_place(run, start)
        if start is None:
            config = resolve_config(plugin, *choices, data_dir=data_dir)
        else:
            config = started_config(plugin, start, *choices)
        require_trainable(plugin, config)
        run = run or Run(DEFAULT_ROOT / default_name(config.model_dump()))
        if not (resume and run.exists()):
            return run, config
    if run.config().get("task") == plugin.name:
        require_readable(plugin, run.directory, run.config())
    config = resolve_config(plugin, *choices, stored=run.config())
    require_trainable(plugin, config)
    if start is not None:
        require_same_start(plugin, run, config, start)
    _changes(run, plugin, config)
    return run, config


@contextmanager
def _begun(run: Run, config: TaskConfig) -> Iterator[None]:
    """A new run, which goes again if it ends, in whatever way, before there is anything to keep."""
    Run.create(run.directory, config.model_dump(mode="json"))
    try:
        yield
    except BaseException:
        if run.never_trained() and not run.failed_batch.exists():
            run.discard()
        raise


def _go_on(
    run: Run, plugin: TaskPlugin, config: TaskConfig, device: str, data_dir: Path | None, listener: Listener
) -> None:
    if not run.is_finished() or _changes(run, plugin, config):
        if not run.has_checkpoint():
            _require_unfinished(run)
            run.start_over()
        _finish(run, plugin, config, device, data_dir, listener)
    elif config.data != _stored(run, plugin).data:
        built = plugin.build(config, run.assets, choose_device(device), data_dir)
        require_same_data(str(run.result()["data_sha256"]), built)
        run.write_config(config.model_dump(mode="json"))


def _require_unfinished(run: Run) -> None:
    if run.is_finished():
        raise DataError(
            f"{run.directory} is finished and has no state to go on from (last.safetensors): a new run that begins "
            f"with its weights is made with --from {run.directory}"
        )


def _finish(
    run: Run, plugin: TaskPlugin, config: TaskConfig, device: str, data_dir: Path | None, listener: Listener
) -> None:
    with Interruption() as interruption:
        built, trainer, config = _prepare(run, plugin, config, device, data_dir, listener)
        with _failure_kept(run):
            _fit(run, trainer, listener, interruption)
        result = run_result(run, built, trainer, config)
        if plugin.examples is not None:
            run.keep_examples(plugin.examples(built))
        run.finish(result)


def _stored(run: Run, plugin: TaskPlugin) -> TaskConfig:
    return resolve(plugin.config, [run.config()])


def _changes(run: Run, plugin: TaskPlugin, config: TaskConfig) -> dict[str, tuple[Any, Any]]:
    """The settings of training that are others from now on; no other may be."""
    try:
        return changed_training(_stored(run, plugin), config)
    except ConfigError as error:
        raise ConfigError(f"{run.directory}: {error}") from None


def _require_named_data(
    directory: Path, data: AnyPath | None, preset: AnyPath | None, overrides: Sequence[str]
) -> None:
    """Where there is no run to go on with, the name may be wrong: no other data is trained on unasked."""
    layers = [read_preset(Path(preset))] if preset else []
    layers += map(parse_override, overrides)
    if data is None and not any("data.name" in flatten(layer) for layer in layers):
        runs = [str(path.parent) for path in directory.parent.glob("*/config.json")]
        raise DataError(
            f"{directory} has no run to go on with{did_you_mean(str(directory), runs)}\n"
            "to begin one there, name its data: --data NAME or PATH"
        )


def _prepare(
    run: Run, plugin: TaskPlugin, config: TaskConfig, device: str, data_dir: Path | None, listener: Listener
) -> tuple[Task[Any], Trainer[Any], TaskConfig]:
    """The task and its trainer, at the point where the run stands, and the configuration with what is noted of it."""
    chosen, changes = choose_device(device), _changes(run, plugin, config)
    if not run.has_checkpoint() or "training.kernel" in changes:
        require_kernel(config.training, chosen)  # a run that goes on takes another where its own cannot run
    checkpoint, notes = run.load_last()
    if checkpoint is None:
        built = build_new(plugin, config, run.assets, chosen, data_dir)
        trainer = Trainer(built, config)
    else:
        progress = Progress.from_json(checkpoint.values)
        if changes:
            require_possible(config, progress, changes, is_finished=run.is_finished())
        config = noted(config, progress, changes)
        built = plugin.build(config, run.assets, chosen, data_dir)
        trainer = Trainer(built, config)
        trainer.load_state_dict(checkpoint)
        if notes:
            notes.append(f"going on from the checkpoint before it, at step {trainer.progress.step}")
        notes += _told(config, trainer)
    run.failed_batch.unlink(missing_ok=True)
    run.settings = lasting_settings(config)
    run.rewind_log(partial(_is_past, progress=trainer.progress))
    if config != _stored(run, plugin):
        run.reopen()  # first: what is finished and has other settings would be taken for a run of these
        run.write_config(config.model_dump(mode="json"))
    listener(_started(run, built, trainer, config, notes))
    return built, trainer, config


def _told(config: TaskConfig, trainer: Trainer[Any]) -> list[str]:
    lines = [str(change) for change in config.changes]
    return [*lines, f"the next step has the rate {trainer.rate():g}"] if lines else []


def _is_past(entry: Mapping[str, Any], progress: Progress) -> bool:
    """Whether a log entry lies before the state: an epoch's scores come after its last step, at the same count."""
    try:
        is_scored = entry["event"] != "evaluated" or entry["epoch"] < progress.epoch
        return bool(entry["step"] <= progress.step and is_scored)
    except (KeyError, TypeError):  # no line of ours
        return False


def _fit(run: Run, trainer: Trainer[Any], listener: Listener, interruption: Interruption) -> None:
    saved_seconds = trainer.progress.seconds
    begins = trainer.progress.step == 0 or None in kernels_of(trainer.task.model).values()
    saves_at = trainer.progress.step + 1 if begins else None
    interruption.at_once = False
    for event in trainer.run():
        interruption.at_once = False
        if isinstance(event, Logged | Evaluated):
            run.record(_log_entry(event))
        listener(event)
        requested = interruption.requested
        # The first step shows at once what hinders saving, and keeps its kernel if that was measured.
        is_first = trainer.progress.step == saves_at
        due = is_first or trainer.progress.seconds - saved_seconds >= trainer.config.save_minutes * 60
        if requested or isinstance(event, Validating | Evaluated) or (isinstance(event, Stepped) and due):
            _save(run, trainer, event)
            saved_seconds = trainer.progress.seconds
        if requested:
            raise KeyboardInterrupt
        interruption.at_once = isinstance(event, Validating)  # all is saved, and nothing changes until it is scored
    interruption.at_once = True


@contextmanager
def _failure_kept(run: Run) -> Iterator[None]:
    """Where the numbers fail, the batch with which they did is written into the run."""
    try:
        yield
    except NonFiniteError as error:
        if tensors := batch_tensors(error.batches):
            write_checkpoint(run.failed_batch, Checkpoint(tensors, error.about))
            error.add_line(f"the batch lies in {run.failed_batch}")
        raise


def _save(run: Run, trainer: Trainer[Any], event: Event) -> None:
    if isinstance(event, Evaluated) and event.is_best:  # before the state that says that it is the best
        about = {"step": event.step, "epoch": event.epoch, "score": asdict(event.scores[0])}
        run.save_best(Checkpoint(trainer.scored_weights(), about))
    run.save_last(trainer.state_dict())


def _log_entry(event: Logged | Evaluated) -> dict[str, Any]:
    entry = {"event": type(event).__name__.lower(), **asdict(event)}
    return {key: value for key, value in entry.items() if (key, value) != ("num_parts", 1)}


def _started(run: Run, built: Task[Any], trainer: Trainer[Any], config: TaskConfig, notes: list[str]) -> Started:
    return Started(
        config=config,
        directory=run.directory,
        summary={**start_summary(built, config), **built.summary()},
        num_parameters=sum(parameter.numel() for parameter in trainer.parameters),
        steps_per_epoch=-(-built.num_batches("train") // config.training.accumulate),
        step=trainer.progress.step,
        notes=notes,
    )
