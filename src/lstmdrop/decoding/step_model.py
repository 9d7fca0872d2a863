"""What a search needs to know of a model, and several models as one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

StateT = TypeVar("StateT")


@runtime_checkable
class StepModel(Protocol[StateT]):
    """What a search needs to know of a model."""

    def step(
        self, tokens: Int[Tensor, " rows"], state: StateT
    ) -> tuple[Float[Tensor, "rows vocabulary"], Float[Tensor, "rows positions"] | None, StateT]:
        """Log-probabilities of the next token, attention over source positions (or None), state after ``tokens``.

        The log-probabilities are normalised; the number of positions is the same at every step.
        """
        ...

    def select(self, state: StateT, rows: Int[Tensor, " chosen"]) -> StateT:
        """The state of these rows, in this order; a row may repeat or vanish."""
        ...


class Ensemble(Generic[StateT]):
    """Several models as one: the mean of their probabilities, and of their attention where they give it.

    Its state is the tuple of theirs. They share one vocabulary. Those that look at different numbers of positions, as
    at maps of one image from different encoders, have no attention in common, and the ensemble gives none.

    Raises:
        ValueError: no models.
    """

    def __init__(self, models: Sequence[StepModel[StateT]]) -> None:
        if not models:
            raise ValueError("an ensemble needs at least one model")
        self.models = tuple(models)

    def step(
        self, tokens: Int[Tensor, " rows"], state: tuple[StateT, ...]
    ) -> tuple[Float[Tensor, "rows vocabulary"], Float[Tensor, "rows positions"] | None, tuple[StateT, ...]]:
        """The logarithm of the mean probability of each token, the mean attention, the states after ``tokens``."""
        steps = [model.step(tokens, own) for model, own in zip(self.models, state, strict=True)]
        if len(steps) == 1:
            log_probs, attention, after = steps[0]
            return log_probs, attention, (after,)
        log_probs = torch.stack([given for given, _, _ in steps]).logsumexp(0) - math.log(len(steps))
        looks = [look for _, look, _ in steps if look is not None]
        mean = torch.stack(looks).mean(0) if len({look.shape for look in looks}) == 1 else None
        return log_probs, mean, tuple(after for *_, after in steps)

    def select(self, state: tuple[StateT, ...], rows: Int[Tensor, " chosen"]) -> tuple[StateT, ...]:
        """The states of these rows."""
        return tuple(model.select(own, rows) for model, own in zip(self.models, state, strict=True))
