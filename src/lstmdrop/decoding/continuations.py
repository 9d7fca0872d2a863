"""The likeliest ways for the live hypotheses of a sentence to go on."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor


class Continuations(NamedTuple):
    """Continuations of each sentence, likeliest first; every field has the shape (sentences, continuations)."""

    log_probs: Tensor
    """Of the whole hypothesis; -inf where none is left that is possible."""
    beams: Tensor
    """Which live hypothesis of the sentence goes on."""
    tokens: Tensor
    """The token by which it does."""

    def only(self, kept: Tensor, count: int) -> Continuations:
        """The first ``count`` of the ``kept``, still likeliest first; -inf where there are fewer."""
        order = (~kept).byte().argsort(dim=1, stable=True)[:, :count]
        log_probs = self.log_probs.masked_fill(~kept, -torch.inf).gather(1, order)
        return Continuations(log_probs, self.beams.gather(1, order), self.tokens.gather(1, order))


def likeliest_continuations(
    live: Float[Tensor, "sentences beams"],
    log_probs: Float[Tensor, "rows vocabulary"],
    banned: Int[Tensor, " banned"],
    count: int,
) -> Continuations:
    """The ``count`` likeliest (fewer if the vocabulary ends) of all beams and tokens but the banned.

    Equal log-probabilities: the better beam first, then the lower token.

    Args:
        live: log-probabilities of the live hypotheses.
        log_probs: of the next token, a row a live hypothesis; half precision is summed in single.
        banned: tokens that count as impossible, as NaN does.
        count: how many.
    """
    # No sentence takes more than ``count`` of one hypothesis, so the whole vocabulary is read only once.
    num_kept = min(count + len(banned), log_probs.shape[1])
    kept, tokens = largest(log_probs, num_kept)
    kept = kept.to(live.dtype if kept.dtype.itemsize < live.dtype.itemsize else kept.dtype)
    totals = live.unsqueeze(-1) + kept.masked_fill(torch.isin(tokens, banned), -torch.inf).view(*live.shape, num_kept)
    best, places = largest(totals.flatten(1), min(count, totals[0].numel()))
    return Continuations(best, places // num_kept, tokens.view(len(live), -1).gather(1, places))


def largest(
    values: Float[Tensor, "rows places"], count: int
) -> tuple[Float[Tensor, "rows count"], Int[Tensor, "rows count"]]:
    """The largest values of each row and their places, the earlier place first among equals; NaN counts as -inf."""
    # ``topk`` is much faster than a stable sort, but chooses as it likes among equals: it is asked for one more,
    # which tells whether it had to choose, and the rare rows where it had are sorted whole.
    kept, places = values.topk(min(count + 1, values.shape[1]))
    spare = kept[:, count:]
    chosen = ((spare == kept[:, count - 1 : count]) & (spare > -torch.inf)).any(1)
    unsure = chosen | kept[:, 0].isnan()  # NaN is the largest to ``topk``
    kept, places = kept[:, :count], places[:, :count]
    if unsure.any():
        exact = values[unsure].nan_to_num(-torch.inf, neginf=-torch.inf).sort(dim=1, descending=True, stable=True)
        kept[unsure], places[unsure] = exact.values[:, :count], exact.indices[:, :count]
    places, order = places.sort(1)
    kept, order = kept.gather(1, order).sort(dim=1, descending=True, stable=True)
    return kept, places.gather(1, order)
