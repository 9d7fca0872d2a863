"""Laws of n-gram models from ARPA files, and of their say in the search."""

from __future__ import annotations

import gzip
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lstmdrop.data.tokenizer import train_tokenizer
from lstmdrop.decoding.ctc_search import CTCBeamSettings, prefix_beam_search
from lstmdrop.errors import DataError, UsageError
from lstmdrop_tasks.asr.arpa import ArpaModel, ArpaScorer

TRIGRAMS = r"""written by hand

\data\
ngram 1=6
ngram 2=4
ngram 3=1

\1-grams:
-99	<s>	-0.5
-0.7	</s>
-1.0	<unk>	-0.1
-0.4	ab	-0.3
-0.6	cd	-0.2
-1.1	d

\2-grams:
-0.2	<s> ab	-0.15
-0.35	ab cd	-0.25
-0.5	cd </s>
-0.8	cd ab

\3-grams:
-0.05	<s> ab cd

\end\
"""
HAND_WORKED = [
    ("<s>", "ab", -0.2), ("<s> ab", "cd", -0.05),
    ("ab", "cd", -0.35), ("cd ab", "cd", -0.35),
    ("<s> ab", "ab", -0.15 + -0.3 + -0.4), ("ab cd", "d", -0.25 + -0.2 + -1.1),
    ("ab cd", "ab", -0.25 + -0.8), ("d", "cd", -0.6), ("cd d", "ab", -0.4),
    ("", "d", -1.1), ("<unk>", "d", -0.1 + -1.1), ("ab", "<unk>", -0.3 + -1.0),
    ("cd cd <s> ab", "cd", -0.05),
]  # fmt: skip


@pytest.fixture
def trigrams(tmp_path: Path) -> Path:
    path = tmp_path / "hand.arpa"
    path.write_text(TRIGRAMS)
    return path


@pytest.mark.parametrize(("history", "word", "expected"), HAND_WORKED)
def test_a_word_that_was_not_seen_after_these_is_backed_off_to(
    trigrams: Path, history: str, word: str, expected: float
) -> None:
    assert ArpaModel(trigrams).log_prob(history.split(), word) == pytest.approx(expected * math.log(10))


def test_kenlm_says_the_same(trigrams: Path) -> None:
    kenlm = pytest.importorskip("flashlight.lib.text.decoder.kenlm", reason="flashlight-text is not installed")
    dictionary = pytest.importorskip("flashlight.lib.text.dictionary").Dictionary()
    trigrams.write_text(TRIGRAMS.partition("\n\n")[2], encoding="utf-8")  # it takes no remark before the counts
    words = ["ab", "cd", "d", "nobody"]
    for word in words:
        dictionary.add_entry(word)
    theirs, ours, draw = kenlm.KenLM(str(trigrams), dictionary), ArpaModel(trigrams), random.Random(1)
    for _ in range(50):
        state, history = theirs.start(False), ["<s>"]
        for word in draw.choices(words, k=5):
            state, score = theirs.score(state, dictionary.get_index(word))
            assert ours.log_prob(history, ours.known(word)) == pytest.approx(score * math.log(10), abs=1e-5)
            history.append(ours.known(word))
        assert ours.log_prob(history, "</s>") == pytest.approx(theirs.finish(state)[1] * math.log(10), abs=1e-5)


def test_a_packed_file_is_the_same_model_and_another_is_another(trigrams: Path, tmp_path: Path) -> None:
    packed, other = tmp_path / "packed", tmp_path / "other.arpa"
    packed.write_bytes(gzip.compress(trigrams.read_bytes()))
    other.write_text(TRIGRAMS.replace("-0.35", "-0.36"))
    plain = ArpaModel(trigrams)
    assert ArpaModel(packed).fingerprint == plain.fingerprint != ArpaModel(other).fingerprint
    assert ArpaModel(packed).log_prob(["ab"], "cd") == plain.log_prob(["ab"], "cd")


