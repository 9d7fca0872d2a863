"""Translating lines with one model or several, and how far a translation may go."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from lstmdrop.decoding.beam import BeamSettings, Ensemble, Hypothesis, beam_search
from lstmdrop.decoding.sampling import SamplingOptions, sample_sequences
from lstmdrop.errors import DataError, UsageError
from lstmdrop.metrics.bleu_tokenizer import TokenizerName
from lstmdrop.nn.decoder import Decoder
from lstmdrop_tasks.mt.config import MTConfig
from lstmdrop_tasks.mt.corpora.language_pair import LanguagePair
from lstmdrop_tasks.mt.model import AttentionTranslator, SequenceTranslator
from lstmdrop_tasks.mt.pairs import Pairs, Tokenizers, padded_columns

LONGEST_RATIO, LONGEST_MORE = 2.0, 10
"""A translation is cut after so many times its source's tokens, and so many more, or later where pairs are so."""
FILE = "targets.json"
_QUANTILE, _HEADROOM = 0.999, 1.25
"""Pairs that are no translations are fewer than the rest, and new sentences may be longer than the known ones."""


@dataclass(frozen=True, slots=True)
class Targets:
    """Kept in a run's assets; a run from before there was such a file goes by the defaults."""

    longest_ratio: float = LONGEST_RATIO
    """Target tokens a source token (``<eos>`` is one), beyond the first `LONGEST_MORE`."""
    tokenize: TokenizerName | None = None
    """sacreBLEU's tokeniser for the target language; None: to be told from the text that is scored."""

    def save(self, assets: Path) -> None:
        """Write what `load` reads."""
        (assets / FILE).write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, assets: Path) -> Targets:
        """Read what `save` wrote.

        Raises:
            DataError: the file is damaged.
        """
        path = assets / FILE
        try:
            return cls(**json.loads(path.read_bytes())) if path.is_file() else cls()
        except (ValueError, TypeError) as error:
            raise DataError(f"{path} is damaged ({error})") from None


def longest_ratio(pairs: Pairs, max_length: int) -> float:
    """Room for nearly all of the pairs that are trained on, at least `LONGEST_RATIO`."""
    kept = pairs.kept(max_length)
    if len(kept) == 0:
        return LONGEST_RATIO
    ratios = (pairs.target.lengths[kept] - 1 - LONGEST_MORE) / pairs.source.lengths[kept]
    return max(LONGEST_RATIO, round(_HEADROOM * float(np.quantile(ratios, _QUANTILE)), 2))


class Translator(Protocol):
    """What translating needs of a model."""

    config: MTConfig
    model: AttentionTranslator | SequenceTranslator
    tokenizers: Tokenizers
    languages: LanguagePair | None
    device: torch.device

    @property
    def decoder(self) -> Decoder[Any]:
        """The part of the model that writes."""
        ...

    @property
    def longest_ratio(self) -> float:
        """Tokens a source token, and `LONGEST_MORE`, after which a translation is cut."""
        ...


Models = Sequence[Translator]
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


def search_signature(models: Models) -> dict[str, str]:
    """How was searched; what is as it always was before it could be chosen goes without saying."""
    decoding, ratio = models[0].config.decoding, longest_ratio_of(models)
    return {
        "beam": str(decoding.beam_size),
        "length": f"{decoding.length_penalty:g}",
        **({"coverage": f"{decoding.coverage_penalty:g}"} if decoding.coverage_penalty else {}),
        **({"longest": f"{ratio:g}"} if ratio != LONGEST_RATIO else {}),
    }


def search_settings(config: MTConfig) -> BeamSettings:
    """How a run's configuration searches."""
    decoding = config.decoding
    return BeamSettings(decoding.beam_size, decoding.length_penalty, decoding.coverage_penalty)


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
