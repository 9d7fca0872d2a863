"""Train a model, evaluate it as it goes, score it at the end, write a run directory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from lstmdrop.config import TaskConfig
from lstmdrop.data.atomic import naming
from lstmdrop.errors import ConfigError, DataError, LstmdropError, WorkerError, did_you_mean
from lstmdrop.handover import hand_over, taken_over
from lstmdrop.plugin import TaskPlugin, load_plugin
from lstmdrop.presets import flatten, lasting_settings, parse_override, read_preset, resolve
from lstmdrop.recording import fit, is_past
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
from lstmdrop.training.checkpoint import Checkpoint
from lstmdrop.training.device import require_kernel, switches_kept
from lstmdrop.training.finite import NonFiniteError
from lstmdrop.training.gradient import Gradient
from lstmdrop.training.interruption import Interruption
from lstmdrop.training.progress import Event, Finished, Progress, Started
from lstmdrop.training.trainer import Trainer
from lstmdrop.training.workers import WorkerLostError, Workers, joined

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

    Started by torchrun, this is called by each of its workers, which train one model. The first has the run's directory
    and the ``listener``; the others take all from it but the place of the data. Started again by it, the run goes on.

    Raises:
        LstmdropError: the configuration, the data or the run directory is wrong; see `lstmdrop.errors`.
        KeyboardInterrupt: SIGINT or SIGTERM came; a checkpoint has been written.
    """
    with joined(device) as workers:
        if not workers.is_first:
            return _follow(task, workers, data_dir)
        plugin = load_plugin(task)
        choices = (size, data, regularizer, seed, preset, overrides)
        resumes = resume or workers.restarts > 0
        run, config = chosen(plugin, choices, out, start, resumes, data_dir)
        goes_on = resumes and run.exists()
        if resume and not goes_on and start is None:
            require_named_data(run.directory, data, preset, overrides)
        with run.claimed(), naming_moved_data([config.data.name]), naming(run.directory):
            if goes_on:
                go_on(run, plugin, config, workers, data_dir, listener)
            else:
                with begun(run, config):
                    _finish(run, plugin, config, workers, data_dir, listener)
        workers.from_first(run.directory)
        listener(Finished(run.directory, run.result()))
        return run


def _follow(task: str, workers: Workers, data_dir: Path | None) -> Run:
    """Train along with the first worker."""
    try:
        with Interruption() as interruption, taken_over(load_plugin(task), workers, data_dir) as (directory, trainer):
            if trainer is not None:
                fit(None, trainer, interruption, lambda event: None)
                workers.from_first(directory)
    except (NonFiniteError, WorkerLostError):  # which the first worker knows too
        raise
    except LstmdropError as error:
        raise WorkerError(f"worker {workers.share.worker}: {error}") from None
    return Run(directory)


def chosen(
    plugin: TaskPlugin,
    choices: tuple[Any, ...],
    out: AnyPath | None,
    start: AnyPath | None,
    resume: bool,
    data_dir: Path | None,
) -> tuple[Run, TaskConfig]:
    """Where to train, and with which configuration.

    Raises:
        LstmdropError: it cannot be trained there with it.
    """
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
    changes(run, plugin, config)
    return run, config


@contextmanager
def begun(run: Run, config: TaskConfig) -> Iterator[None]:
    """A new run, which goes again if it ends, in whatever way, before there is anything to keep."""
    Run.create(run.directory, config.model_dump(mode="json"))
    try:
        yield
    except BaseException:
        if run.never_trained() and not run.failed_batch.exists():
            run.discard()
        raise


def go_on(
    run: Run, plugin: TaskPlugin, config: TaskConfig, workers: Workers, data_dir: Path | None, listener: Listener
) -> None:
    """Train what is left of a run, if anything is, or note where its data is now.

    Raises:
        LstmdropError: it cannot go on.
    """
    if not run.is_finished() or changes(run, plugin, config):
        if not run.has_checkpoint():
            _require_unfinished(run)
            run.start_over()
        _finish(run, plugin, config, workers, data_dir, listener)
    elif config.data != _stored(run, plugin).data:
        built = plugin.build(config, run.assets, workers.device, data_dir)
        require_same_data(str(run.result()["data_sha256"]), built)
        run.write_config(config.model_dump(mode="json"))


