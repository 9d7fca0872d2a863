"""Token ids of a whole text, on disk and mapped into memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lstmdrop.data.atomic import atomic_file, atomic_folder
from lstmdrop.data.fingerprint import remembered_sha256
from lstmdrop.data.text import read_blocks
from lstmdrop.data.tokenizer import Tokenizer
from lstmdrop.data.tokenizers.block import EncodedBlock
from lstmdrop.errors import DataError

Ids = npt.NDArray[np.uint16] | npt.NDArray[np.int32]

TOKENS = "tokens.bin"
COUNTS = "counts.json"
SCANNED_AT_ONCE = 1 << 22
"""Tokens: a few MiB."""


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
    at the same time; none sees it half-made.

    Raises:
        DataError: the text is missing, empty or not UTF-8, or the entry is damaged.
    """
    sha256 = remembered_sha256(text)
    folder = cache / hashlib.sha256(f"{sha256} {tokenizer.fingerprint}".encode()).hexdigest()[:32]
    if not folder.is_dir():
        with atomic_folder(folder) as unfinished:
            _write(text, tokenizer, unfinished, sha256)
    return _open(folder)


def _write(text: Path, tokenizer: Tokenizer, folder: Path, sha256: str) -> None:
    dtype = np.dtype(np.uint16 if len(tokenizer.vocabulary) <= 1 << 16 else np.int32)
    num_tokens = num_unknown = num_lines = 0
    with (folder / TOKENS).open("wb") as handle:
        for lines, (ids, unknown) in _encoded_blocks(text, tokenizer):
            ids.astype(dtype).tofile(handle)
            num_tokens += len(ids)
            num_unknown += unknown
            num_lines += lines
    counts = {"num_tokens": num_tokens, "num_unknown": num_unknown, "num_lines": num_lines}
    description = {"dtype": dtype.name, **counts, "sha256": sha256}
    (folder / COUNTS).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")


def _encoded_blocks(text: Path, tokenizer: Tokenizer) -> Iterator[tuple[int, EncodedBlock]]:
    for block in read_blocks(text, tokenizer.cut):
        yield block.count("\n"), tokenizer.encode_block(block)


def _open(folder: Path) -> TokenStore:
    try:
        counts = json.loads((folder / COUNTS).read_bytes())
        dtype = np.dtype(counts.pop("dtype"))
        tokens = np.memmap(folder / TOKENS, dtype, "r")
        store = TokenStore(tokens, **counts, folder=folder)
        if len(tokens) != store.num_tokens:
            raise ValueError(f"{len(tokens)} tokens in place of {store.num_tokens}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder}: cached tokens are damaged ({error}); delete the folder and run again") from None
    return store
