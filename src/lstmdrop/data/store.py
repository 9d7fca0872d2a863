"""Token ids of a whole text, on disk and mapped into memory."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from lstmdrop.data.atomic import atomic_file, resumable_folder
from lstmdrop.data.fingerprint import remembered_sha256
from lstmdrop.data.parts import WORDS, Piece, text_parts
from lstmdrop.data.shards import Counts, Shard, make_of_shards
from lstmdrop.data.spelling import LOOKED_AT, first_oddity
from lstmdrop.data.text import read_blocks, read_lines
from lstmdrop.data.tokenizer import Tokenizer
from lstmdrop.errors import DataError
from lstmdrop.parsing import read_json_document, to_json

Ids = npt.NDArray[np.uint16] | npt.NDArray[np.int32]

TOKENS = "tokens.bin"
COUNTS = "counts.json"
SCANNED_AT_ONCE = 1 << 22
"""Tokens: a few MiB."""

log = logging.getLogger("lstmdrop.data")


@dataclass(frozen=True, slots=True)
class TokenStore:
    """The ids of a text in its order, one ``<eos>`` at each line end."""

    tokens: Ids
    """Shape ``(num_tokens,)``, read-only, mapped: only the pages that are used take memory."""
    num_tokens: int
    num_unknown: int
    """Ids of ``<unk>`` for which the text had another token than a literal ``<unk>``."""
    num_lines: int
    sha256: str
    """Hash of the text's bytes."""
    folder: Path
    """The entry in the cache."""

    def offsets(self, end: int) -> npt.NDArray[np.int64]:
        """0, and after how many tokens each ``end`` has come; mapped, found once and kept in the cache."""
        path = self.folder / f"offsets-{end}.bin"
        if not path.is_file():
            with atomic_file(path) as handle:
                handle.write(np.zeros(1, np.int64).tobytes())
                with (self.folder / TOKENS).open("rb") as tokens:
                    start = 0
                    while len(part := np.fromfile(tokens, self.tokens.dtype, SCANNED_AT_ONCE)):
                        handle.write((np.flatnonzero(part == end) + (start + 1)).astype(np.int64).tobytes())
                        start += len(part)
        return np.asarray(np.memmap(path, np.int64, "r"))

    def counts(self, vocabulary_size: int) -> npt.NDArray[np.int64]:
        """How often each token comes, shape ``(vocabulary_size,)``."""
        total = np.zeros(vocabulary_size, np.int64)
        for start in range(0, self.num_tokens, SCANNED_AT_ONCE):
            total += np.bincount(self.tokens[start : start + SCANNED_AT_ONCE], minlength=vocabulary_size)
        return total

    def stretches(self, starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """So many tokens from each start on, one stretch after the other.

        They are read, not mapped: of a text that is read here and there, mapped pages would soon fill the memory.
        """
        size = self.tokens.itemsize
        with (self.folder / TOKENS).open("rb", buffering=0) as handle:
            parts = []
            for place, num_bytes in zip((starts * size).tolist(), (lengths * size).tolist(), strict=True):
                handle.seek(place)
                parts.append(handle.read(num_bytes))
        return np.frombuffer(b"".join(parts), self.tokens.dtype)


def build_store(text: Path, tokenizer: Tokenizer, cache: Path) -> TokenStore:
    """Map the token ids of ``text``, encoding them into ``cache`` if no earlier call has.

    An entry belongs to the text's content and the tokeniser's fingerprint. Processes may build the same entry
    at the same time; none sees it half-made. A large text is encoded by several processes, part by part; interrupted,
    it goes on with the parts that are not done.

    Raises:
        DataError: the text is missing, empty or not UTF-8, or the entry is damaged.
    """
    sha256 = remembered_sha256(text)
    folder = cache / hashlib.sha256(f"{sha256} {tokenizer.fingerprint}".encode()).hexdigest()[:32]
    if not folder.is_dir():
        with resumable_folder(folder) as unfinished:
            if unfinished is not None:
                _write(text, tokenizer, unfinished, sha256)
    store = _open(folder)
    if store.num_unknown:
        _tell_other_form(text, tokenizer)
    return store


def _tell_other_form(text: Path, tokenizer: Tokenizer) -> None:
    """Say so where letters are unknown for their code points alone; it looks at the beginning of the text."""
    known = tokenizer.vocabulary.letters
    lines = enumerate(islice(read_lines(text), LOOKED_AT if known else 0), 1)
    for about in first_oddity(((line, f"{text}:{number}") for number, line in lines), known):
        log.warning(about)


def _write(text: Path, tokenizer: Tokenizer, folder: Path, sha256: str) -> None:
    dtype = _dtype(tokenizer)

    def plan(shards: Sequence[Shard]) -> Mapping[str, int]:
        names = ("num_tokens", "num_unknown", "num_lines")
        totals = {name: sum(shard.counts[name] for shard in shards) for name in names}
        description = {"dtype": dtype.name, **totals, "sha256": sha256}
        (folder / COUNTS).write_text(to_json(description, indent=2) + "\n", encoding="utf-8")
        return {TOKENS: totals["num_tokens"] * dtype.itemsize}

    pieces = [(part,) for part in text_parts(text, WORDS)]
    make_of_shards(folder, pieces, _encode, tokenizer, plan, f"cutting {text.name} into tokens")


def _dtype(tokenizer: Tokenizer) -> np.dtype[Any]:
    return np.dtype(np.uint16 if len(tokenizer.vocabulary) <= 1 << 16 else np.int32)


def _encode(tokenizer: Tokenizer, piece: Piece, shard: BinaryIO) -> Counts:
    dtype = _dtype(tokenizer)
    num_tokens = num_unknown = num_lines = 0
    for part in piece:
        for block in read_blocks(part, tokenizer.cut):
            ids, unknown = tokenizer.encode_block(block)
            shard.write(ids.astype(dtype).tobytes())
            num_tokens, num_unknown = num_tokens + len(ids), num_unknown + unknown
            num_lines += block.count("\n")
    return {"num_tokens": num_tokens, "num_unknown": num_unknown, "num_lines": num_lines}


def _open(folder: Path) -> TokenStore:
    try:
        counts = read_json_document(folder / COUNTS)
        dtype = np.dtype(counts.pop("dtype"))
        tokens = np.memmap(folder / TOKENS, dtype, "r")
        store = TokenStore(tokens, **counts, folder=folder)
        if len(tokens) != store.num_tokens:
            raise ValueError(f"{len(tokens)} tokens in place of {store.num_tokens}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder}: cached tokens are damaged ({error}); delete the folder and run again") from None
    return store
