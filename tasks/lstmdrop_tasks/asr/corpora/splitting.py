"""Held-out utterances: a draw that the speaker, or where none is known the utterance, alone decides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b

from lstmdrop_tasks.asr.corpora.utterance import Utterance

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
