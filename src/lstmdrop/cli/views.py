"""What long work and a training show while they go on."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from lstmdrop.data.work_progress import listening
from lstmdrop.metrics.score import metric_decimals, perplexity_of
from lstmdrop.training.progress import Evaluated, Event, Finished, Logged, Started, Stepped, Validating

QUIET_SECONDS = 10.0
"""In a pipe, at most one line in so many seconds, so that short work says nothing."""


@contextmanager
def shown_work(progress: Progress | None = None) -> Iterator[None]:
    """Within the block, long work on data is shown on standard error.

    A display that is up already, such as that of training, is given as ``progress``; its tasks have a field
    ``speed``.
    """
    if progress is not None:
        with listening(WorkView(progress)):
            yield
        return
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    own = Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[speed]}"), TimeRemainingColumn(compact=True),
        console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip
    with own, listening(WorkView(own)):
        yield


class WorkView:
    """Shows one piece of work after the other."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.bar: TaskID | None = None
        self.started = self.last_line = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        """``done`` of ``total`` items are through."""
        now = time.monotonic()
        if done == 0:
            self._end_bar()
            self.started = self.last_line = now
        speed = f"{done / (now - self.started):,.0f}/s" if now > self.started else ""
        if self.progress.console.is_terminal:
            self._draw(what, done, total, speed)
        elif now - self.last_line >= QUIET_SECONDS:
            self.last_line = now
            self.progress.console.print(f"{what}: {done:,} of {total:,}, {speed}", markup=False)

    def _draw(self, what: str, done: int, total: int, speed: str) -> None:
        if done == total:
            self._end_bar()
            return
        if self.bar is None:
            self.bar = self.progress.add_task(what, total=total, speed=speed)
        self.progress.update(self.bar, completed=done, speed=speed)

    def _end_bar(self) -> None:
        if self.bar is not None:
            self.progress.remove_task(self.bar)
            self.bar = None


class TrainingView:
    """Shows each event as it comes; of several models that are trained as one, ``names_seeds`` tells whose it is."""

    def __init__(self, names_seeds: bool = False) -> None:
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self.progress = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[speed]}"), TimeRemainingColumn(compact=True),
            console=self.console, transient=True, disable=not self.console.is_terminal,
        )  # fmt: skip
        self.bar: TaskID | None = None
        self.num_epochs = 0
        self.names_seeds = names_seeds
        self.seeds: dict[int, int] = {}
        self.has_begun = False
        self.last_line = 0.0

    def __enter__(self) -> TrainingView:
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()

    def say(self, line: str) -> None:
        """A message to the user, on standard error."""
        self.console.print(line, markup=False)

    def show(self, event: Event | Started | Finished, number: int = 0) -> None:
        """One event, of the first model or of one of several."""
        if isinstance(event, Started):
            self._start(event, number)
        elif isinstance(event, Evaluated):
            self._evaluated(event, number)
        elif isinstance(event, Finished):
            self._finish(event)
        elif number == min(self.seeds, default=0):
            self._go_on(event)

    def _go_on(self, event: Stepped | Logged | Validating) -> None:
        if isinstance(event, Stepped):
            self.has_begun = True
            self._advance(event)
        elif isinstance(event, Logged):
            self._log(event)
        else:
            self._describe(f"epoch {event.epoch}/{self.num_epochs}, validating")

    def _whose(self, number: int) -> str:
        return f", seed {self.seeds[number]}" if self.names_seeds and number in self.seeds else ""

    def _start(self, event: Started, number: int) -> None:
        for note in event.notes:
            self.say(note)
        config = event.config
        self.seeds[number] = config.seed
        if len(self.seeds) > 1:  # all else is as it was
            self.say(f"{'run':<11} {event.directory}{f', resumed at step {event.step}' if event.step else ''}")
            return
        for name, value in event.summary.items():
            self.say(f"{name:<11} {value}")
        self.say(
            f"{'model':<11} {event.num_parameters:,} parameters, {config.size}, {_rule(event)}, seed {config.seed}"
        )
        self.say(f"{'run':<11} {event.directory}{f', resumed at step {event.step}' if event.step else ''}")
        self.num_epochs = config.training.epochs
        total = event.steps_per_epoch * self.num_epochs
        self.bar = self.progress.add_task("training", total=total, completed=event.step, speed="")

    def _advance(self, event: Stepped) -> None:
        if self.bar is not None:
            self.progress.update(self.bar, completed=event.step)

    def _describe(self, text: str) -> None:
        if self.bar is not None:
            self.progress.update(self.bar, description=text)

    def _log(self, event: Logged) -> None:
        self._describe(f"epoch {event.epoch}/{self.num_epochs}, loss {event.loss:.3f}")
        speed = f"{event.tokens_per_second:,.0f}/s"
        if self.bar is not None:
            self.progress.update(self.bar, speed=speed)
        now = time.monotonic()
        if not self.console.is_terminal and now - self.last_line >= QUIET_SECONDS:
            self.last_line = now
            self.say(f"epoch {event.epoch} step {event.step}: loss {event.loss:.4f}, {speed}")

    def _evaluated(self, event: Evaluated, number: int) -> None:
        score = event.scores[0]
        training = perplexity_of(event.training_loss) if score.name == "perplexity" else event.training_loss
        label = score.name if score.name == "perplexity" else "loss"
        best = ", best so far" if event.is_best else ""
        self.say(
            f"epoch {event.epoch:>2}/{self.num_epochs}: training {label} {training:.2f}, "
            f"{event.split} {score.name} {score.value:.{metric_decimals(score.name)}f}{best}{self._whose(number)}"
        )

    def _finish(self, event: Finished) -> None:
        self.progress.stop()
        whose = f", seed {event.result['seed']}" if self.names_seeds else ""
        for score in event.result["scores"]:
            print(f"{score['split']} {score['name']} {score['value']:.4f}{whose}", file=sys.stdout)  # noqa: T201
        self.say(f"the run is in {event.directory}")


def _rule(event: Started) -> str:
    regularizer = event.config.regularizer
    return "no dropout" if regularizer.rule == "none" else f"{regularizer.rule} dropout {regularizer.dropout:g}"
