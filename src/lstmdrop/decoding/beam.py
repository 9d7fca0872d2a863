"""Batched beam search, for every task that decodes, and how hypotheses go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lstmdrop.decoding.forced import Prefixed
from lstmdrop.decoding.hypotheses import (
    CUT,
    EMPTY,
    FINISHED,
    BeamSettings,
    Ends,
    Ensemble,
    History,
    Hypothesis,
    StateT,
    StepModel,
    coverage_penalty,
    initial_coverage,
    normalised,
)


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
    return Continuations(best, places // num_kept, tokens.reshape(len(live), -1).gather(1, places))


def largest(
    values: Float[Tensor, "rows places"], count: int
) -> tuple[Float[Tensor, "rows count"], Int[Tensor, "rows count"]]:
    """The largest values of each row and their places, the earlier place first among equals; NaN counts as -inf."""
    # ``topk`` is much faster than a stable sort, but chooses as it likes among equals: it is asked for one more,
    # which tells whether it had to choose, and the rare rows where it had are sorted whole.
    kept, places = values.topk(min(count + 1, values.shape[1]))
    is_tied = kept[:, 1:] == kept[:, :-1]
    if not bool((is_tied.any(1) | kept[:, 0].isnan()).any()):  # nearly always
        return kept[:, :count], places[:, :count]
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


__all__ = ["BeamSettings", "Ensemble", "Hypothesis", "StepModel", "beam_search"]


@torch.inference_mode()
def beam_search(
    model: StepModel[StateT],
    state: StateT,
    *,
    num_rows: int,
    bos: int,
    eos: int,
    max_lengths: Int[Tensor, " rows"],
    settings: BeamSettings,
    banned: Sequence[int] = (),
    source_lengths: Int[Tensor, " rows"] | None = None,
    keep_attention: bool = True,
    prefixes: Sequence[Sequence[int]] = (),
) -> list[list[Hypothesis]]:
    """For each of the rows its hypotheses, best first, at least one and at most ``num_best`` each.

    ``state`` holds one row a sentence; ``max_lengths`` (most tokens without <eos>) lies on the model's device. At each
    step a sentence considers its ``2 * beam_size`` likeliest continuations: those with <eos> among the first
    ``beam_size`` finish, the likeliest ``beam_size`` others live on. It is done once ``beam_size`` have finished, or
    ``num_best`` and no live one can overtake them, even were the rest of its tokens certain; with a beam of 1 the
    search is greedy. At its longest length, or where nothing can follow, the live ones are cut
    and rank after all finished ones. Rows of sentences that are done are dropped through ``select``. Equal
    log-probabilities: the better beam first, then the lower token. NaN counts as impossible.

    With ``keep_attention`` hypotheses have theirs; its memory grows with steps times rows times positions.
    ``prefixes`` are what the hypotheses of each sentence begin with; a prefix is never cut, and may hold the banned.

    Raises:
        ValueError: lengths or prefixes of another number of sentences, or a coverage penalty without attention.
    """
    given = {"max_lengths": max_lengths, "source_lengths": source_lengths, "prefixes": prefixes or None}
    for name, rows in given.items():
        if rows is not None and len(rows) != num_rows:
            raise ValueError(f"{name} has {len(rows)} rows, the batch {num_rows}")
    if num_rows == 0:
        return []
    if any(prefixes):
        longest = max_lengths.max(torch.tensor([len(own) for own in prefixes], device=max_lengths.device))
        begun: Any = Prefixed(model, banned)
        return beam_search(
            begun, begun.start(state, prefixes, max_lengths.device), num_rows=num_rows, bos=bos, eos=eos,
            max_lengths=longest, settings=settings, source_lengths=source_lengths, keep_attention=keep_attention,
        )  # fmt: skip
    search = _Search(eos, banned, max_lengths, source_lengths, settings)
    live = _start(num_rows, bos, settings.num_best, max_lengths.device)
    while True:
        log_probs, attention, state = model.step(live.tokens, state)
        search.history.append(live.tokens, live.parents, attention if keep_attention else None)
        live = search.advance(live, log_probs, attention)
        if len(live.sentences) == 0:
            return search.hypotheses()
        state = model.select(state, live.parents)


@dataclass(frozen=True, slots=True)
class _Live:
    """The sentences that are not done, and their live hypotheses: a row is one of these, sentence by sentence."""

    sentences: Tensor  # (sentences), their numbers in the batch
    log_probs: Tensor  # (sentences, beams), -inf where there are fewer hypotheses than beams
    tokens: Tensor  # (rows), the last ones
    parents: Tensor  # (rows), which row of the step before each goes on from
    coverage: Tensor | None  # (rows, positions), the attention summed over steps
    num_finished: Tensor  # (sentences), with those that were not good enough to keep
    found: Ends  # (sentences, num_best)

    @property
    def first_rows(self) -> Tensor:
        """The row of each sentence's first beam: ``(sentences, 1)``."""
        num_sentences, num_beams = self.log_probs.shape
        return torch.arange(0, num_sentences * num_beams, num_beams, device=self.log_probs.device).unsqueeze(1)


