"""Captioning images with one model or several."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from lstmdrop.data.tokenizer import Tokenizer
from lstmdrop.decoding.beam import BeamSettings, Ensemble, Hypothesis, beam_search
from lstmdrop.decoding.forced import ScoredSequence, score_sequences
from lstmdrop.decoding.sampling import SamplingOptions, sample_sequences
from lstmdrop_tasks.caption.config import CaptionConfig
from lstmdrop_tasks.caption.model import Attend, ShowTell


class Captioner(Protocol):
    """What captioning needs of a model."""

    config: CaptionConfig
    model: ShowTell | Attend
    tokenizer: Tokenizer
    device: torch.device


Models = Sequence[Captioner]
Features = Sequence[Float[Tensor, "images rows channels"]]
"""What each of the models reads of the same images."""


def caption(
    models: Models,
    features: Features,
    settings: BeamSettings,
    max_length: int | None = None,
    prefix: Sequence[int] = (),
) -> list[list[Hypothesis]]:
    """The likeliest hypotheses of each image, best first, cut after ``max_length`` tokens (default: as the run has).

    Each begins with the tokens of ``prefix``.
    """
    decoder, states = _encoded(models, features)
    eos, unk = models[0].tokenizer.eos, models[0].tokenizer.unk
    longest = _longest(models, len(features[0]), max_length)
    return beam_search(
        decoder, states, num_rows=len(features[0]), bos=eos, eos=eos, max_lengths=longest, settings=settings,
        banned=[unk], prefixes=[prefix] * len(features[0]),
    )  # fmt: skip


def score_captions(
    models: Models,
    features: Features,
    owners: Sequence[int],
    captions: Sequence[Sequence[int]],
    settings: BeamSettings,
) -> list[ScoredSequence]:
    """The probability of each caption, as tokens without ``<eos>``, of the image of that number, counted from 0."""
    decoder, states = _encoded(models, features)
    eos, device = models[0].tokenizer.eos, models[0].device
    chosen = decoder.select(states, torch.tensor(owners, dtype=torch.long, device=device))
    given = [[*own, eos] for own in captions]
    return score_sequences(decoder, chosen, given, bos=eos, device=device, settings=settings)


def draw_captions(
    models: Models,
    features: Features,
    options: SamplingOptions,
    seeds: Sequence[Sequence[int]],
    max_length: int | None = None,
    prefix: Sequence[int] = (),
) -> list[list[Hypothesis]]:
    """Random hypotheses of each image, as many as it has ``seeds``, the likeliest first; cut as in `caption`."""
    owners = torch.tensor([image for image, own in enumerate(seeds) for _ in own])
    decoder, states = _encoded(models, [own[owners] for own in features])
    eos = models[0].tokenizer.eos
    drawn = sample_sequences(
        decoder, states, bos=eos, eos=eos, max_lengths=_longest(models, len(owners), max_length), options=options,
        seeds=list(chain.from_iterable(seeds)), prefixes=[prefix] * len(owners),
    )  # fmt: skip
    found: list[list[Hypothesis]] = [[] for _ in seeds]
    for hypothesis, owner in zip(drawn, owners.tolist(), strict=True):
        found[owner].append(hypothesis)
    return [sorted(own, key=lambda hypothesis: (not hypothesis.finished, -hypothesis.score)) for own in found]


@torch.inference_mode()
def _encoded(models: Models, features: Features) -> tuple[Ensemble[Any], tuple[Any, ...]]:
    for model in models:
        model.model.eval()
    states = tuple(model.model.encode(own) for model, own in zip(models, features, strict=True))
    return Ensemble([model.model.decoder for model in models]), states


def _longest(models: Models, num_rows: int, max_length: int | None) -> Tensor:
    longest = models[0].config.decoding.max_length if max_length is None else max_length
    return torch.full((num_rows,), longest, device=models[0].device)
