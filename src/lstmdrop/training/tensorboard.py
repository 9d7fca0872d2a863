"""Training as TensorBoard shows it: an optional part."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from lstmdrop.errors import loading
from lstmdrop.training.progress import Evaluated, Event, Finished, Logged, Started


class TensorBoardLog:
    """Writes what happens while a model trains into ``tensorboard/`` of its run; a `lstmdrop.train` listener.

    A run that goes on writes over what lies after its checkpoint.

    Raises:
        MissingPartError: TensorBoard is not installed.
    """

    def __init__(self) -> None:
        with loading("--log tensorboard needs TensorBoard", "pip install 'lstmdrop[tensorboard]'"):
            from torch.utils.tensorboard import SummaryWriter
        self._make: Any = SummaryWriter
        self._writer: Any = None

    def __enter__(self) -> TensorBoardLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def show(self, event: Event | Started | Finished) -> None:
        """One event."""
        if isinstance(event, Started):
            self._writer = self._make(str(event.directory / "tensorboard"), purge_step=event.step or None)
        elif isinstance(event, Logged):
            self._add(
                event.step,
                {
                    "training/loss": event.loss,
                    "training/rate": event.rate,
                    "training/gradient_norm": event.gradient_norm,
                    "training/tokens_per_second": event.tokens_per_second,
                },
            )
        elif isinstance(event, Evaluated):
            scores = {f"{event.split}/{score.name}": score.value for score in event.scores}
            self._add(event.step, {"epoch/training_loss": event.training_loss, **scores})

    def _add(self, step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()
