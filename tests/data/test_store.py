from __future__ import annotations

import functools
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstmdrop.data import fingerprint, parts
from lstmdrop.data import store as store_module
from lstmdrop.data import text as text_module
from lstmdrop.data.processes import PROCESSES
from lstmdrop.data.shards import shard_path
from lstmdrop.data.store import TokenStore, build_store
from lstmdrop.data.text import content_sha256
from lstmdrop.data.tokenizer import TokenizerKind, train_tokenizer
from lstmdrop.data.tokenizers.words import EncodedBlock, WordTokenizer
from lstmdrop.data.vocabulary import EOS, UNK, Vocabulary
from lstmdrop.errors import DataError

MEGABYTE = 1_000_000


def write(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8", newline="")
    return path


@functools.cache
def zipf_words() -> list[str]:
    generator = random.Random(0)
    words = ["".join(generator.choices("etaoinshrdlu", k=generator.randint(1, 9))) for _ in range(20_000)]
    return generator.choices(words, [1 / rank for rank in range(1, len(words) + 1)], k=100_000)


def generated_text(path: Path, num_bytes: int, *, separator: str = "\n") -> Path:
    """Text of Zipf-distributed words, one sentence after the other."""
    drawn = zipf_words()
    block = separator.join(" ".join(drawn[start : start + 20]) for start in range(0, len(drawn), 20)) + separator
    with path.open("w", encoding="utf-8") as handle:
        for _ in range(-(-num_bytes // len(block))):
            handle.write(block)
    return path


def test_a_store_is_the_encoded_lines(tmp_path: Path) -> None:
    text = write(tmp_path / "text.txt", "a b a\n\nb <unk> zebra\r\na")
    tokenizer = WordTokenizer(Vocabulary((EOS, UNK, "a", "b")))
    store = build_store(text, tokenizer, tmp_path / "cache")
    assert store.tokens.tolist() == [2, 3, 2, 0, 0, 3, 1, 1, 0, 2, 0]
    assert (store.num_tokens, store.num_unknown, store.num_lines) == (11, 1, 4)
    assert store.sha256 == content_sha256(text)


@pytest.mark.parametrize("kind", ["word", "character", "bpe"])
@settings(max_examples=25)
@given(lines=st.lists(st.text(alphabet="ab é\r", max_size=30), min_size=1, max_size=10))
def test_the_size_of_blocks_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, kind: TokenizerKind, lines: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("store")
    text = write(folder / "text.txt", "".join(f"{line}\n" for line in ["a", *lines]))
    tokenizer = train_tokenizer(kind, text)
    whole = build_store(text, tokenizer, folder / "whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_module, "BLOCK_BYTES", 3)
        parts = build_store(text, tokenizer, folder / "parts")
    assert whole.tokens.tolist() == parts.tokens.tolist()
    assert (whole.num_lines, whole.num_unknown) == (parts.num_lines, parts.num_unknown)
    assert whole.num_lines == len(lines) + 1


def test_ids_take_two_bytes_where_they_fit(tmp_path: Path) -> None:
    text = write(tmp_path / "text.txt", "w7 w65535 w65536\n")
    for num_words, dtype in [((1 << 16) - 2, np.uint16), ((1 << 16) - 1, np.int32)]:
        tokenizer = WordTokenizer(Vocabulary((EOS, UNK, *(f"w{number}" for number in range(num_words)))))
        store = build_store(text, tokenizer, tmp_path / "cache")
        assert store.tokens.dtype == dtype
        assert store.tokens.tolist() == [*tokenizer.encode("w7 w65535 w65536"), 0]


def test_a_store_cannot_be_written_to(tmp_path: Path) -> None:
    text = write(tmp_path / "text.txt", "a\n")
    store = build_store(text, train_tokenizer("word", text), tmp_path / "cache")
    assert isinstance(store.tokens, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        store.tokens[0] = 1


def test_a_store_is_made_once_for_a_text_and_a_tokeniser(tmp_path: Path) -> None:
    text = write(tmp_path / "text.txt", "a b\n")
    copy = write(tmp_path / "copy.txt", "a b\n")
    cache = tmp_path / "cache"
    tokenizer = train_tokenizer("word", text)
    build_store(text, tokenizer, cache)
    (entry,) = cache.iterdir()
    made = entry.stat().st_mtime_ns, entry.stat().st_ino
    build_store(copy, tokenizer, cache)
    assert [(path.stat().st_mtime_ns, path.stat().st_ino) for path in cache.iterdir()] == [made]
    build_store(text, train_tokenizer("character", text), cache)
    build_store(write(tmp_path / "text.txt", "a b c\n"), tokenizer, cache)
    assert len(list(cache.iterdir())) == 3


def test_a_large_text_is_not_hashed_again_while_it_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LSTMDROP_CACHE", str(tmp_path / "notes"))
    monkeypatch.setattr(fingerprint, "LARGE", 1)
    text = write(tmp_path / "text.txt", "a b\n")
    os.utime(text, (0, 0))
    tokenizer = train_tokenizer("word", text)
    first = build_store(text, tokenizer, tmp_path / "cache")
    monkeypatch.delattr(fingerprint, "content_sha256")
    assert build_store(text, tokenizer, tmp_path / "cache").sha256 == first.sha256 == content_sha256(text)


def test_an_interrupted_build_leaves_no_entry(tmp_path: Path) -> None:
    text = write(tmp_path / "text.txt", "a b\n")
    with pytest.raises(KeyboardInterrupt):
        build_store(text, Interrupted(train_tokenizer("word", text).vocabulary), tmp_path / "cache")
    assert [path.name for path in (tmp_path / "cache").iterdir() if not path.name.endswith(".unfinished")] == []


class Interrupted(WordTokenizer):
    def encode_block(self, text: str) -> EncodedBlock:
        raise KeyboardInterrupt


KILLED = """
import os, sys
from pathlib import Path
from lstmdrop.data.store import build_store
from lstmdrop.data.tokenizer import train_tokenizer

text, cache = map(Path, sys.argv[1:])
tokenizer = train_tokenizer("word", text)
tokenizer.encode_block = lambda block: os._exit(9)
build_store(text, tokenizer, cache)
"""

SHARED = """
import sys
from pathlib import Path
from lstmdrop.data.store import build_store
from lstmdrop.data.tokenizer import train_tokenizer

text, cache = map(Path, sys.argv[1:])
tokenizer = train_tokenizer("word", text)
print("ready", flush=True)
sys.stdin.readline()
print(int(build_store(text, tokenizer, cache).tokens.sum(dtype="int64")))
"""

PEAK = """
import sys
from pathlib import Path
from lstmdrop.data.store import build_store
from lstmdrop.data.tokenizer import train_tokenizer

kind, (sample, text, cache) = sys.argv[1], map(Path, sys.argv[2:])
build_store(text, train_tokenizer(kind, sample), cache)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_a_killed_build_leaves_nothing_that_a_later_one_trusts(tmp_path: Path) -> None:
    text, cache = write(tmp_path / "text.txt", "a b\n"), tmp_path / "cache"
    with start(KILLED, text, cache) as process:
        assert process.wait() == 9
    assert len(list(cache.iterdir())) == 1
    assert build_store(text, train_tokenizer("word", text), cache).num_tokens == 3


@pytest.mark.slow
def test_two_processes_share_a_store(tmp_path: Path) -> None:
    text, cache = generated_text(tmp_path / "text.txt", MEGABYTE), tmp_path / "cache"
    with start(SHARED, text, cache) as one, start(SHARED, text, cache) as two:
        for process in (one, two):
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        outputs = [process.communicate("go\n")[0] for process in (one, two)]
    store = build_store(text, train_tokenizer("word", text), cache)
    assert outputs == [f"{int(store.tokens.sum(dtype=np.int64))}\n"] * 2
    assert len(list(cache.iterdir())) == 1


def test_offsets_say_where_each_line_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "SCANNED_AT_ONCE", 3)
    text = write(tmp_path / "text.txt", "a b a\n\nb\nb a\n")
    tokenizer = train_tokenizer("word", text)
    store = build_store(text, tokenizer, tmp_path / "cache")
    assert store.offsets(tokenizer.eos).tolist() == [0, 4, 5, 7, 10]
    assert store.offsets(tokenizer.vocabulary.ids["a"]).tolist() == [0, 1, 3, 9]
    made = {path.name: path.stat().st_ino for path in store.folder.iterdir()}
    assert build_store(text, tokenizer, tmp_path / "cache").offsets(tokenizer.eos).tolist() == [0, 4, 5, 7, 10]
    assert {path.name: path.stat().st_ino for path in store.folder.iterdir()} == made


def test_stretches_are_parts_of_the_text_in_the_order_asked_for(tmp_path: Path) -> None:
    text = generated_text(tmp_path / "text.txt", MEGABYTE)
    for max_size in (1000, None):
        store = build_store(text, train_tokenizer("word", text, max_size=max_size), tmp_path / "cache")
        starts, lengths = np.array([70_000, 0, 500, 500]), np.array([3, 10, 0, 2])
        expected = [store.tokens[start : start + length] for start, length in zip(starts, lengths, strict=True)]
        assert store.stretches(starts, lengths).tolist() == np.concatenate(expected).tolist()


READ_HERE_AND_THERE = """
import sys
from pathlib import Path
import numpy as np
from lstmdrop.data.store import build_store
from lstmdrop.data.tokenizer import train_tokenizer

def resident():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS"))

sample, text, cache = map(Path, sys.argv[1:])
store = build_store(text, train_tokenizer("character", sample), cache)
before = resident()
places = np.random.default_rng(0).integers(0, store.num_tokens - 100, 20_000)
for starts in places.reshape(-1, 100):
    store.stretches(starts, np.full(100, 100))
print(resident() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="resident memory is read from /proc")
def test_reading_here_and_there_takes_no_more_memory(tmp_path: Path) -> None:
    text = generated_text(tmp_path / "text.txt", 20 * MEGABYTE)
    sample = generated_text(tmp_path / "sample.txt", MEGABYTE // 2)
    with start(READ_HERE_AND_THERE, sample, text, tmp_path / "cache") as process:
        assert int(process.communicate()[0]) < 10_000  # KiB, of a store of 40,000


@pytest.mark.parametrize("damage", ["tokens.bin", "counts.json"])
def test_a_damaged_store_is_named(tmp_path: Path, damage: str) -> None:
    text = write(tmp_path / "text.txt", "a b\n" * 10)
    tokenizer = train_tokenizer("word", text)
    build_store(text, tokenizer, tmp_path / "cache")
    (entry,) = (tmp_path / "cache").iterdir()
    (entry / damage).write_bytes((entry / damage).read_bytes()[:6])
    with pytest.raises(DataError, match=f"{entry}: .*delete the folder"):
        build_store(text, tokenizer, tmp_path / "cache")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["word", "character", "bpe", "unigram"])
def test_ten_megabytes_a_second(tmp_path: Path, kind: TokenizerKind) -> None:
    sample = generated_text(tmp_path / "sample.txt", MEGABYTE // 2)
    text = generated_text(tmp_path / "text.txt", 4 * MEGABYTE)
    tokenizer = train_tokenizer(kind, sample, max_size=1000)
    rates = []
    for attempt in range(3):
        start_seconds = time.process_time()
        build_store(text, tokenizer, tmp_path / f"cache{attempt}")
        rates.append(text.stat().st_size / MEGABYTE / (time.process_time() - start_seconds))
    assert max(rates) >= 10, rates


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
@pytest.mark.parametrize(("kind", "separator"), [("word", " "), ("character", "\n"), ("bpe", " ")])
def test_memory_does_not_grow_with_the_text(tmp_path: Path, kind: TokenizerKind, separator: str) -> None:
    peaks = []
    for num_bytes in (4 * MEGABYTE, 40 * MEGABYTE):
        text = generated_text(tmp_path / f"{num_bytes}.txt", num_bytes, separator=separator)
        # SentencePiece holds what it learns from; its bound is far above these texts.
        sample = tmp_path / f"{4 * MEGABYTE}.txt" if kind == "bpe" else text
        with start(PEAK, kind, sample, text, tmp_path / "cache") as process:
            peaks.append(int(process.communicate()[0]) * 1024)
    # Far less than the text and its ids; what is left is the allocator's.
    assert peaks[1] - peaks[0] < 20 * MEGABYTE, peaks


def test_the_penn_treebank_has_its_published_counts(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "ptb"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here")
    tokenizer = train_tokenizer("word", folder / "ptb.train.txt")
    stores: dict[str, TokenStore] = {
        split: build_store(folder / f"ptb.{split}.txt", tokenizer, tmp_path) for split in ("train", "valid", "test")
    }
    assert len(tokenizer.vocabulary) == 10_000
    assert {split: store.num_tokens for split, store in stores.items()} == {
        "train": 929_589,
        "valid": 73_760,
        "test": 82_430,
    }
    assert {store.num_unknown for store in stores.values()} == {0}
    assert [store.num_lines for store in stores.values()] == [42_068, 3_370, 3_761]


@pytest.mark.parametrize("stop_after", [0, 1, 5])
@pytest.mark.parametrize("damage", [None, "torn note", "short shard"])
def test_an_interrupted_encoding_goes_on_with_the_parts_that_are_not_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_after: int, damage: str | None
) -> None:
    monkeypatch.setenv(PROCESSES, "1")
    text = write(tmp_path / "text", "".join(f"w{n % 7} w{n % 11} zz\n" for n in range(120)))
    tokenizer = train_tokenizer("word", text, min_count=20)
    whole = build_store(text, tokenizer, tmp_path / "whole")
    monkeypatch.setattr(parts, "PART_BYTES", 128)
    num_parts = len(parts.text_parts(text, parts.WORDS))
    assert num_parts > 6
    encode, calls = tokenizer.encode_block, []

    def counting(block: str) -> Any:
        if len(calls) == stop_after:
            raise KeyboardInterrupt
        calls.append(block)
        return encode(block)

    monkeypatch.setattr(tokenizer, "encode_block", counting)
    with pytest.raises(KeyboardInterrupt):
        build_store(text, tokenizer, tmp_path / "cache")
    (unfinished,) = (tmp_path / "cache").iterdir()
    if damage and stop_after:
        shard = shard_path(unfinished, 0)
        damaged = shard.with_suffix(".json") if damage == "torn note" else shard
        damaged.write_bytes(damaged.read_bytes()[:-1])
    num_kept = stop_after - bool(damage and stop_after)
    calls.clear()
    stop_after = 10**9
    found = build_store(text, tokenizer, tmp_path / "cache")
    assert found.tokens.tolist() == whole.tokens.tolist()
    assert (found.num_unknown, found.num_lines) == (whole.num_unknown, whole.num_lines)
    assert {path.name for path in found.folder.iterdir()} == {path.name for path in whole.folder.iterdir()}
    assert len(calls) == num_parts - num_kept
