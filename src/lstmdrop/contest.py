"""What a task gives to be timed: its work, beside the plainest loop for the same network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

Work = Literal["train", "score", "decode"]
WORKS: tuple[Work, ...] = ("train", "score", "decode")

Step = Callable[[], object]
"""Does the work once more, on the next of its items."""


class Rival(NamedTuple):
    """One way to do the work."""

    make: Callable[[], Step]
    """Makes all ready, so that memory holds what this rival needs and no other's."""
    num_items: float
    """Of one step: tokens, frames, sentences, utterances or captions."""


@dataclass(frozen=True, slots=True)
class Contest:
    """Two rivals that do the same work, and what it takes at least."""

    work: Work
    unit: str
    """What is counted, in the plural."""
    ours: Rival
    plain: Rival
    flops: float
    """Multiplications and additions of the matrix products, for one item; 0 where there are none."""
    step_bytes: float
    """Of one step of ours: every weight that it reads, each time that the network is run over it."""
    beam: int | None = None
    """Of a search; 1 is greedy."""
    held_bytes: float = 0.0
    """What a step of ours holds at least: weights, gradients, outputs; 0 where nobody has counted."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One size that grows while all others stay."""

    name: str
    setting: str | None
    """None: the corpus, of which a text of so many words is made, prepared and read once."""
    values: tuple[int, ...]
    settings: tuple[str, ...] = ()
    """Others than the preset's, so that the axis can be seen."""
