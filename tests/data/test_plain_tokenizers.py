"""Words and characters as token ids, beside the plainest way to make them."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstmdrop.data.tokenizer import load_tokenizer, train_tokenizer
from lstmdrop.data.tokenizers.words import CharacterTokenizer, WordTokenizer, write_description
from lstmdrop.data.vocabulary import EOS, UNK, Vocabulary, count_vocabulary, required_words
from lstmdrop.errors import DataError

WORDS = Vocabulary(("the", EOS, "cat", UNK, "naïve"))
LETTERS = Vocabulary(("a", EOS, " ", "b", UNK, "é", "日"))

texts = st.lists(st.text("ab é日x\t", max_size=8), max_size=5).map(lambda lines: "".join(f"{line}\n" for line in lines))
word_texts = st.lists(
    st.lists(st.sampled_from(["the", "cat", "dog", "naïve", UNK, EOS]), max_size=5).map(" ".join), max_size=5
).map(lambda lines: "".join(f"{line}\n" for line in lines))


@given(texts)
def test_every_character_is_its_own_id_or_the_unknown_one(text: str) -> None:
    block = CharacterTokenizer(LETTERS).encode_block(text)
    expected = [LETTERS.eos if char == "\n" else LETTERS.ids.get(char, LETTERS.unk) for char in text]
    assert block.ids.tolist() == expected
    assert block.ids.dtype == np.int32
    assert block.num_unknown == sum(char not in (*LETTERS.tokens, "\n") for char in text)


@given(word_texts)
def test_every_word_is_its_own_id_or_the_unknown_one(text: str) -> None:
    block = WordTokenizer(WORDS).encode_block(text)
    words = [word for line in text.splitlines() for word in [*line.split(), EOS]]
    assert block.ids.tolist() == [WORDS.ids.get(word, WORDS.unk) for word in words]
    assert block.num_unknown == words.count("dog")


def test_what_is_written_like_a_special_token_is_letters_to_a_tokeniser_of_characters() -> None:
    vocabulary = Vocabulary((EOS, UNK, *"<>eoskun"))
    tokenizer = CharacterTokenizer(vocabulary)
    assert tokenizer.decode(tokenizer.encode("<unk><eos>")) == "<unk><eos>"
    assert tokenizer.encode_block("<unk>").num_unknown == 0


@pytest.mark.parametrize(
    ("ids", "text"),
    [
        ([], ""), ([0, 2], "the cat"), ([0, 1, 2], "the\ncat"), ([1, 0], "\nthe"), ([0, 1], "the\n"),
        ([1, 1, 0, 3], "\n\nthe <unk>"), ([4, 1, 1], "naïve\n\n"),
    ],
)  # fmt: skip
def test_words_stand_between_single_spaces_and_none_at_an_end_of_a_line(ids: list[int], text: str) -> None:
    assert WordTokenizer(WORDS).decode(ids) == text


def test_a_text_is_cut_after_white_space_alone_where_words_are_tokens() -> None:
    words = WordTokenizer(WORDS)
    for text, end in (("the cat", 4), ("the\tcat", 4), ("the\ncat", 4), ("thecat", 0), ("the cat ", 8), ("", 0)):
        assert words.cut(text) == end
    assert CharacterTokenizer(LETTERS).cut("thecat") == 6


def plain_counts(text: str, kind: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    for line in text.splitlines():
        counts.update(line.split() if kind == "word" else line)
        counts[EOS] += 1
    return counts


@pytest.mark.parametrize("kind", ["word", "character"])
@pytest.mark.parametrize(("min_count", "max_size"), [(1, None), (2, None), (1, 4), (3, 5)])
def test_the_vocabulary_is_that_of_plain_counts(
    tmp_path: Path, kind: str, min_count: int, max_size: int | None
) -> None:
    text = "the cat the naïve\nthe cat cat\n\na b\nthe b\n"
    (tmp_path / "train.txt").write_text(text, encoding="utf-8")
    found = train_tokenizer(kind, tmp_path / "train.txt", min_count=min_count, max_size=max_size)  # type: ignore[arg-type]
    counts = plain_counts(text, kind)
    wanted = [token for token, count in counts.items() if count >= min_count and token != EOS]
    wanted = sorted(wanted, key=lambda token: (-counts[token], token))[: None if max_size is None else max_size - 2]
    assert found.vocabulary.tokens == tuple(sorted([*wanted, EOS, UNK], key=lambda token: (-counts[token], token)))


@pytest.mark.parametrize("kind", ["word", "character"])
def test_a_text_of_rare_tokens_says_what_would_help(tmp_path: Path, kind: str) -> None:
    (tmp_path / "train.txt").write_text("ab cd\n" if kind == "word" else "abcd\n")
    with pytest.raises(DataError, match=r"train\.txt: no token comes 2 times(.|\n)*lower data\.min_count"):
        train_tokenizer(kind, tmp_path / "train.txt", min_count=2)  # type: ignore[arg-type]


def test_one_word_is_enough_of_a_vocabulary() -> None:
    enough = Vocabulary((EOS, UNK, "a"))
    assert required_words(enough, Path("a"), 1) is enough
    with pytest.raises(DataError, match="would be <eos> and <unk> alone"):
        required_words(Vocabulary((EOS, UNK)), Path("a"), 1)


@pytest.mark.parametrize("make", [WordTokenizer, CharacterTokenizer])
def test_a_fingerprint_is_of_the_tokens_their_order_and_the_kind(
    make: type[WordTokenizer | CharacterTokenizer],
) -> None:
    prints = {make(vocabulary).fingerprint for vocabulary in (LETTERS, Vocabulary(LETTERS.tokens[::-1]))}
    other = CharacterTokenizer if make is WordTokenizer else WordTokenizer
    assert len(prints | {other(LETTERS).fingerprint}) == 3
    assert make(Vocabulary(LETTERS.tokens)).fingerprint in prints
    assert all(re.fullmatch("[0-9a-f]{64}", each) for each in prints)


def test_a_folder_of_an_earlier_version_without_a_fingerprint_is_read(tmp_path: Path) -> None:
    WordTokenizer(WORDS).save(tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"kind": "word"}')
    assert load_tokenizer(tmp_path).vocabulary == WORDS
    write_description(tmp_path, "word", "0" * 64)
    with pytest.raises(DataError, match=r"its tokens are not those that tokenizer\.json names"):
        load_tokenizer(tmp_path)
    write_description(tmp_path, "syllable", "0" * 64)
    with pytest.raises(DataError, match="no tokeniser is of the kind 'syllable'"):
        load_tokenizer(tmp_path)


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), st.integers(0, 5), max_size=8))
def test_what_never_came_is_no_word(counts: dict[str, int]) -> None:
    vocabulary = count_vocabulary(counts)
    assert {token for token in vocabulary.tokens if token not in (EOS, UNK)} == {
        token for token, count in counts.items() if count
    }
    assert len(vocabulary) == len(set(vocabulary.tokens))
    assert EOS in vocabulary
    assert "a longer word" not in vocabulary
