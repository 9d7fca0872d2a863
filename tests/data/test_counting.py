"""Words counted in parts are those counted at once, and a sample of a text stands for all of it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from lstmdrop.data import counting, parts, sample
from lstmdrop.data.processes import PROCESSES
from lstmdrop.data.sample import sampled
from lstmdrop.data.tokenizer import TokenizerKind, train_tokenizer
from lstmdrop.data.vocabulary import EOS, UNK
from lstmdrop.errors import DataError


@pytest.fixture(autouse=True)
def _small_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSTMDROP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(PROCESSES, "1")


def drawn_text(path: Path, num_lines: int = 300) -> Path:
    generator = random.Random(1)
    words = [f"w{number}é" for number in range(60)] + [UNK, EOS]
    lines = (
        " ".join(generator.choices(words, [1 / rank for rank in range(1, len(words) + 1)], k=5))
        for _ in range(num_lines)
    )
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", ["word", "character"])
@pytest.mark.parametrize(("min_count", "max_size"), [(1, None), (4, None), (1, 12), (4, 12), (30, 20)])
def test_a_vocabulary_of_parts_is_that_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: TokenizerKind, min_count: int, max_size: int | None
) -> None:
    text = drawn_text(tmp_path / "text")
    whole = train_tokenizer(kind, text, min_count=min_count, max_size=max_size)
    monkeypatch.setattr(parts, "PART_BYTES", 500)
    assert len(parts.text_parts(text)) > 5
    for _ in range(2):  # counted, and out of the cache
        cut = train_tokenizer(kind, text, min_count=min_count, max_size=max_size)
        assert cut.vocabulary.tokens == whole.vocabulary.tokens
        assert cut.fingerprint == whole.fingerprint
        monkeypatch.setattr(counting, "make_of_shards", None)


def test_memory_of_counting_is_bounded_by_the_words_that_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = tmp_path / "text"
    text.write_text("".join(f"word{number} common\n" for number in range(3000)))
    monkeypatch.setattr(parts, "PART_BYTES", 5000)
    sizes = []
    plain = counting._buckets

    def watched(folder: Path) -> object:
        for counts in plain(folder):
            sizes.append(len(counts))
            yield counts

    monkeypatch.setattr(counting, "_buckets", watched)
    counts = counting.count_words(text, str.split, len, "word", max_size=10)
    assert counts["common"] == 3000
    assert len(counts) <= 12
    assert max(sizes) < 3000 / 20


@pytest.mark.parametrize("words", ["", "rare rarer"])
def test_what_is_wrong_with_the_words_is_said_of_a_large_text_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    text = tmp_path / "text"
    text.write_text(f"{words}\n" + "\n" * 200)
    monkeypatch.setattr(parts, "PART_BYTES", 20)
    message = "no token comes 5 times" if words else "only blank lines"
    with pytest.raises(DataError, match=message):
        train_tokenizer("word", text, min_count=5)


def test_a_sample_is_spread_over_the_text_and_has_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "STRETCH", 1000)
    text = tmp_path / "text"
    text.write_text("".join(f"line {number:05}\n" for number in range(10_000)))
    with sampled(text, 0.02) as found:
        lines = found.read_text().splitlines()
        assert found.name == "text"
        assert 20_000 <= found.stat().st_size <= 21_000
    numbers = [int(line.split()[-1]) for line in lines if len(line.split()[-1]) == 5]
    assert numbers == sorted(set(numbers))
    assert {number // 1000 for number in numbers} == set(range(10))
    assert not found.exists()
    with sampled(text, 0.02) as again:
        assert again.read_text().splitlines() == lines


@pytest.mark.parametrize("kind", ["word", "character", "bpe", "unigram"])
def test_tokens_can_be_learnt_from_a_sample(tmp_path: Path, kind: TokenizerKind) -> None:
    text = tmp_path / "text"
    text.write_text("".join(f"common{number % 7} w{number}\n" for number in range(3000)))
    whole = train_tokenizer(kind, text, max_size=200)
    assert train_tokenizer(kind, text, max_size=200, megabytes=1).fingerprint == whole.fingerprint
    some = train_tokenizer(kind, text, max_size=200, megabytes=0.005)
    assert some.fingerprint == train_tokenizer(kind, text, max_size=200, megabytes=0.005).fingerprint
    if kind != "character":
        assert some.fingerprint != whole.fingerprint
