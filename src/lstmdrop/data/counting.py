"""Counting the words of a text: by several processes, and in bounded memory however many different ones there are."""

from __future__ import annotations

import heapq
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from lstmdrop.data.atomic import atomic_file, resumable_folder
from lstmdrop.data.fingerprint import remembered_sha256
from lstmdrop.data.parts import WORDS, Piece, text_parts
from lstmdrop.data.registry import cache_dir
from lstmdrop.data.shards import Counts, Shard, make_of_shards
from lstmdrop.data.text import Part, read_blocks
from lstmdrop.data.vocabulary import EOS, UNK
from lstmdrop.parsing import parse_json, to_json

NUM_BUCKETS = 64
"""In which the words of a large text are summed, one after the other: every word is in one of them."""
RANKED_AT_ONCE = 200_000
COUNTS, PLACES = "counts.jsonl", "places.bin"

Split = Callable[[str], Iterable[str]]
Cut = Callable[[str], int]


def count_words(
    text: Path, split: Split, cut: Cut, kind: str, min_count: int = 1, max_size: int | None = None
) -> Counter[str]:
    """How often each word comes that ``split`` makes of blocks of ``text``, which end where ``cut`` says.

    Of a large text these are the ``max_size`` most frequent ones that come ``min_count`` times, of equals the first of
    the alphabet; whatever they are, the most frequent one of all, ``<eos>`` and ``<unk>``. What was counted is kept in
    the cache, under ``kind``.

    Raises:
        DataError: the text is missing, empty or not UTF-8.
    """
    parts = text_parts(text, WORDS) if text.is_file() else []
    if len(parts) < 2:
        return _counted(Part(text), split, cut)
    folder = cache_dir() / "counts" / f"{kind}-{remembered_sha256(text)[:32]}"
    if not folder.is_dir():
        with resumable_folder(folder) as unfinished:
            if unfinished is not None:
                write, plan = partial(_write, split, cut), partial(_plan, unfinished)
                pieces = [(part,) for part in parts]
                make_of_shards(unfinished, pieces, write, None, plan, f"counting what is in {text.name}")
    return _most_frequent(_buckets(folder), min_count, max_size)


def _counted(part: Part, split: Split, cut: Cut) -> Counter[str]:
    counts: Counter[str] = Counter()
    for block in read_blocks(part, cut):
        counts.update(split(block))
    return counts


def _write(split: Split, cut: Cut, _: None, piece: Piece, shard: BinaryIO) -> Counts:
    """A line of JSON for each bucket; counted are its bytes."""
    buckets: list[dict[str, int]] = [{} for _ in range(NUM_BUCKETS)]
    for part in piece:
        for word, count in _counted(part, split, cut).items():
            buckets[zlib.crc32(word.encode()) % NUM_BUCKETS][word] = count
    lines = (to_json(bucket, ensure_ascii=False).encode() + b"\n" for bucket in buckets)
    return {str(number): shard.write(line) for number, line in enumerate(lines)}


def _plan(folder: Path, shards: Sequence[Shard]) -> Mapping[str, int]:
    sizes = [shard.counts[str(number)] for shard in shards for number in range(NUM_BUCKETS)]
    with atomic_file(folder / PLACES) as handle:
        handle.write(np.cumsum([0, *sizes], dtype=np.int64).tobytes())
    return {COUNTS: sum(sizes)}


def _buckets(folder: Path) -> Iterator[Counter[str]]:
    places = np.fromfile(folder / PLACES, np.int64).tolist()
    with (folder / COUNTS).open("rb") as handle:
        for number in range(NUM_BUCKETS):
            counts: Counter[str] = Counter()
            for place in places[number:-1:NUM_BUCKETS]:
                handle.seek(place)
                counts.update(parse_json(handle.readline()))
            yield counts


def _most_frequent(buckets: Iterable[Counter[str]], min_count: int, max_size: int | None) -> Counter[str]:
    specials: Counter[str] = Counter()
    first: list[tuple[int, str]] = []
    kept: list[tuple[int, str]] = []
    for counts in buckets:
        specials.update({token: counts.pop(token) for token in (EOS, UNK) if token in counts})
        first = heapq.nsmallest(1, [*first, *((-count, word) for word, count in counts.items())])
        kept += [(-count, word) for word, count in counts.items() if count >= min_count]
        if max_size is not None and len(kept) > max_size + RANKED_AT_ONCE:
            kept = sorted(kept)[:max_size]
            min_count = max([min_count, *(-count for count, _ in kept[-1:])])
    kept = sorted(kept)[:max_size]
    return Counter({word: -count for count, word in (*first, *kept)}) + specials
