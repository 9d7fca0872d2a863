"""What a task tells a server that it can do with a trained model; importing it costs nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from lstmdrop.config import Section

Output = Mapping[str, Any]
"""JSON-ready, its plain form under ``text``, as `predict` gives it."""


@dataclass(frozen=True, slots=True)
class Service:
    """One thing that can be asked of a trained model over the network."""

    name: str
    """A verb, the last part of its address: ``translate``."""
    summary: str
    takes: Literal["text", "image", "sound"]
    """What a request brings: a text, or the bytes of a file."""
    options: type[Section]
    """What else it may say; all have defaults, and bounds where they cost time or memory."""
    answer: Answer
    stream: Stream | None = None
    """The same, given bit by bit."""
    live: Live | None = None
    """Where the input itself comes bit by bit; of sound."""


class Answer(Protocol):
    """Works on requests that came at the same time and have the same options."""

    def __call__(self, inputs: Sequence[Any], options: Any, /) -> Sequence[Output]:
        """An output for each text, or the bytes of each file, in their order.

        Raises:
            LstmdropError: one of them cannot be worked on; each is then asked for alone.
        """
        ...


class Stream(Protocol):
    """Works on one request, and shows what there is so far."""

    def __call__(self, given: Any, options: Any, /) -> Iterator[Output]:
        """The last output is that of `Answer`."""
        ...


class Live(Protocol):
    """Begins to listen."""

    rate: int
    """Samples a second that are expected."""

    def __call__(self, options: Any, /) -> Listening:
        """A session with a state of its own."""
        ...


class Listening(Protocol):
    """One who speaks, and is heard while they do."""

    def accept(self, samples: Any, /) -> Output:
        """What is understood after these samples too, a float32 array between -1 and 1."""
        ...

    def finish(self) -> Output:
        """What was understood of the whole."""
        ...


class Services(Protocol):
    """Puts a trained model at the disposal of a server."""

    def __call__(self, task: Any) -> Sequence[Service]:
        """What can be asked of it; an answer is what ``predict`` gives for the same input and options."""
        ...
