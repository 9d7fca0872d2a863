"""Translating lines with one model or several, and how far a translation may go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from lstmdrop.decoding.beam import BeamSettings, Ensemble, Hypothesis, beam_search
from lstmdrop.decoding.forced import ScoredSequence, score_sequences
from lstmdrop.decoding.sampling import SamplingOptions, sample_sequences
from lstmdrop.errors import DataError, UsageError
from lstmdrop.metrics.bleu_tokenizer import TokenizerName
from lstmdrop.nn.decoder import Decoder
from lstmdrop.parsing import read_json_document, to_json
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
        (assets / FILE).write_text(to_json(asdict(self)) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, assets: Path) -> Targets:
        """Read what `save` wrote.

        Raises:
            DataError: the file is damaged.
        """
        path = assets / FILE
        try:
            return cls(**read_json_document(path)) if path.is_file() else cls()
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
Prefixes = Sequence[Sequence[int]]
"""Of each line the tokens that its translation begins with; empty where no line has any."""
ResultT = TypeVar("ResultT")
Decode = Callable[[Sequence[int], Sources], Sequence[ResultT]]
"""What is found of some lines, given by their numbers and their tokens."""

BLANK = Hypothesis((), 0.0, 0.0, True, None)
"""Of a blank line."""

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
    prefixes: Prefixes = (),
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
            keep_attention=is_short, prefixes=[prefixes[number] for number in numbers] if prefixes else (),
        )  # fmt: skip

    return _in_batches(models, lines, list(map(str.strip, lines)), batch_size, search, [BLANK])


def score_translations(
    models: Models, lines: Sequence[str], targets: Sequence[Sequence[int]], settings: BeamSettings, batch_size: int
) -> list[ScoredSequence]:
    """The probability of a given translation of each line, as tokens without ``<eos>``, and its score in a search.

    An empty translation of a blank line is certain, as `translate` has it.

    Raises:
        UsageError: the models cut text into different tokens.
    """
    eos = models[0].tokenizers.target.eos

    def score(numbers: Sequence[int], sources: Sources) -> list[ScoredSequence]:
        batch = _Encoded(models, sources, None)
        return score_sequences(
            batch.decoder, batch.states, [[*targets[number], eos] for number in numbers], bos=eos,
            device=models[0].device, settings=settings, source_lengths=batch.lengths,
        )  # fmt: skip

    written = [bool(line.strip() or target) for line, target in zip(lines, targets, strict=True)]
    return _in_batches(models, lines, written, batch_size, score, ScoredSequence((), (), 0.0, 0.0))


def draw_translations(
    models: Models,
    lines: Sequence[str],
    options: SamplingOptions,
    seeds: Sequence[Sequence[int]],
    batch_size: int,
    longest_ratio: float | None = None,
    prefixes: Prefixes = (),
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
            prefixes=[prefixes[numbers[row]] for row in owners] if prefixes else (),
        )  # fmt: skip
        found = [[hypothesis for hypothesis, owner in zip(drawn, owners, strict=True) if owner == row]
                 for row in range(len(sources))]  # fmt: skip
        return [sorted(own, key=lambda hypothesis: (not hypothesis.finished, -hypothesis.score)) for own in found]

    found = _in_batches(models, lines, list(map(str.strip, lines)), batch_size, draw, [BLANK])
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


def _in_batches(
    models: Models,
    lines: Sequence[str],
    written: Sequence[object],
    batch_size: int,
    decode: Decode[ResultT],
    blank: ResultT,
) -> list[ResultT]:
    """What ``decode`` makes of the lines that are ``written``, those of like length together; of others ``blank``."""
    require_one_vocabulary(models)
    tokenizer = models[0].tokenizers.source
    sources = [np.array([*tokenizer.encode(line), tokenizer.eos], np.int64) for line in lines]
    found = [blank for _ in lines]
    kept = [number for number, is_written in enumerate(written) if is_written]
    for chosen in _batches([len(sources[number]) for number in kept], batch_size):
        numbers = [kept[number] for number in chosen]
        for number, results in zip(numbers, decode(numbers, [sources[n] for n in numbers]), strict=True):
            found[number] = results
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
