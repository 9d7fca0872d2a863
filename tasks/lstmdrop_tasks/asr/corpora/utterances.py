"""Utterances and their splits, as far as the data has them; the rest is held out of training, by speaker if known."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from lstmdrop.config import Split
from lstmdrop.data.spelling import LOOKED_AT, first_oddity
from lstmdrop.errors import DataError


@dataclass(frozen=True, slots=True)
class Utterance:
    """A stretch of speech and what is known of it."""

    id: str
    source: Path
    """A sound file, or precomputed features as an ``.npy`` file of shape ``(frames, features)``."""
    text: str | None = None
    speaker: str | None = None
    alignment: Path | None = None
    """A TextGrid of its own, or a CTM of many utterances."""
    start: float | None = None
    """Where it begins in a longer recording, in seconds."""
    end: float | None = None
    channel: int | None = None
    """Of a recording of several, counted from 0; None is the mean of all."""
    where: str = ""
    """The line that lists it, as ``file:line``."""

    @property
    def has_features(self) -> bool:
        """Whether the source is features in place of sound."""
        return self.source.suffix.lower() == ".npy"


@dataclass(frozen=True, slots=True)
class SpeechCorpus:
    """Recordings in three splits; none shares a speaker with another where speakers are known."""

    name: str
    splits: Mapping[Split, tuple[Utterance, ...]]
    left_out: Mapping[Split, Mapping[str, str]] = field(default_factory=dict)
    """The ids of utterances that were in a split but cannot be used, and why."""


HELD_OUT = 0.1
"""The share of the speakers, or of the utterances, in a held-out split; one at least."""


def hold_out(
    utterances: Sequence[Utterance], share: float = HELD_OUT
) -> tuple[tuple[Utterance, ...], tuple[Utterance, ...]]:
    """What stays, and what is held out; no speaker is in both."""
    groups = sorted({_group(utterance) for utterance in utterances}, key=_draw)
    if len(groups) < 2:  # one speaker alone: the utterances are dealt out
        return _split(utterances, [utterance.id for utterance in utterances], share)
    return _split(utterances, [_group(utterance) for utterance in utterances], share)


def _split(
    utterances: Sequence[Utterance], groups: Sequence[str], share: float
) -> tuple[tuple[Utterance, ...], tuple[Utterance, ...]]:
    shuffled = sorted(set(groups), key=_draw)
    held_out = set(shuffled[: max(1, round(share * len(shuffled)))])
    pairs = list(zip(utterances, groups, strict=True))
    return _where(pairs, held_out, inside=False), _where(pairs, held_out, inside=True)


def _where(pairs: Iterable[tuple[Utterance, str]], groups: set[str], *, inside: bool) -> tuple[Utterance, ...]:
    return tuple(utterance for utterance, group in pairs if (group in groups) == inside)


def _group(utterance: Utterance) -> str:
    return utterance.id if utterance.speaker is None else f"speaker {utterance.speaker}"


def _draw(group: str) -> bytes:
    return blake2b(group.encode(errors="surrogateescape"), digest_size=8).digest()


log = logging.getLogger("lstmdrop.asr")


def read_splits(
    paths: Mapping[Split, Path], read: Callable[[Path], tuple[Utterance, ...]]
) -> dict[Split, tuple[Utterance, ...]]:
    """Those of the splits whose file is there."""
    found = {}
    for split, path in paths.items():
        if path.is_file():
            found[split] = read(path)
    return found


def with_held_out(
    name: str, found: Mapping[Split, tuple[Utterance, ...]], scored: Sequence[Split] = ()
) -> SpeechCorpus:
    """The corpus with a validation and a test split; where some are only to be ``scored``, those as they are.

    Raises:
        DataError: there is no training data, too little to hold some out, or two splits share a speaker; of what is
            to be scored, a split is not there.
    """
    for utterances in found.values():
        require_different_ids(utterances)
    train, held = found.get("train", ()), ", ".join(found)
    for split in scored:
        if not found.get(split):
            raise DataError(f"{name}: there is no {split} utterance; there are {held or 'none'}")
    if scored:
        return SpeechCorpus(name, {split: found[split] for split in scored})
    if not train:
        raise DataError(f"{name}: there is no training utterance; there are {held or 'none'}")
    splits: dict[Split, tuple[Utterance, ...]] = {}
    held_out: tuple[Split, Split] = ("test", "valid")
    for split in held_out:
        given = found.get(split)
        if given is None:
            if len(train) < 2:
                raise DataError(f"{name}: {len(train)} training utterances are too few to hold some out for {split}")
            train, given = hold_out(train)
        splits[split] = given
    corpus = SpeechCorpus(name, {"train": train, **splits})
    _require_different_speakers(corpus)
    return corpus


def _require_different_speakers(corpus: SpeechCorpus) -> None:
    speakers = {
        split: {utterance.speaker for utterance in utterances} - {None} for split, utterances in corpus.splits.items()
    }
    everyone = set().union(*speakers.values())
    for split in ("valid", "test"):
        shared = speakers["train"] & speakers[split]
        if shared and len(everyone) > 1:
            raise DataError(f"{corpus.name}: train and {split} share speakers, such as {sorted(map(str, shared))[0]!r}")


def require_different_ids(utterances: Sequence[Utterance]) -> None:
    """Refuse two utterances of one id: each would be taken for the other.

    Raises:
        DataError: there are such.
    """
    first: dict[str, Utterance] = {}
    for utterance in utterances:
        if first.setdefault(utterance.id, utterance) is not utterance:
            before = first[utterance.id].where or first[utterance.id].source
            raise DataError(f"{utterance.where or utterance.source}: {utterance.id!r} is in {before} already")


def oddities(corpus: SpeechCorpus, known: Collection[str] | None = None) -> list[str]:
    """What to say, if anything, of letters that transcripts write in other code points than others do.

    With ``known`` letters of a vocabulary: in others than the training text had. It looks at the beginning of a split.
    """
    lines = (
        (utterance.text or "", utterance.where or utterance.id)
        for utterances in corpus.splits.values()
        for utterance in utterances[:LOOKED_AT]
    )
    return first_oddity(lines, known)


def tell_missing(what: str, names: Sequence[str]) -> None:
    """One line about those of a corpus that lack something, if there are any: how many, and the first."""
    if names:
        log.warning("%s %d: left out (the first is %s)", what, len(names), names[0])
