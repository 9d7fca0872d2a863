"""Utterances and their splits, as far as the data has them; the rest is held out of training, by speaker if known."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lstmdrop.config import Split
from lstmdrop.data.registry import draw
from lstmdrop.data.spelling import LOOKED_AT, first_oddity
from lstmdrop.errors import DataError, did_you_mean


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
    split: Split | None = None
    """Where its line says so."""

    @property
    def has_features(self) -> bool:
        """Whether the source is features in place of sound."""
        return self.source.suffix.lower() == ".npy"


@dataclass(frozen=True, slots=True)
class Selection:
    """What of some data is asked for, and how it is dealt out: see `lstmdrop_tasks.asr.config.ASRDataConfig`."""

    scored: Sequence[Split] = ()
    """Splits that are there to be scored: no other need be."""
    speakers: Literal["apart", "shared"] = "apart"
    seed: int = 0
    parts: Sequence[str] = ()
    allow_commands: bool = False


EVERYTHING = Selection()


@dataclass(frozen=True, slots=True)
class SpeechCorpus:
    """Recordings in three splits; none shares a speaker with another where speakers are known, unless that is asked."""

    name: str
    splits: Mapping[Split, tuple[Utterance, ...]]
    left_out: Mapping[Split, Mapping[str, str]] = field(default_factory=dict)
    """The ids of utterances that were in a split but cannot be used, and why."""
    held_out: str = ""
    """Which splits were drawn from the training data, and how; nothing where they came with it."""


SPLIT_NAMES: Mapping[Split, tuple[str, ...]] = {
    "train": ("train", "training"),
    "valid": ("valid", "dev", "validation", "val"),
    "test": ("test", "eval", "testing", "evaluation"),
}
"""What data calls its splits."""


def split_called(name: str) -> Split | None:
    """The split of this name, or of a part of one such as ``train-clean-100`` or ``dev_other``."""
    first = re.split(r"[-_. \d]", name.lower(), maxsplit=1)[0]
    return next((split for split, names in SPLIT_NAMES.items() if first in names), None)


def chosen_parts(place: Path, present: Collection[str], selection: Selection) -> dict[Split, list[str]]:
    """Of the parts that a folder has, those to be used of each split.

    They are the ones asked for; else ``train`` or ``dev`` itself, or all ``train-*`` and, of ``dev-*`` and ``test-*``,
    the clean ones.

    Raises:
        DataError: a part that is asked for is not there, or its name says of no split.
    """
    found: dict[Split, list[str]] = {}
    for part in selection.parts:
        split = split_called(part)
        if part not in present or split is None:
            here = ", ".join(sorted(present)) or "none"
            raise DataError(f"{place}: data.parts: there is no {part!r}{did_you_mean(part, present)}; there are {here}")
        found.setdefault(split, []).append(part)
    if not selection.parts:
        for split, names in SPLIT_NAMES.items():
            own = sorted(name for name in present if split_called(name) == split)
            clean = [name for name in own if split != "train" and "clean" in name]
            exact = [name for name in names if name in present][:1]
            if own:
                found[split] = exact or clean or own
    return found


HELD_OUT = 0.1
"""The share of the speakers, or of the utterances, in a held-out split; one at least."""


def hold_out(
    utterances: Sequence[Utterance], share: float = HELD_OUT, selection: Selection = EVERYTHING
) -> tuple[tuple[Utterance, ...], tuple[Utterance, ...]]:
    """What stays, and what is held out; no speaker is in both, unless they may be shared or there is but one."""
    groups = [_group(utterance) for utterance in utterances]
    if not _is_by_speaker(utterances, selection):
        groups = [utterance.id for utterance in utterances]
    shuffled = sorted(set(groups), key=lambda group: draw(group, selection.seed))
    held_out = set(shuffled[: max(1, round(share * len(shuffled)))])
    pairs = list(zip(utterances, groups, strict=True))
    return _where(pairs, held_out, inside=False), _where(pairs, held_out, inside=True)


def _is_by_speaker(utterances: Sequence[Utterance], selection: Selection) -> bool:
    if selection.speakers == "shared" or all(utterance.speaker is None for utterance in utterances):
        return False
    return len({_group(utterance) for utterance in utterances}) > 1


def _where(pairs: Iterable[tuple[Utterance, str]], groups: set[str], *, inside: bool) -> tuple[Utterance, ...]:
    return tuple(utterance for utterance, group in pairs if (group in groups) == inside)


def _group(utterance: Utterance) -> str:
    return utterance.id if utterance.speaker is None else f"speaker {utterance.speaker}"


log = logging.getLogger("lstmdrop.asr")


def with_held_out(
    name: str, found: Mapping[Split, tuple[Utterance, ...]], selection: Selection = EVERYTHING
) -> SpeechCorpus:
    """The corpus with a validation and a test split; where some are only to be ``scored``, those as they are.

    Raises:
        DataError: there is no training data, too little to hold some out, or two splits share a speaker and may not;
            of what is to be scored, a split is not there.
    """
    for utterances in found.values():
        require_different_ids(utterances)
    train, held = found.get("train", ()), ", ".join(found)
    for split in selection.scored:
        if not found.get(split):
            raise DataError(f"{name}: there is no {split} utterance; there are {held or 'none'}")
    if selection.scored:
        return SpeechCorpus(name, {split: found[split] for split in selection.scored})
    if not train:
        raise DataError(f"{name}: there is no training utterance; there are {held or 'none'}")
    splits: dict[Split, tuple[Utterance, ...]] = {}
    drawn: list[str] = []
    held_out: tuple[Split, Split] = ("test", "valid")
    for split in held_out:
        given = found.get(split)
        if given is None:
            if len(train) < 2:
                raise DataError(f"{name}: {len(train)} training utterances are too few to hold some out for {split}")
            drawn.append(f"{split} by {'speaker' if _is_by_speaker(train, selection) else 'utterance'}")
            train, given = hold_out(train, selection=selection)
        splits[split] = given
    how = f"{', '.join(drawn)}; data.split_seed = {selection.seed}" if drawn else ""
    corpus = SpeechCorpus(name, {"train": train, **splits}, held_out=how)
    if selection.speakers == "apart":
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
            few = f", of {len(everyone)} in all" if len(everyone) < len(corpus.splits) else ""
            raise DataError(
                f"{corpus.name}: train and {split} share speakers, such as {sorted(map(str, shared))[0]!r}{few}\n"
                "if the voices to be understood are known ones, let them: --set data.speakers=shared"
            )


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
