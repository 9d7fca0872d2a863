"""A training as its run keeps it: what is logged, when the state is saved, and how it stops when that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from typing import Any

from lstmdrop.run import Run
from lstmdrop.training.checkpoint import Checkpoint, write_checkpoint
from lstmdrop.training.ensemble import Ensemble, Round
from lstmdrop.training.finite import NonFiniteError, batch_tensors
from lstmdrop.training.interruption import Interruption
from lstmdrop.training.kernels import kernels_of
from lstmdrop.training.progress import Evaluated, Event, Logged, Progress, Stepped, Validating
from lstmdrop.training.trainer import Trainer
from lstmdrop.training.workers import Wish


def fit(run: Run | None, trainer: Trainer[Any], interruption: Interruption, listener: Callable[[Event], None]) -> None:
    """Train to the end; of several workers the first has the run, and all save and stop after the same step.

    Raises:
        KeyboardInterrupt: that was asked for; a checkpoint has been written.
        NonFiniteError: the numbers failed; the batch with which they did is written into the run.
    """
    rounds = ([(0, event)] for event in trainer.run())
    _fit([run], [trainer], rounds, interruption, lambda _, event: listener(event), lambda _: nullcontext())


def fit_together(
    runs: Sequence[Run], ensemble: Ensemble, interruption: Interruption, listener: Callable[[int, Event], None]
) -> None:
    """As `fit`, of several models; the listener hears of whom an event tells.

    Raises:
        KeyboardInterrupt: that was asked for; the checkpoints of all have been written.
        NonFiniteError: the numbers of one failed.
    """
    _fit(runs, ensemble.trainers, ensemble.run(), interruption, listener, ensemble.randomness.of)


def _fit(
    runs: Sequence[Run | None],
    trainers: Sequence[Trainer[Any]],
    rounds: Iterable[Round],
    interruption: Interruption,
    listener: Callable[[int, Event], None],
    as_member: Callable[[int], AbstractContextManager[object]],
) -> None:
    clock = trainers[0].workers, trainers[0].config.save_minutes * 60
    saved_seconds = max(trainer.progress.seconds for trainer in trainers)
    saves_at = [_first_save(trainer) for trainer in trainers]
    interruption.at_once = False
    with _failure_kept(runs):
        for events in rounds:
            interruption.at_once = False
            for number, event in events:
                if (run := runs[number]) is not None and isinstance(event, Logged | Evaluated):
                    run.record(_log_entry(event))
                listener(number, event)
            (number, event), (workers, seconds) = events[0], clock
            progress = trainers[number].progress
            # The first step shows at once what hinders saving, and keeps its kernel if that was measured.
            is_due = progress.step == saves_at[number] or progress.seconds - saved_seconds >= seconds
            saves = runs[number] is not None and isinstance(event, Stepped) and is_due
            stop, save = workers.decided(Wish(interruption.requested, saves))
            if stop or save or isinstance(event, Validating | Evaluated):
                for number, event in events:
                    with as_member(number):
                        _save(runs[number], trainers[number], event)
                saved_seconds = progress.seconds
            if stop or (interruption.requested and isinstance(event, Validating)):
                raise KeyboardInterrupt
            interruption.at_once = isinstance(event, Validating)  # all is saved, and nothing changes until it is scored
    interruption.at_once = True
    if interruption.requested:  # too late for other workers to have heard of it
        raise KeyboardInterrupt


def _first_save(trainer: Trainer[Any]) -> int | None:
    """After which step the state is saved at once, if after any."""
    begins = trainer.progress.step == 0 or None in kernels_of(trainer.task.model).values()
    return trainer.progress.step + 1 if begins else None


def is_past(entry: Mapping[str, Any], progress: Progress) -> bool:
    """Whether a log entry lies before the state: an epoch's scores come after its last step, at the same count."""
    try:
        is_scored = entry["event"] != "evaluated" or entry["epoch"] < progress.epoch
        return bool(entry["step"] <= progress.step and is_scored)
    except (KeyError, TypeError):  # no line of ours
        return False


@contextmanager
def _failure_kept(runs: Sequence[Run | None]) -> Iterator[None]:
    try:
        yield
    except NonFiniteError as error:
        run = runs[error.member]
        if run is not None and len(runs) > 1:
            error.add_line(f"it is that of {run.directory}; each of the others goes on by itself: --resume --out RUN")
        if run is not None and (tensors := batch_tensors(error.batches)):
            write_checkpoint(run.failed_batch, Checkpoint(tensors, error.about))
            error.add_line(f"the batch lies in {run.failed_batch}")
        raise


def _save(run: Run | None, trainer: Trainer[Any], event: Event) -> None:
    state = trainer.state_dict()
    if run is None:
        return
    if isinstance(event, Evaluated) and event.is_best:  # before the state that says that it is the best
        about = {"step": event.step, "epoch": event.epoch, "score": asdict(event.scores[0])}
        run.save_best(Checkpoint(trainer.scored_weights(), about))
    run.save_last(state)


def _log_entry(event: Logged | Evaluated) -> dict[str, Any]:
    entry = {"event": type(event).__name__.lower(), **asdict(event)}
    return {key: value for key, value in entry.items() if (key, value) != ("num_parts", 1)}
