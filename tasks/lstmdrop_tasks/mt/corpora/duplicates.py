"""Pairs that come more than once, found in constant memory however many pairs there are."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lstmdrop_tasks.mt.corpora.parallel import PairBlock

Hashes = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]

HASH_BYTES = 8
"""Of 40 million pairs, two different ones share 64 bits with a probability of about 1 in 20,000."""

BUCKET_SIZE = 1 << 21
"""Hashes sorted together, about: some 100 MiB at once."""


def pair_hashes(block: PairBlock) -> bytes:
    """The hashes of a block's pairs, eight bytes each, one after the other."""
    pairs = [f"{source}\n{target}".encode() for source, target in zip(*block, strict=True)]
    return b"".join([blake2b(pair, digest_size=HASH_BYTES).digest() for pair in pairs])


def first_occurrences(hashes: Path, bucket_size: int = BUCKET_SIZE) -> Mask:
    """For each hash of a file, whether none before it is equal.

    The hashes are looked through in buckets that equal hashes share, one bucket after the other: beside one bit
    of answer a hash (kept as a byte), memory holds about ``bucket_size`` of them.
    """
    num_hashes = hashes.stat().st_size // HASH_BYTES
    num_buckets = -(-num_hashes // bucket_size)
    first = np.zeros(num_hashes, dtype=np.bool_)
    for bucket in range(num_buckets):
        values, places = _bucket(hashes, bucket, num_buckets, bucket_size)
        first[places[np.unique(values, return_index=True)[1]]] = True
    return first


def _bucket(path: Path, bucket: int, num_buckets: int, chunk_size: int) -> tuple[Hashes, npt.NDArray[np.int64]]:
    values, places, start = [], [], 0
    with path.open("rb") as handle:
        while len(chunk := np.fromfile(handle, dtype="<u8", count=chunk_size)):
            inside = np.flatnonzero(chunk % np.uint64(num_buckets) == bucket)
            values.append(chunk[inside])
            places.append(inside + start)
            start += len(chunk)
    return np.concatenate(values), np.concatenate(places)
