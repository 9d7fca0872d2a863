"""Laws of comparing language models that cut text in different ways."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lstmdrop.commands.compare import compare
from lstmdrop.commands.train import train
from lstmdrop.errors import DataError
from lstmdrop.metrics.text_units import UNITS
from lstmdrop.report.runs import read_summary

Trained = Callable[..., Path]


@pytest.fixture
def trained_on(toy_settings: list[str], tmp_path: Path) -> Trained:
    def run(data: Path, tokens: str, *overrides: str) -> Path:
        settings = [*toy_settings, "training.epochs=1", f"data.tokens={tokens}", *overrides]
        out = tmp_path / "-".join(["run", tokens, *overrides])
        return train("lm", size="tiny", data=str(data), overrides=settings, out=out).directory

    return run


def test_words_and_characters_are_compared_by_what_they_have_in_common(toy_corpus: Path, trained_on: Trained) -> None:
    words, characters = trained_on(toy_corpus, "word"), trained_on(toy_corpus, "character")
    made = compare(words, characters, num_resamples=100, num_shuffles=100)
    assert [score.first.name for score in made.scores] == [*UNITS]
    (left_out,) = made.left_out
    assert "different vocabularies" in left_out
    assert "--metric bits_per_character" in left_out
    own, kept = read_summary(words), read_summary(characters)
    by_word = next(score for score in made.scores if score.first.name == "word_perplexity")
    perplexity = own.score("test", "perplexity")
    assert perplexity is not None
    assert by_word.first.value == pytest.approx(perplexity.value, rel=1e-5)
    for score in made.scores:
        assert score.second == kept.score("test", score.second.name)
    same = compare(words, words, num_resamples=100, num_shuffles=100)
    assert [score.first.name for score in same.scores] == ["perplexity"]


def test_a_vocabulary_that_lacks_some_of_the_text_is_not_compared_with_another(
    toy_corpus: Path, trained_on: Trained
) -> None:
    few, characters = trained_on(toy_corpus, "word", "data.vocabulary_size=5"), trained_on(toy_corpus, "character")
    with pytest.raises(DataError, match=r"different vocabularies(.|\n)*the same data settings"):
        compare(few, characters, metrics=["bits_per_byte"], num_resamples=100, num_shuffles=100)
    (score,) = compare(few, few, metrics=["bits_per_byte"], num_resamples=100, num_shuffles=100).scores
    assert "|fingerprint:" in score.first.signature