DAMAGED = [
    (b"", "promises no n-grams"), (b"RIFF", "promises no n-grams"),
    (TRIGRAMS.replace("\\end\\", "").encode(), "no end"),
    (TRIGRAMS.replace("-1.1	d\n", "").encode(), r"promises \{1: 6, 2: 4, 3: 1\}, and has \{1: 5"),
    (TRIGRAMS.replace("-1.1	d", "-1.1	d e f").encode(), r"hand.arpa:14: '-1.1\\td e f' is no n-gram of 1 words"),
    (TRIGRAMS.replace("-0.8", "minus").encode(), "hand.arpa:20: 'minus"),
    (TRIGRAMS.encode("utf-16"), "cannot be read"),
    (gzip.compress(TRIGRAMS.encode())[:60] + bytes(90), "cannot be read"),
    (gzip.compress(TRIGRAMS.encode())[:-20], "cannot be read"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "reason"), DAMAGED)
def test_a_damaged_file_is_named(trigrams: Path, content: bytes, reason: str) -> None:
    trigrams.write_bytes(content)
    with pytest.raises(DataError, match=reason):
        ArpaModel(trigrams)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no\.arpa: the ARPA file cannot be read"):
        ArpaModel(tmp_path / "no.arpa")


def tokenizer_of(pieces: Any, folder: Path, text: str = "ab cd\nab ab\ndc ba\na b c d\nabcd\n") -> Any:
    (folder / "text").write_text(text)
    return train_tokenizer(pieces, folder / "text")


def line_log_prob(model: ArpaModel, line: str, num_letters: int) -> float:
    """The plain way: word by word, what is unknown spelt with these letters and an end."""
    total, history = 0.0, ["<s>"]
    for word in line.split():
        total -= 0.0 if word in ("ab", "cd", "d") else (len(word) + 1) * math.log(num_letters + 1)
        total += model.log_prob(history, model.known(word))
        history.append(model.known(word))
    return total + model.log_prob(history, "</s>")


@pytest.mark.parametrize("pieces", ["character", "bpe"])
@pytest.mark.parametrize("line", ["ab cd", "ab", "d cd ab d", "abcd", "ab dcb d", ""])
def test_a_line_scores_what_the_model_says_of_it(trigrams: Path, tmp_path: Path, pieces: Any, line: str) -> None:
    tokenizer, model = tokenizer_of(pieces, tmp_path), ArpaModel(trigrams)
    scorer = ArpaScorer(model, tokenizer)
    state, total = scorer.start(), 0.0
    for token in tokenizer.encode(line):
        score = scorer.score(state, token)
        assert score <= 0, "the search prunes by that"
        total += score
        (state,) = scorer.extend([state], [token])
    assert total + scorer.finish(state) == pytest.approx(line_log_prob(model, line, num_letters=4))


def test_the_search_finds_the_best_weighted_sum(trigrams: Path, tmp_path: Path) -> None:
    tokenizer, model = tokenizer_of("character", tmp_path), ArpaModel(trigrams)
    logits = np.random.default_rng(1).standard_normal((4, len(tokenizer.vocabulary)))
    log_probs = logits - np.logaddexp.reduce(logits, 1, keepdims=True)
    log_probs[:, tokenizer.unk] = -math.inf
    settings = CTCBeamSettings(beam_size=100_000, num_best=100_000, lm_weight=0.6)
    for hypothesis in prefix_beam_search(log_probs, tokenizer.eos, settings, ArpaScorer(model, tokenizer))[:40]:
        expected = hypothesis.log_prob + 0.6 * line_log_prob(model, tokenizer.decode(hypothesis.tokens), num_letters=4)
        assert hypothesis.score == pytest.approx(expected)


def test_a_model_in_capitals_is_that_in_small_letters(trigrams: Path, tmp_path: Path) -> None:
    tokenizer = tokenizer_of("character", tmp_path)
    small = ArpaScorer(ArpaModel(trigrams), tokenizer)
    trigrams.write_text(TRIGRAMS.replace("ab", "AB").replace("cd", "CD").replace("	d", "	D"), encoding="utf-8")
    capital = ArpaScorer(ArpaModel(trigrams), tokenizer)
    space, state = tokenizer.encode(" ")[0], small.start()
    for token in tokenizer.encode("ab"):
        (state,) = small.extend([state], [token])
    assert capital.score(state, space) == small.score(state, space) < 0


def test_a_model_of_other_letters_is_refused(trigrams: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has not the letters of its words, such as 'ab'"):
        ArpaScorer(ArpaModel(trigrams), tokenizer_of("character", tmp_path, "xyz\n"))
