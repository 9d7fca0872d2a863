"""Laws of listening for words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lstmdrop.data.tokenizer import train_tokenizer
from lstmdrop.decoding.ctc_search import CTCBeamSettings, prefix_beam_search
from lstmdrop.errors import DataError, UsageError
from lstmdrop_tasks.asr.config import ASRDecodingConfig
from lstmdrop_tasks.asr.decoder import Decoder
from lstmdrop_tasks.asr.hot_words import HotWords, read_hot_words

WEIGHT = 3.0


def tokenizer_of(pieces: Any, folder: Path) -> Any:
    (folder / "text").write_text("ab ba\nb ab a\nbaab\na b\n" * 3)
    return train_tokenizer(pieces, folder / "text")


def outputs(tokenizer: Any, num_steps: int, seed: int) -> np.ndarray:
    logits = 2 * np.random.default_rng(seed).standard_normal((num_steps, len(tokenizer.vocabulary)))
    logits[:, tokenizer.unk] = -np.inf
    return logits - np.logaddexp.reduce(logits, 1, keepdims=True)


@pytest.mark.parametrize("pieces", ["character", "bpe"])
@pytest.mark.parametrize("entries", [["ab"], ["ba", "b"], ["a", "ab", "aa"], ["Ab  ba!"]])
def test_a_hot_word_raises_its_own_hypotheses_and_no_other(tmp_path: Path, pieces: Any, entries: list[str]) -> None:
    tokenizer = tokenizer_of(pieces, tmp_path)
    hot = HotWords(entries, tokenizer, lambda text: text.lower().replace("!", ""))
    words = {word for entry in entries for word in entry.lower().replace("!", "").split()}
    everything = CTCBeamSettings(beam_size=100_000, num_best=100_000, lm_weight=WEIGHT, most_gain=hot.most_gain)
    num_raised = 0
    for hypothesis in prefix_beam_search(outputs(tokenizer, 3, 1), tokenizer.eos, everything, hot):
        num_hot = sum(word in words for word in tokenizer.decode(hypothesis.tokens).split())
        assert hypothesis.score == pytest.approx(hypothesis.log_prob + WEIGHT * num_hot)
        num_raised += num_hot
    assert num_raised > 0


@pytest.mark.parametrize("beam_size", [1, 5])
def test_weight_0_changes_nothing(tmp_path: Path, beam_size: int) -> None:
    tokenizer = tokenizer_of("character", tmp_path)
    hot = HotWords(["ab"], tokenizer, str.lower)
    plain = Decoder(tokenizer, ASRDecodingConfig(beam_size=beam_size), beam_size)
    for weight, is_same in ((0.0, True), (5.0, False)):
        config = ASRDecodingConfig(beam_size=beam_size, hot_words="ab", hot_word_weight=weight)
        listening = Decoder(tokenizer, config, beam_size, {"hot_words": hot})
        pairs = [
            (plain.decode(log_probs), listening.decode(log_probs))
            for log_probs in (outputs(tokenizer, 30, seed) for seed in range(8))
        ]
        assert all(one == other for one, other in pairs) is is_same
        assert listening.is_greedy is (is_same and beam_size == 1)


def test_pruning_leaves_out_nothing_that_a_bonus_would_have_saved(tmp_path: Path) -> None:
    tokenizer = tokenizer_of("character", tmp_path)
    hot = HotWords(["abba", "b"], tokenizer, str.lower)

    def search(seed: int, most_gain: float) -> list[Any]:
        settings = CTCBeamSettings(beam_size=3, num_best=3, lm_weight=WEIGHT, most_gain=most_gain)
        return prefix_beam_search(outputs(tokenizer, 12, seed), tokenizer.eos, settings, hot)

    never = [search(seed, 1e9) for seed in range(30)]
    assert [search(seed, hot.most_gain) for seed in range(30)] == never
    assert [search(seed, 0.0) for seed in range(30)] != never, "the bound matters"


def test_entries_come_from_a_file_or_from_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "names").write_text("Anna\n\n New York \nd'Arc\n")
    assert read_hot_words(str(tmp_path / "names")) == ["Anna", "New York", "d'Arc"]
    assert read_hot_words(" Anna,New York,,") == ["Anna", "New York"]


@pytest.mark.parametrize(
    ("given", "error", "reason"),
    [
        ("names.txt", DataError, "names.txt: no such file; hot words themselves stand between commas"),
        ("no/names", DataError, "no such file"), (" , ", UsageError, "there is no word in it"),
    ],
)  # fmt: skip
def test_what_names_no_word_is_refused(given: str, error: Any, reason: str) -> None:
    with pytest.raises(error, match=reason):
        read_hot_words(given)


def test_words_of_other_letters_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tokenizer = tokenizer_of("character", tmp_path)
    some = HotWords(["ab", "zoë"], tokenizer, str.lower)
    assert "has not all letters of zoë" in caplog.text
    assert some.fingerprint == HotWords(["ab"], tokenizer, str.lower).fingerprint
    assert some.fingerprint != HotWords(["ba"], tokenizer, str.lower).fingerprint
    with pytest.raises(UsageError, match="has no letters for any of zoë"):
        HotWords(["zoë"], tokenizer, str.lower)
