"""Translating lines with one model or several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from lstmdrop.decoding.beam import BeamSettings, Ensemble, Hypothesis, beam_search
from lstmdrop.decoding.sampling import SamplingOptions
from lstmdrop.decoding.sequences import sample_sequences
from lstmdrop.errors import UsageError
from lstmdrop_tasks.mt.pairs import padded_columns
from lstmdrop_tasks.mt.targets import LONGEST_MORE

if TYPE_CHECKING:
    from lstmdrop_tasks.mt.task import MachineTranslation

Models = Sequence["MachineTranslation"]
Sources = Sequence[Any]
Decode = Callable[[Sequence[int], Sources], list[list[Hypothesis]]]
"""The hypotheses of some lines, given by their numbers and their tokens."""

LONGEST_WITH_ATTENTION = 1_000
"""Tokens of a source; where longer ones were looked at takes gigabytes, and is not kept."""
MOST_TOKENS = 16_384
"""Of the sources that are searched together, padding included."""


def translate(
    models: Models,
    lines: Sequence[str],
    settings: BeamSettings,
    batch_size: int,
    longest_ratio: float | None = None,
) -> list[list[Hypothesis]]:
    """The likeliest hypotheses of each line, best first; lines of like length are searched together.

    They are cut after ``longest_ratio`` (default: `longest_ratio_of` the models) times the source's tokens and
    `LONGEST_MORE`. A blank line is translated as an empty one.

    Raises:
        UsageError: the models cut text into different tokens.
    """

    def search(numbers: Sequence[int], sources: Sources) -> list[list[Hypothesis]]:
        is_short = len(sources[0]) <= LONGEST_WITH_ATTENTION
        batch = _Encoded(models, sources, longest_ratio)
        target = models[0].tokenizers.target
        return beam_search(
            batch.decoder, batch.states, num_rows=len(sources), bos=target.eos, eos=target.eos,
            max_lengths=batch.longest, settings=settings, banned=[target.unk], source_lengths=batch.lengths,
            keep_attention=is_short,
        )  # fmt: skip

    return _in_batches(models, lines, batch_size, search)


def draw_translations(
    models: Models,
    lines: Sequence[str],
    options: SamplingOptions,
    seeds: Sequence[Sequence[int]],
    batch_size: int,
    longest_ratio: float | None = None,
) -> list[list[Hypothesis]]:
    """Random hypotheses of each line, as many as it has ``seeds``, the likeliest first; cut as in `translate`.

    Raises:
        UsageError: the models cut text into different tokens.
    """

    def draw(numbers: Sequence[int], sources: Sources) -> list[list[Hypothesis]]:
        owners = [row for row, number in enumerate(numbers) for _ in seeds[number]]
        batch = _Encoded(models, [sources[row] for row in owners], longest_ratio)
        eos = models[0].tokenizers.target.eos
        drawn = sample_sequences(
            batch.decoder, batch.states, bos=eos, eos=eos, max_lengths=batch.longest, options=options,
            seeds=list(chain.from_iterable(seeds[number] for number in numbers)), source_lengths=batch.lengths,
        )  # fmt: skip
        found = [[hypothesis for hypothesis, owner in zip(drawn, owners, strict=True) if owner == row]
                 for row in range(len(sources))]  # fmt: skip
        return [sorted(own, key=lambda hypothesis: (not hypothesis.finished, -hypothesis.score)) for own in found]

    found = _in_batches(models, lines, batch_size, draw)
    return [own if line.strip() else own * len(one) for line, own, one in zip(lines, found, seeds, strict=True)]


class _Encoded:
    """What the models' encoders make of some lines."""

    @torch.inference_mode()
    def __init__(self, models: Models, sources: Sources, longest_ratio: float | None) -> None:
        device = models[0].device
        columns, lengths = padded_columns(sources)
        self.decoder = Ensemble([model.decoder for model in models])
        self.states: tuple[Any, ...] = tuple(model.model.encode(columns.to(device), lengths) for model in models)
        self.lengths: Tensor = lengths.to(device)
        ratio = longest_ratio_of(models) if longest_ratio is None else longest_ratio
        self.longest: Tensor = (ratio * self.lengths.double()).long() + LONGEST_MORE


def longest_ratio_of(models: Models) -> float:
    """Of several models the most generous one's."""
    return max(model.longest_ratio for model in models)


def require_one_vocabulary(models: Models) -> None:
    """Check that the models can be averaged.

    Raises:
        UsageError: they cut text into different tokens, or translate other languages.
    """
    if len({model.tokenizers.fingerprint for model in models}) > 1:
        raise UsageError("these runs have different vocabularies and cannot translate as one")
    directions = {str(model.languages).casefold() for model in models if model.languages is not None}
    if len(directions) > 1:
        raise UsageError(f"these runs translate {' and '.join(sorted(directions))}: they cannot translate as one")
    columns = {model.config.data.layout.places for model in models if model.languages is None}
    if any(pair[::-1] in columns for pair in columns):
        raise UsageError("these runs read the columns of their tables in opposite order: they cannot translate as one")


def _in_batches(models: Models, lines: Sequence[str], batch_size: int, decode: Decode) -> list[list[Hypothesis]]:
    require_one_vocabulary(models)
    tokenizer = models[0].tokenizers.source
    sources = [np.array([*tokenizer.encode(line), tokenizer.eos], np.int64) for line in lines]
    found = [[Hypothesis((), 0.0, 0.0, True, None)] for _ in lines]  # of blank lines it stays
    written = [number for number, line in enumerate(lines) if line.strip()]
    for chosen in _batches([len(sources[number]) for number in written], batch_size):
        numbers = [written[number] for number in chosen]
        for number, hypotheses in zip(numbers, decode(numbers, [sources[n] for n in numbers]), strict=True):
            found[number] = hypotheses
    return found


def _batches(lengths: Sequence[int], batch_size: int) -> Iterator[list[int]]:
    """The longest first; those that are too long for attention alone, so that no other goes without."""
    order = sorted(range(len(lengths)), key=lambda number: -lengths[number])
    start = 0
    while start < len(order):
        longest = lengths[order[start]]
        size = 1 if longest > LONGEST_WITH_ATTENTION else min(batch_size, max(1, MOST_TOKENS // longest))
        yield order[start : start + size]
        start += size