def _start(num_rows: int, bos: int, num_best: int, device: torch.device) -> _Live:
    """One live hypothesis a sentence: <bos>. Single precision, which the model's may raise."""
    rows, log_probs = torch.arange(num_rows, device=device), torch.zeros(num_rows, 1, device=device)
    found = Ends.none(num_rows, num_best, device)
    return _Live(rows, log_probs, torch.full_like(rows, bos), rows, None, torch.zeros_like(rows), found)


class _Search:
    """What holds for all steps of a search, and what it has found."""

    def __init__(
        self,
        eos: int,
        banned: Sequence[int],
        max_lengths: Tensor,
        source_lengths: Tensor | None,
        settings: BeamSettings,
    ) -> None:
        self.eos, self.settings = eos, settings
        self.max_lengths, self.source_lengths = max_lengths, source_lengths
        self.banned = torch.tensor(list(banned), dtype=torch.long, device=max_lengths.device)
        self.history = History()
        self.done: list[tuple[Tensor, Ends]] = []

    def advance(self, live: _Live, log_probs: Tensor, attention: Tensor | None) -> _Live:
        """Put away the sentences that are done with this step; how the others go on."""
        best = likeliest_continuations(live.log_probs, log_probs, self.banned, 2 * self.settings.beam_size)
        before, after = self._coverage(live, attention)
        possible, is_eos = best.log_probs > -torch.inf, best.tokens == self.eos
        finishes, lives = (possible & is_eos)[:, : self.settings.beam_size], possible & ~is_eos
        cut = (self.max_lengths[live.sentences] < len(self.history)) | ~lives.any(1)
        found = live.found
        if bool(finishes.any()):  # in most steps none does
            found = found.merge(self._finished(live, best, finishes, after))
        if bool(cut.any()):
            found = found.merge(self._cut(live, best, finishes, cut, before))
        best = best.only(lives, self.settings.beam_size)
        num_finished = live.num_finished + finishes.sum(1)
        done = cut | (num_finished >= self.settings.beam_size)
        done |= self._decided(live.sentences, best.log_probs, found)
        going: Tensor | slice = slice(None)
        if bool(done.any()):
            over, going = done.nonzero().squeeze(1), (~done).nonzero().squeeze(1)
            self.done.append((live.sentences[over], found.take(over)))
        parents = (live.first_rows + best.beams)[going].flatten()
        return _Live(
            live.sentences[going],
            best.log_probs[going],
            best.tokens[going].flatten(),
            parents,
            None if after is None else after[parents],
            num_finished[going],
            found.take(going),
        )

    def hypotheses(self) -> list[list[Hypothesis]]:
        """Those of all sentences, once all are done."""
        sentences, ends = zip(*self.done, strict=True)
        order = torch.cat(sentences).argsort()
        parts = (torch.cat(part)[order] for part in zip(*ends, strict=True))
        return self.history.read(Ends(*parts), self.source_lengths)

    def _finished(self, live: _Live, best: Continuations, finishes: Tensor, coverage: Tensor | None) -> Ends:
        """The ends of those among the likeliest continuations that ``finishes`` tells."""
        kind = torch.where(finishes, FINISHED, EMPTY)
        likeliest = slice(finishes.shape[1])
        return self._ends(live, kind, best.beams[:, likeliest], best.log_probs[:, likeliest], 1, coverage)

    def _cut(self, live: _Live, best: Continuations, finishes: Tensor, cut: Tensor, coverage: Tensor | None) -> Ends:
        """The ends of live hypotheses where they are cut, but for those that finish in this very step."""
        beams = torch.arange(live.log_probs.shape[1], device=cut.device).expand_as(live.log_probs)
        finished = best.beams[:, : finishes.shape[1]].where(finishes, -1)
        left = (live.log_probs > -torch.inf) & (beams.unsqueeze(2) != finished.unsqueeze(1)).all(2)
        kind = torch.where(cut.unsqueeze(1) & left, CUT, EMPTY)
        return self._ends(live, kind, beams, live.log_probs, 0, coverage)

    def _ends(
        self, live: _Live, kind: Tensor, beams: Tensor, log_probs: Tensor, new_tokens: int, coverage: Tensor | None
    ) -> Ends:
        """Ends in the last step, scored."""
        step = torch.full_like(beams, len(self.history) - 1)
        score = normalised(log_probs, step[:, :1] + new_tokens, self.settings)
        if coverage is not None:
            penalties = coverage_penalty(coverage, self.settings).view_as(live.log_probs)
            score = score + penalties.gather(1, beams)
        return Ends(kind, score, log_probs, step, live.first_rows + beams)

    def _coverage(self, live: _Live, attention: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        """The summed attention of each row before and after this step, where it is needed."""
        if self.settings.coverage_penalty == 0:
            return None, None
        if attention is None:
            raise ValueError("a coverage penalty needs a model that gives its attention")
        before = initial_coverage(attention, self.source_lengths) if live.coverage is None else live.coverage
        return before, before + attention.nan_to_num(0)  # a softmax over an empty source is NaN

    def _decided(self, sentences: Tensor, log_probs: Tensor, found: Ends) -> Tensor:
        """Which sentences' best cannot change: no log-probability ever grows, and the longest length divides most."""
        full = found.kind[:, -1] == FINISHED
        if not bool(full.any()):
            return full
        longest = self.max_lengths[sentences].unsqueeze(1) + 1
        return full & (normalised(log_probs, longest, self.settings).amax(1) <= found.score[:, -1])
