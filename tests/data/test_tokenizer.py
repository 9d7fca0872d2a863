from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor

from lstmdrop.data import text as text_module
from lstmdrop.data.tokenizer import Tokenizer, TokenizerKind, load_tokenizer, train_tokenizer
from lstmdrop.data.tokenizers import subwords
from lstmdrop.data.vocabulary import EOS, UNK
from lstmdrop.errors import ConfigError, DataError

KINDS: tuple[TokenizerKind, ...] = get_args(TokenizerKind)
SUBWORDS: tuple[TokenizerKind, ...] = ("bpe", "unigram")
SENTENCES = [
    "the cat sat on the mat",
    "the dog sat on the cat",
    "a naïve dog , sitting , ate the mat and the hat",
    "catlike dogs sit on hats and mats",
    "",
    "the hat sat <unk> the dog",
]
WORDS = sorted({word for sentence in SENTENCES for word in sentence.split()} - {UNK})


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "train.txt"
    path.write_text("\n".join(SENTENCES * 20) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def tokenizers(corpus: Path) -> dict[TokenizerKind, Tokenizer]:
    return {kind: train_tokenizer(kind, corpus) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
@given(words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=8))
def test_decoding_undoes_encoding(
    tokenizers: dict[TokenizerKind, Tokenizer], kind: TokenizerKind, words: list[str]
) -> None:
    line = " ".join(words)
    assert tokenizers[kind].decode(tokenizers[kind].encode(line)) == line


@pytest.mark.parametrize("kind", KINDS)
@given(parts=st.lists(st.sampled_from([*WORDS, UNK, "日本", "xé", " ", "  "]), max_size=8))
def test_spans_are_where_the_tokens_stand(
    tokenizers: dict[TokenizerKind, Tokenizer], kind: TokenizerKind, parts: list[str]
) -> None:
    tokenizer, line = tokenizers[kind], " ".join(parts)
    ids, spans = tokenizer.encode(line), tokenizer.spans(line)
    assert len(ids) == len(spans)
    covered, last = "", 0
    for token, (begin, end) in zip(ids, spans, strict=True):
        assert last <= begin <= end <= len(line)
        assert not line[last:begin].strip()
        written = tokenizer.vocabulary.tokens[token].removeprefix("▁")
        assert written in (line[begin:end], UNK)
        covered, last = covered + line[begin:end], end
    assert covered.replace(" ", "") == line.replace(" ", "")


@pytest.mark.parametrize("kind", KINDS)
def test_the_end_of_a_line_becomes_a_newline(tokenizers: dict[TokenizerKind, Tokenizer], kind: TokenizerKind) -> None:
    tokenizer = tokenizers[kind]
    ids = [
        *tokenizer.encode("the cat"),
        tokenizer.eos,
        tokenizer.eos,
        *tokenizer.encode("a hat"),
        tokenizer.eos,
    ]
    assert tokenizer.decode(ids) == "the cat\n\na hat\n"
    assert tokenizer.decode([]) == ""


@pytest.mark.parametrize("kind", KINDS)
@given(lines=st.lists(st.text(alphabet="acdeghimnot ïZ,\t日<unk>", max_size=20), max_size=6))
def test_a_block_is_its_lines(
    tokenizers: dict[TokenizerKind, Tokenizer], kind: TokenizerKind, lines: list[str]
) -> None:
    tokenizer = tokenizers[kind]
    expected = [number for line in lines for number in [*tokenizer.encode(line), tokenizer.eos]]
    block = tokenizer.encode_block("".join(f"{line}\n" for line in lines))
    assert block.ids.tolist() == expected
    assert block.ids.dtype == np.int32


@pytest.mark.parametrize("kind", KINDS)
@given(text=st.text(alphabet="acdeghimnot ïZ,\t\n", max_size=60))
def test_the_parts_of_a_cut_text_are_the_whole(
    tokenizers: dict[TokenizerKind, Tokenizer], kind: TokenizerKind, text: str
) -> None:
    tokenizer = tokenizers[kind]
    end = tokenizer.cut(text)
    parts = [tokenizer.encode_block(text[:end]).ids, tokenizer.encode_block(text[end:]).ids]
    assert np.concatenate(parts).tolist() == tokenizer.encode_block(text).ids.tolist()


@pytest.mark.parametrize(
    ("kind", "line", "ids", "unknown"),
    [
        ("word", "the zebra sat <unk> zebra", 5, 2),
        ("word", "the <unk>", 2, 0),
        ("character", "Za<", 3, 1),
        ("bpe", "cat 日 <unk> cat日", None, 2),
        ("unigram", "cat 日 <unk> cat日", None, 2),
    ],
)
def test_unknown_counts_leave_out_what_the_text_itself_calls_unknown(
    tokenizers: dict[TokenizerKind, Tokenizer], kind: TokenizerKind, line: str, ids: int | None, unknown: int
) -> None:
    tokenizer = tokenizers[kind]
    block = tokenizer.encode_block(line)
    assert block.num_unknown == unknown
    assert ids is None or len(block.ids) == ids
    literal = line.split().count(UNK) if kind != "character" else 0
    assert block.ids.tolist().count(tokenizer.unk) == unknown + literal


@pytest.mark.parametrize("kind", KINDS)
def test_saving_loses_nothing(tokenizers: dict[TokenizerKind, Tokenizer], kind: TokenizerKind, tmp_path: Path) -> None:
    tokenizers[kind].save(tmp_path / "assets")
    loaded = load_tokenizer(tmp_path / "assets")
    assert loaded.fingerprint == tokenizers[kind].fingerprint
    assert loaded.vocabulary == tokenizers[kind].vocabulary
    for line in [*SENTENCES, "something else 日"]:
        assert loaded.encode(line) == tokenizers[kind].encode(line)


@pytest.mark.parametrize("kind", KINDS)
def test_training_is_deterministic_and_fingerprints_differ(
    tokenizers: dict[TokenizerKind, Tokenizer], kind: TokenizerKind, corpus: Path, tmp_path: Path
) -> None:
    assert train_tokenizer(kind, corpus).fingerprint == tokenizers[kind].fingerprint
    other = tmp_path / "other.txt"
    other.write_text("another text altogether , with other words\n" * 30)
    assert train_tokenizer(kind, other).fingerprint != tokenizers[kind].fingerprint
    assert len({tokenizer.fingerprint for tokenizer in tokenizers.values()}) == len(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_vocabulary_has_the_special_tokens(
    tokenizers: dict[TokenizerKind, Tokenizer], kind: TokenizerKind
) -> None:
    vocabulary = tokenizers[kind].vocabulary
    assert vocabulary.token_of(tokenizers[kind].eos) == EOS
    assert vocabulary.token_of(tokenizers[kind].unk) == UNK


def test_words_are_counted_with_the_ends_of_lines(tokenizers: dict[TokenizerKind, Tokenizer]) -> None:
    assert tokenizers["word"].vocabulary.tokens[:2] == ("the", EOS)
    assert len(tokenizers["word"].vocabulary) == len(WORDS) + 2


def test_min_count_and_max_size_shrink_the_vocabulary(corpus: Path) -> None:
    assert len(train_tokenizer("word", corpus, max_size=5).vocabulary) == 5
    counts = Counter(" ".join(SENTENCES * 20).split())
    frequent = {word for word, count in counts.items() if count >= 60}
    assert set(train_tokenizer("word", corpus, min_count=60).vocabulary.tokens) == frequent | {EOS, UNK}
    assert len(train_tokenizer("character", corpus, max_size=8).vocabulary) == 8


@pytest.mark.parametrize("kind", SUBWORDS)
def test_subword_ids_are_those_of_sentencepiece_on_the_whole_line(
    corpus: Path, kind: TokenizerKind, tmp_path: Path
) -> None:
    tokenizer = train_tokenizer(kind, corpus, max_size=70)
    tokenizer.save(tmp_path)
    oracle = SentencePieceProcessor(model_file=str(tmp_path / subwords.MODEL))
    generator = random.Random(1)
    for _ in range(500):
        words = generator.choices([*WORDS, "taco", "nothing", "日本", "hats-off", ""], k=generator.randint(0, 60))
        line = " ".join(words)
        assert tokenizer.encode(line) == oracle.encode(line)


@pytest.mark.parametrize("kind", SUBWORDS)
def test_forgetting_words_changes_nothing(
    tokenizers: dict[TokenizerKind, Tokenizer], kind: TokenizerKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = [tokenizers[kind].encode(line) for line in SENTENCES]
    monkeypatch.setattr(subwords, "MAX_REMEMBERED", 3)
    assert [tokenizers[kind].encode(line) for line in SENTENCES] == expected


@pytest.mark.parametrize("kind", SUBWORDS)
def test_a_subword_vocabulary_keeps_to_the_size_asked_for(corpus: Path, kind: TokenizerKind) -> None:
    characters = {*"".join(WORDS), "▁"}
    assert len(characters) + 2 < len(train_tokenizer(kind, corpus, max_size=50).vocabulary) <= 50
    with pytest.raises(ConfigError, match="a vocabulary of 9 cannot hold the text's characters"):
        train_tokenizer(kind, corpus, max_size=9)


@pytest.mark.parametrize("kind", SUBWORDS)
def test_even_a_text_of_one_word_has_subwords(tmp_path: Path, kind: TokenizerKind) -> None:
    path = tmp_path / "tiny.txt"
    path.write_text("hi")
    tokenizer = train_tokenizer(kind, path)
    assert tokenizer.decode(tokenizer.encode("hi hi")) == "hi hi"


@pytest.mark.parametrize("kind", KINDS)
def test_one_long_line_trains_as_well_as_many(
    tmp_path: Path, kind: TokenizerKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_module, "BLOCK_BYTES", 100)
    path = tmp_path / "long.txt"
    path.write_text(" ".join(sentence for sentence in SENTENCES * 20 if sentence), encoding="utf-8")
    tokenizer = train_tokenizer(kind, path)
    assert tokenizer.encode_block("the cat sat on catlike hats").num_unknown == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_without_words_is_refused(tmp_path: Path, kind: TokenizerKind) -> None:
    path = tmp_path / "blank.txt"
    path.write_text("\n  \n\n")
    with pytest.raises(DataError, match=r"blank\.txt: there is no"):
        train_tokenizer(kind, path)
    with pytest.raises(DataError, match=r"none\.txt: no such file"):
        train_tokenizer(kind, tmp_path / "none.txt")


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_or_damaged_folder_is_named(
    tokenizers: dict[TokenizerKind, Tokenizer], kind: TokenizerKind, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="holds no tokeniser"):
        load_tokenizer(tmp_path)
    tokenizers[kind].save(tmp_path)
    (content,) = [path for path in tmp_path.iterdir() if path.name != "tokenizer.json"]
    content.write_bytes(content.read_bytes()[:20])
    with pytest.raises(DataError, match="damaged"):
        load_tokenizer(tmp_path)
    content.unlink()
    with pytest.raises(DataError, match="no such"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("description", [b"", b"[]", b"{}", b'{"kind": "morse"}'])
def test_a_damaged_description_is_named(tmp_path: Path, description: bytes) -> None:
    (tmp_path / "tokenizer.json").write_bytes(description)
    with pytest.raises(DataError, match=r"tokenizer\.json: .*(damaged|morse)"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("kind", ["word", "character"])
def test_a_vocabulary_that_knows_nothing_is_refused(tmp_path: Path, kind: TokenizerKind) -> None:
    text = tmp_path / "text"
    text.write_text("a b\nc d\n", encoding="utf-8")
    with pytest.raises(DataError, match="no token comes 9 times"):
        train_tokenizer(kind, text, min_count=9)


@pytest.mark.parametrize("kind", ["word", "character"])
def test_swapped_tokens_are_a_damaged_tokeniser(tmp_path: Path, kind: TokenizerKind) -> None:
    text = tmp_path / "text"
    text.write_text("a b\nc d\n", encoding="utf-8")
    train_tokenizer(kind, text).save(tmp_path)
    path = tmp_path / "vocabulary.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"a"', '"?"').replace('"b"', '"a"').replace('"?"', '"b"'),
                    encoding="utf-8")  # fmt: skip
    with pytest.raises(DataError, match="damaged"):
        load_tokenizer(tmp_path)