def _require_unfinished(run: Run) -> None:
    if run.is_finished():
        raise DataError(
            f"{run.directory} is finished and has no state to go on from (last.safetensors): a new run that begins "
            f"with its weights is made with --from {run.directory}"
        )


def _finish(
    run: Run, plugin: TaskPlugin, config: TaskConfig, workers: Workers, data_dir: Path | None, listener: Listener
) -> None:
    with Interruption() as interruption:
        built, trainer, config = prepare(run, plugin, config, workers, data_dir, listener)
        fit(run, trainer, interruption, listener)
        finish(run, plugin, built, run_result(run, built, trainer, config))


def finish(run: Run, plugin: TaskPlugin, built: Task[Any], result: Mapping[str, Any]) -> None:
    """Write what a trained model does, and last the result, which says that the run is whole."""
    if plugin.examples is not None:
        run.keep_examples(plugin.examples(built))
    run.finish(result)


def _stored(run: Run, plugin: TaskPlugin) -> TaskConfig:
    return resolve(plugin.config, [run.config()])


def changes(run: Run, plugin: TaskPlugin, config: TaskConfig) -> dict[str, tuple[Any, Any]]:
    """The settings of training that are others from now on; no other may be."""
    try:
        return changed_training(_stored(run, plugin), config)
    except ConfigError as error:
        raise ConfigError(f"{run.directory}: {error}") from None


def require_named_data(directory: Path, data: AnyPath | None, preset: AnyPath | None, overrides: Sequence[str]) -> None:
    """Where there is no run to go on with, the name may be wrong: no other data is trained on unasked."""
    layers = [read_preset(Path(preset))] if preset else []
    layers += map(parse_override, overrides)
    if data is None and not any("data.name" in flatten(layer) for layer in layers):
        runs = [str(path.parent) for path in directory.parent.glob("*/config.json")]
        raise DataError(
            f"{directory} has no run to go on with{did_you_mean(str(directory), runs)}\n"
            "to begin one there, name its data: --data NAME or PATH"
        )


def prepare(
    run: Run,
    plugin: TaskPlugin,
    config: TaskConfig,
    workers: Workers,
    data_dir: Path | None,
    listener: Listener,
    gradient: Gradient[Any] | None = None,
) -> tuple[Task[Any], Trainer[Any], TaskConfig]:
    """The task and its trainer, at the point where the run stands, and the configuration with what is noted of it."""
    changed = changes(run, plugin, config)
    if not run.has_checkpoint() or "training.kernel" in changed:
        require_kernel(config.training, workers.device)  # a run that goes on takes another where its own cannot run
    checkpoint, notes = run.load_last()
    if checkpoint is None:
        built = build_new(plugin, config, run.assets, workers.device, data_dir)
        trainer = Trainer(built, config, workers, gradient)
    else:
        progress = Progress.from_json(checkpoint.values)
        if notes:
            notes.append(f"going on from the checkpoint before it, at step {progress.step}")
        if changed:
            require_possible(config, progress, changed, is_finished=run.is_finished())
        config = noted(config, progress, changed)
        built = plugin.build(config, run.assets, workers.device, data_dir)
        trainer = Trainer(built, config, workers, gradient)
        trainer.load_state_dict(checkpoint if gradient is None else _beside_others(checkpoint, notes))
        notes += _told(config, trainer)
    run.failed_batch.unlink(missing_ok=True)
    run.settings = lasting_settings(config)
    run.rewind_log(partial(is_past, progress=trainer.progress))
    if config != _stored(run, plugin):
        run.reopen()  # first: what is finished and has other settings would be taken for a run of these
        run.write_config(config.model_dump(mode="json"))
    hand_over(run, trainer, config, checkpoint)
    listener(_started(run, built, trainer, config, notes))
    return built, trainer, config


def _beside_others(checkpoint: Checkpoint, notes: list[str]) -> Checkpoint:
    """For a model that is trained with others, whatever kernel it had."""
    if set(checkpoint.values["kernels"].values()) != {"stacked"}:
        notes.append("it was trained by itself so far: beside others its numbers differ in their last digits")
    return Checkpoint(checkpoint.tensors, {**checkpoint.values, "kernels": {}})


def _told(config: TaskConfig, trainer: Trainer[Any]) -> list[str]:
    lines = [str(change) for change in config.changes]
    return [*lines, f"the next step has the rate {trainer.rate():g}"] if lines else []


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
