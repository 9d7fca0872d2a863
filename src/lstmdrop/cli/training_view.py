"""Training on the screen: a progress bar on a terminal, plain lines in a pipe; results on standard output."""

from __future__ import annotations

import math
import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from lstmdrop.commands.train import Finished, Started
from lstmdrop.training.events import Evaluated, Event, Logged, Stepped, Validating



class TrainingView:
    """Shows each event as it comes."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self.progress = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[speed]}"), TimeRemainingColumn(compact=True),
            console=self.console, transient=True, disable=not self.console.is_terminal,
        )  # fmt: skip
        self.bar: TaskID | None = None
        self.num_epochs = 0
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

    def show(self, event: Event | Started | Finished) -> None:
        """One event."""
        if isinstance(event, Stepped):
            self.has_begun = True
            self._advance(event)
        elif isinstance(event, Started):
            self._start(event)
        elif isinstance(event, Logged):
            self._log(event)
        elif isinstance(event, Validating):
            self._describe(f"epoch {event.epoch}/{self.num_epochs}, validating")
        elif isinstance(event, Evaluated):
            self._evaluated(event)
        else:
            self._finish(event)

    def _start(self, event: Started) -> None:
        for note in event.notes:
            self.say(note)
        for name, value in event.summary.items():
            self.say(f"{name:<11} {value}")
        config = event.config
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

    def _evaluated(self, event: Evaluated) -> None:
        score = event.scores[0]
        training = math.exp(event.training_loss) if score.name == "perplexity" else event.training_loss
        label = score.name if score.name == "perplexity" else "loss"
        best = ", best so far" if event.is_best else ""
        self.say(
            f"epoch {event.epoch:>2}/{self.num_epochs}: training {label} {training:.2f}, "
            f"{event.split} {score.name} {score.value:.2f}{best}"
        )

    def _finish(self, event: Finished) -> None:
        self.progress.stop()
        for score in event.result["scores"]:
            print(f"{score['split']} {score['name']} {score['value']:.4f}", file=sys.stdout)  # noqa: T201
        self.say(f"the run is in {event.directory}")


def _rule(event: Started) -> str:
    regularizer = event.config.regularizer
    return "no dropout" if regularizer.rule == "none" else f"{regularizer.rule} dropout {regularizer.dropout:g}"
