"""Translating lines with one model or several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lstmdrop.decoding.beam import BeamSettings, Ensemble, Hypothesis, beam_search
from lstmdrop.errors import UsageError
from lstmdrop_tasks.mt.pairs import padded_columns

if TYPE_CHECKING:
    from lstmdrop_tasks.mt.task import MachineTranslation

Models = Sequence["MachineTranslation"]


LONGEST_RATIO, LONGEST_MORE = 2, 10
"""A translation is cut after so many times its source's tokens, and so many more."""


def translate(models: Models, lines: Sequence[str], settings: BeamSettings, batch_size: int) -> list[list[Hypothesis]]:
    """The hypotheses of each line, best first; lines of like length are searched together.

    Raises:
        UsageError: the models cut text into different tokens.
    """
    if len({model.tokenizers.fingerprint for model in models}) > 1:
        raise UsageError("these runs have different vocabularies and cannot translate as one")
    tokenizer = models[0].tokenizers.source
    sources = [np.array([*tokenizer.encode(line), tokenizer.eos], np.int64) for line in lines]
    found: list[list[Hypothesis]] = [[] for _ in lines]
    for numbers in _batches([len(source) for source in sources], batch_size):
        for number, hypotheses in zip(numbers, _search(models, [sources[n] for n in numbers], settings), strict=True):
            found[number] = hypotheses
    return found


def _batches(lengths: Sequence[int], batch_size: int) -> Iterator[list[int]]:
    order = sorted(range(len(lengths)), key=lambda number: -lengths[number])
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


@torch.inference_mode()
def _search(models: Models, sources: list[Any], settings: BeamSettings) -> list[list[Hypothesis]]:
    device = models[0].device
    columns, lengths = padded_columns(sources)
    states: tuple[Any, ...] = tuple(model.model.encode(columns.to(device), lengths) for model in models)
    target = models[0].tokenizers.target
    return beam_search(
        Ensemble([model.decoder for model in models]),
        states,
        num_rows=len(sources),
        bos=target.eos,
        eos=target.eos,
        max_lengths=(LONGEST_RATIO * lengths + LONGEST_MORE).to(device),
        settings=settings,
        banned=[target.unk],
        source_lengths=lengths.to(device),
    )
