"""What speech of one's own is, how much, and what looks wrong with it, before anything is trained on it."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np

from lstmdrop.config import SPLITS, Split
from lstmdrop.data.array_file import read_array
from lstmdrop.data.work_progress import report_work
from lstmdrop.errors import DataError
from lstmdrop.metrics.word_error_rate import normalise_transcript
from lstmdrop_tasks.asr.audio.reading import Heading, heading_of, read_audio
from lstmdrop_tasks.asr.config import ASRConfig
from lstmdrop_tasks.asr.corpora.find import find_corpus, is_speech
from lstmdrop_tasks.asr.corpora.utterances import Utterance, oddities

FEW_WORDS, OFTEN = 100, 20
"""Different words, and how often each is said on average, up to and from which ``--size auto`` is ``words``."""
MANY_HOURS = 20.0
"""Of training sound, from which it is ``medium``."""

LISTENED_TO = 2000
"""Utterances of a split whose sound is looked at, evenly over it."""

SILENCE = 1e-3
"""The loudest sample of what counts as silent: -60 dB of full scale."""
CLIPPED, CLIPPED_SHARE = 0.999, 1e-3
"""Samples at full scale, and the share of them from which a recording counts as clipped."""

STEP = 0.03
"""Seconds of a step of the presets: CTC needs one for each token, and one between two that are the same."""
FRAMES_A_SECOND = 100
NUM_NAMED = 3


def fitting_size(config: ASRConfig, data_dir: Path | None) -> tuple[str, str]:
    """``words`` where few words are said often, ``medium`` from 20 hours of training sound on, else ``small``.

    Beside it stands what decided.

    Raises:
        DataError: the data is missing or damaged.
    """
    utterances = find_corpus(config.data.name, data_dir, settings=config.data).splits["train"]
    words = Counter(word for own in utterances for word in normalise_transcript(own.text or "").split())
    is_sound = not any(own.has_features for own in utterances)  # which alone can be played at other speeds
    if is_sound and config.objective == "ctc" and len(words) <= FEW_WORDS and words.total() >= OFTEN * len(words) > 0:
        return "words", f"{len(words)} different words in training, each said {words.total() // len(words)} times"
    hours = 0.0
    for utterance in utterances:
        hours += (_seconds(utterance, _heading(utterance.source)) or 0.0) / 3600
        if hours >= MANY_HOURS:  # no more need be known
            return "medium", f"{MANY_HOURS:g} h of training sound or more"
    return "small", f"{len(words):,} different words in {hours:.2f} h of training sound"


def contents(path: Path) -> Iterator[str]:
    """A line about each split, then one about each thing that looks wrong; nothing about what is not speech.

    Raises:
        DataError: it is speech, and missing or damaged.
    """
    if not path.exists() or not is_speech(path):
        return
    corpus = find_corpus(str(path.absolute()))
    found: dict[Split, Sequence[_Found]] = {}
    for split in SPLITS:
        found[split] = own = _found(split, corpus.splits[split])
        yield _described(split, own)
    if corpus.held_out:
        yield f"held out: {corpus.held_out}"
    yield from _of_sound(found)
    yield from _of_text(found)
    yield from _shared(found)
    for line in oddities(corpus):
        yield f"{line}; data.normalisation=spoken makes them one"


@dataclass(frozen=True, slots=True)
class _Found:
    """An utterance, and what its file says."""

    utterance: Utterance
    heading: Heading | None
    seconds: float | None
    text: str
    """As it is scored."""
    peak: float | None = None
    """None where nobody has listened."""
    clipped: float = 0.0
    digest: str = ""
    """Of the sound."""


Splits = Mapping[Split, Sequence[_Found]]


def _found(split: Split, utterances: Sequence[Utterance]) -> list[_Found]:
    every = max(1, math.ceil(len(utterances) / LISTENED_TO))
    found = []
    for number, utterance in enumerate(utterances):
        report_work(f"looking at {split}", number, len(utterances))
        heading = _heading(utterance.source)
        seconds, text = _seconds(utterance, heading), normalise_transcript(utterance.text or "")
        if heading is None or utterance.has_features or number % every:
            found.append(_Found(utterance, heading, seconds, text))
        else:
            found.append(_Found(utterance, heading, seconds, text, *_heard(utterance, heading.rate)))
    report_work(f"looking at {split}", len(utterances), len(utterances))
    return found


def _heading(source: Path) -> Heading | None:
    if source.suffix.lower() != ".npy":
        return heading_of(source)
    try:
        return Heading(0, len(read_array(source)) / FRAMES_A_SECOND)
    except DataError:
        return None


def _seconds(utterance: Utterance, heading: Heading | None) -> float | None:
    if heading is None:
        return None
    end = heading.seconds if utterance.end is None else min(utterance.end, heading.seconds)
    return max(0.0, end - (utterance.start or 0.0))


def _heard(one: Utterance, rate: int) -> tuple[float | None, float, str]:
    """The loudest sample, the share of clipped ones, and a hash."""
    try:
        samples = read_audio(one.source, rate, start=one.start, end=one.end, channel=one.channel)
    except DataError:
        return None, 0.0, ""
    loudness = np.abs(samples)
    digest = hashlib.blake2b(samples.tobytes(), digest_size=16).hexdigest()
    return float(loudness.max()), float((loudness >= CLIPPED).mean()), digest


def _described(split: Split, found: Sequence[_Found]) -> str:
    lengths = [own.seconds for own in found if own.seconds is not None] or [0.0]
    words = Counter(word for own in found for word in own.text.split())
    speakers = {own.utterance.speaker for own in found} - {None}
    voices = f"{len(speakers):,} speaker{'' if len(speakers) == 1 else 's'}" if speakers else "speakers not known"
    return (
        f"{split}: {len(found):,} utterances, {sum(lengths) / 3600:.2f} h, {voices}; "
        f"{min(lengths):.2f} to {max(lengths):.2f} s long, half of them over {median(lengths):.2f}; "
        f"{words.total():,} words, {len(words):,} different"
    )


def _of_sound(found: Splits) -> Iterator[str]:
    everything = [own for split in found.values() for own in split]
    yield from _told("cannot be read", [own for own in everything if own.heading is None])
    rates = Counter(own.heading.rate for own in everything if own.heading is not None and own.heading.rate)
    if len(rates) > 1:
        listed = ", ".join(f"{rate} Hz ({count:,})" for rate, count in sorted(rates.items()))
        yield f"sample rates are mixed: {listed}; the lowest is for all: --set features.sample_rate={min(rates)}"
    elif rates and min(rates) < 16000:
        yield f"recorded at {min(rates)} Hz: train with --set features.sample_rate={min(rates)}"
    heard = [own for own in everything if own.peak is not None]
    of = f", of {len(heard):,} that were looked at" if len(heard) < len(everything) else ""
    yield from _told(
        f"silent (nothing above -60 dB){of}", [o for o in heard if o.peak is not None and o.peak < SILENCE]
    )
    yield from _told(f"clipped (at full scale){of}", [own for own in heard if own.clipped > CLIPPED_SHARE])


def _of_text(found: Splits) -> Iterator[str]:
    everything = [own for split in found.values() for own in split]
    yield from _told("without text", [own for own in everything if not own.text])
    dense = [own for own in everything if own.seconds is not None and _steps(own.text) * STEP > own.seconds]
    yield from _told(f"too much text for the sound (a step of {STEP * 1000:g} ms a letter is needed)", dense)
    known = {char for own in found.get("train", ()) for char in own.text}
    for split, held_out in _held_out(found):
        chars = Counter(char for own in held_out for char in own.text)
        unknown = {char: count for char, count in chars.items() if char not in known}
        if unknown:
            share = sum(unknown.values()) / chars.total()
            named = " ".join(repr(char) for char in list(unknown)[:NUM_NAMED])
            yield f"{split}: {share:.2%} of the characters are unknown to training, such as {named}"


def _steps(text: str) -> int:
    return len(text) + sum(first == second for first, second in pairwise(text))


def _shared(found: Splits) -> Iterator[str]:
    for split, own in found.items():
        again = [pair for pair in _pairs(own, own) if pair[0] is not pair[1]]
        yield from _same(f"{split}: the same sound as another", again)
    train = found.get("train", ())
    for split, held_out in _held_out(found):
        yield from _same(f"{split}: the same sound as in train", _pairs(train, held_out))
        texts = {own.text for own in train if own.text}
        same = [own for own in held_out if own.text in texts]
        if same:
            share = len(same) / len(held_out)
            yield f"{split}: {len(same):,} ({share:.0%}) have a text that train has too, such as {same[0].text!r}"
        voices = {own.utterance.speaker for own in train} - {None}
        shared = [own for own in held_out if own.utterance.speaker in voices]
        if shared:
            yield f"{split}: {len(shared):,} are of speakers that train has too, such as {shared[0].utterance.speaker}"


def _held_out(found: Splits) -> list[tuple[Split, Sequence[_Found]]]:
    return [(split, own) for split, own in found.items() if split != "train"]


def _pairs(first: Iterable[_Found], second: Iterable[_Found]) -> list[tuple[_Found, _Found]]:
    """Of each of ``second`` the first of ``first`` with the same sound."""
    known: dict[Hashable, _Found] = {}
    for own in first:
        known.setdefault(own.digest, own)
    return [(known[own.digest], own) for own in second if own.digest and own.digest in known]


def _same(what: str, pairs: Sequence[tuple[_Found, _Found]]) -> Iterator[str]:
    if pairs:
        before, after = pairs[0]
        yield f"{what}: {len(pairs):,}, such as {after.utterance.id} and {before.utterance.id}"


def _told(what: str, found: Sequence[_Found]) -> Iterator[str]:
    if found:
        named = ", ".join(own.utterance.where or own.utterance.id for own in found[:NUM_NAMED])
        yield f"{what}: {len(found):,}, such as {named}"
