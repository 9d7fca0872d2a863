"""Laws of sentence pairs as token ids, of the room that their translations get, and of their tokens."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from lstmdrop.data.tokenizers.words import WordTokenizer
from lstmdrop.data.vocabulary import EOS, UNK, Vocabulary
from lstmdrop.errors import DataError
from lstmdrop.nn.decoder import PADDING
from lstmdrop_tasks.mt.config import MTDataConfig
from lstmdrop_tasks.mt.corpora.parallel import ParallelText
from lstmdrop_tasks.mt.pairs import (
    Pairs,
    Sentences,
    Tokenizers,
    load_tokenizers,
    pad_pairs,
    padded_columns,
    train_tokenizers,
)
from lstmdrop_tasks.mt.translate import FILE, LONGEST_MORE, LONGEST_RATIO, Targets, longest_ratio

CPU = torch.device("cpu")
TOKENIZER = WordTokenizer(Vocabulary((EOS, UNK, "a", "b", "c")))
SOURCES, TARGETS = ["a b", "c", "b b b a", "a c"], ["c", "b a x", "a", "c c"]


def pairs_of(folder: Path, sources: list[str], targets: list[str]) -> Pairs:
    folder.mkdir(exist_ok=True)
    for name, lines in (("en", sources), ("fr", targets)):
        (folder / f"a.{name}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return Pairs(*(Sentences.of(folder / f"a.{name}", TOKENIZER, folder / "tokens") for name in ("en", "fr")))


def test_a_batch_from_the_store_is_that_of_the_same_sentences_padded(tmp_path: Path) -> None:
    pairs = pairs_of(tmp_path, SOURCES, TARGETS)
    numbers = [1, 2, 3]
    found = pairs.batch(numbers, CPU)
    order = sorted(numbers, key=lambda number: -len(SOURCES[number].split()))
    sides = [[np.array([*TOKENIZER.encode(side[number]), TOKENIZER.eos]) for number in order]
             for side in (SOURCES, TARGETS)]  # fmt: skip
    expected = pad_pairs(order, *sides, CPU)
    for name in ("source", "source_lengths", "inputs", "targets", "numbers"):
        assert getattr(found, name).tolist() == getattr(expected, name).tolist(), name
    assert found.numbers.tolist() == [2, 3, 1]
    assert found.num_targets == expected.num_targets == (1 + 1) + (2 + 1) + (3 + 1)
    assert found.inputs[0].tolist() == [TOKENIZER.eos] * 3


def test_pairs_with_sources_of_one_length_keep_their_order(tmp_path: Path) -> None:
    assert pairs_of(tmp_path, SOURCES, TARGETS).batch([3, 0], CPU).numbers.tolist() == [3, 0]


def test_sentences_stand_side_by_side_with_their_lengths() -> None:
    columns, lengths = padded_columns([np.array([5, 6]), np.array([7])], PADDING)
    assert columns.T.tolist() == [[5, 6], [7, PADDING]]
    assert lengths.tolist() == [2, 1]
    assert padded_columns([np.array([5, 6]), np.array([7])])[0][1, 1] == 0


@pytest.mark.parametrize(("max_length", "kept"), [(1, []), (2, [0, 3]), (3, [0, 1, 3]), (4, [0, 1, 2, 3])])
def test_a_pair_is_kept_up_to_the_limit_on_both_sides(tmp_path: Path, max_length: int, kept: list[int]) -> None:
    pairs = pairs_of(tmp_path, SOURCES, TARGETS)
    assert pairs.kept(max_length).tolist() == kept
    assert pairs.source.lengths.tolist() == [3, 2, 5, 3]
    assert len(pairs) == 4


def test_the_hash_is_of_both_texts_and_of_which_is_which(tmp_path: Path) -> None:
    texts = [(SOURCES, TARGETS), (SOURCES, SOURCES), (TARGETS, TARGETS), (TARGETS, SOURCES)]
    hashes = [pairs_of(tmp_path / str(number), *sides).sha256 for number, sides in enumerate(texts)]
    assert len(set(hashes)) == 4
    assert pairs_of(tmp_path / "again", SOURCES, TARGETS).sha256 == hashes[0]


def test_the_room_for_translations_is_a_quarter_more_than_the_pairs_take(tmp_path: Path) -> None:
    """Five tokens with their end, and 36 with theirs: (36 - 1 - 10) / 5 = 5, and a quarter more."""
    pairs = pairs_of(tmp_path, ["a b c a"] * 4, ["c " * 35] * 4)
    assert longest_ratio(pairs, max_length=99) == 6.25
    thirds = pairs_of(tmp_path / "thirds", ["a b c a b c"] * 4, ["c " * 35] * 4)
    assert longest_ratio(thirds, max_length=99) == 4.46, "in hundredths"
    assert LONGEST_MORE == 10
    assert longest_ratio(pairs, max_length=34) == LONGEST_RATIO, "no pair is trained on"


def test_what_is_known_of_targets_is_kept(tmp_path: Path) -> None:
    assert Targets.load(tmp_path) == Targets() == Targets(LONGEST_RATIO, None)
    Targets(3.5, "zh").save(tmp_path)
    assert Targets.load(tmp_path) == Targets(3.5, "zh")
    for damaged in ("{", '{"ratio": 1}', "[1]"):
        (tmp_path / FILE).write_text(damaged)
        with pytest.raises(DataError, match=rf"{FILE} is damaged"):
            Targets.load(tmp_path)
    (tmp_path / FILE).write_text(json.dumps({"longest_ratio": 4.0}))
    assert Targets.load(tmp_path) == Targets(4.0)


def text_in(folder: Path) -> ParallelText:
    (folder / "a.en").write_text("red red house\nblue house\n")
    (folder / "a.fr").write_text("maison rouge\nmaison bleu bleu\n")
    return ParallelText(folder / "a.en", folder / "a.fr")


def test_languages_have_tokens_of_their_own_or_one_set_together(tmp_path: Path) -> None:
    text = text_in(tmp_path)
    apart = train_tokenizers(MTDataConfig(tokens="word", joint=False), text)
    assert "red" in apart.source.vocabulary
    assert "red" not in apart.target.vocabulary
    assert "rouge" in apart.target.vocabulary
    joint = train_tokenizers(MTDataConfig(tokens="word", joint=True), text)
    assert joint.source is joint.target
    assert all(word in joint.source.vocabulary for word in ("red", "rouge", "house"))
    assert joint.fingerprint == f"{joint.source.fingerprint} {joint.source.fingerprint}"
    assert Tokenizers(apart.target, apart.source).fingerprint != apart.fingerprint


@pytest.mark.parametrize("joint", [True, False])
def test_tokens_may_be_learnt_from_a_sample_of_the_pairs(tmp_path: Path, joint: bool) -> None:
    text = ParallelText(tmp_path / "a", tmp_path / "b")
    for path in (text.source, text.target):
        path.write_text("".join(f"same {path.name}{number}\n" for number in range(2000)))
    of_all, some, more = (
        train_tokenizers(MTDataConfig(tokens="word", joint=joint, vocabulary_mb=megabytes), text)
        for megabytes in (None, 0.005, 1)
    )
    assert more.fingerprint == of_all.fingerprint
    for made, all_of_it in ((some.source, of_all.source), (some.target, of_all.target)):
        assert "same" in made.vocabulary
        assert 100 < len(made.vocabulary) < len(all_of_it.vocabulary) / 2
        assert set(made.vocabulary.tokens) < set(all_of_it.vocabulary.tokens)


def test_vocabularies_have_the_sizes_that_are_asked_for(tmp_path: Path) -> None:
    text = text_in(tmp_path)

    def sizes(**settings: int | None) -> tuple[int, int]:
        made = train_tokenizers(MTDataConfig(tokens="word", joint=False, **settings), text)  # type: ignore[arg-type]
        return len(made.source.vocabulary), len(made.target.vocabulary)

    assert sizes(vocabulary_size=None) == (5, 5)
    assert sizes(vocabulary_size=3) == (3, 3)
    assert sizes(vocabulary_size=3, target_vocabulary_size=4) == (3, 4)


@pytest.mark.parametrize("joint", [True, False])
def test_tokens_are_read_back_as_they_were(tmp_path: Path, joint: bool) -> None:
    made = train_tokenizers(MTDataConfig(tokens="word", joint=joint), text_in(tmp_path))
    assets = tmp_path / "assets"
    assets.mkdir()
    made.save(assets)
    assert sorted(path.name for path in assets.iterdir()) == (["joint"] if joint else ["source", "target"])
    again = load_tokenizers(assets)
    assert again.fingerprint == made.fingerprint
    assert (again.source is again.target) is joint
