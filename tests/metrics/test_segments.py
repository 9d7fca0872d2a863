from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np
import pytest
from pycocoevalcap.cider.cider import Cider

from lstmdrop.metrics.bleu import translation_scores
from lstmdrop.metrics.perplexity import perplexity
from lstmdrop.metrics.segments import (
    BLOCK,
    bleu_segments,
    character_error_segments,
    chrf_segments,
    cider_segments,
    edit_distance,
    frame_accuracy_segments,
    perplexity_segments,
    word_error_segments,
)
from lstmdrop.metrics.significance import Segments

HYPOTHESES = ["the cat sat on the mat", "a dog", "", "it is raining today in the north"]
REFERENCES = ["the cat sat on a mat", "the dog barks", "yes", "it rains today in the north"]
SINGLE = [[line] for line in REFERENCES]


def test_translation_scores_add_up_to_sacrebleus() -> None:
    bleu, chrf = translation_scores(HYPOTHESES, REFERENCES)
    assert bleu_segments(HYPOTHESES, SINGLE).value == pytest.approx(bleu.value, abs=1e-9)
    assert chrf_segments(HYPOTHESES, SINGLE).value == pytest.approx(chrf.value, abs=1e-9)


def test_several_references_are_sacrebleus_streams() -> None:
    from sacrebleu import corpus_bleu

    several = [[line, line.upper()] for line in REFERENCES]
    streams = [REFERENCES, [line.upper() for line in REFERENCES]]
    assert bleu_segments(HYPOTHESES, several).value == pytest.approx(corpus_bleu(HYPOTHESES, streams).score)


@pytest.mark.parametrize(
    ("first", "second", "edits"),
    [("", "", 0), ("abc", "", 3), ("", "ab", 2), ("kitten", "sitting", 3), ("flaw", "lawn", 2), ("same", "same", 0)],
)
def test_edits_by_hand(first: str, second: str, edits: int) -> None:
    assert edit_distance(first, second) == edits


def test_edit_distance_is_a_metric() -> None:
    choose = random.Random(3)
    for _ in range(60):
        a, b, c = ("".join(choose.choices("xyz", k=choose.randint(0, 7))) for _ in range(3))
        assert edit_distance(a, b) == edit_distance(b, a)
        assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)
        assert (edit_distance(a, b) == 0) == (a == b)


def test_error_rates_are_edits_over_the_length_of_the_references() -> None:
    words = word_error_segments(["one too", "", "a b c d"], [["one two three"], ["x"], ["a b"]])
    assert words.statistics.tolist() == [[2, 3], [1, 1], [2, 2]]
    assert words.value == pytest.approx(100 * 5 / 6)
    assert character_error_segments(["ab d"], [["abcd"]]).value == 25.0


def test_error_rates_are_jiwers() -> None:
    jiwer = pytest.importorskip("jiwer", reason="jiwer is not installed: no outside reference for error rates")
    assert word_error_segments(HYPOTHESES, SINGLE).value == pytest.approx(100 * jiwer.wer(REFERENCES, HYPOTHESES))
    assert character_error_segments(HYPOTHESES, SINGLE).value == pytest.approx(100 * jiwer.cer(REFERENCES, HYPOTHESES))


def test_frame_accuracy_counts_frames_and_not_utterances() -> None:
    assert frame_accuracy_segments(["a b b c", "a"], [["a b c c"], ["b"]]).value == 60.0


def test_an_utterance_with_too_few_labels_is_refused() -> None:
    with pytest.raises(ValueError, match="argument 2 is longer"):
        frame_accuracy_segments(["a b"], [["a b c"]])


def test_cider_is_pycocoevalcaps() -> None:
    several = [[line, f"{line} now"] for line in REFERENCES]
    score, _ = Cider().compute_score(dict(enumerate(several)), {n: [line] for n, line in enumerate(HYPOTHESES)})
    assert cider_segments(HYPOTHESES, several).value == pytest.approx(score)


@pytest.mark.parametrize("num_tokens", [1, BLOCK - 1, BLOCK, 3 * BLOCK + 7])
def test_blocks_of_tokens_add_up_to_the_perplexity(num_tokens: int) -> None:
    log_probs = np.random.default_rng(0).normal(-4, 1, num_tokens).astype(np.float32)
    segments = perplexity_segments(log_probs)
    assert len(segments.statistics) == math.ceil(num_tokens / BLOCK)
    assert segments.value == pytest.approx(perplexity(log_probs), rel=1e-12)


def test_sentences_are_segments_where_their_lengths_are_known() -> None:
    segments = perplexity_segments(np.array([-1.0, -2.0, -3.0]), [1, 2])
    assert segments.statistics.tolist() == [[-1, 1], [-5, 2]]
    with pytest.raises(ValueError, match="3 log-probabilities for 4 tokens"):
        perplexity_segments(np.array([-1.0, -2.0, -3.0]), [2, 2])


def test_a_block_is_fifty_tokens() -> None:
    """Numbers that were compared once are compared in the same way later."""
    segments = perplexity_segments(np.full(120, -1.0))
    assert segments.statistics.tolist() == [[-50, 50], [-50, 50], [-20, 20]]


def test_no_tokens_are_no_segments() -> None:
    with pytest.raises(ValueError, match="0 log-probabilities for 0 tokens"):
        perplexity_segments(np.zeros(0))


@pytest.mark.parametrize(("name", "make"), [("bleu", bleu_segments), ("chrf", chrf_segments)])
def test_lines_may_have_different_numbers_of_references(name: str, make: Callable[..., Segments]) -> None:
    hypotheses = ["a small red house", "the cat sees two dogs", "one"]
    references = [["a small house", "a small red houses"], ["the cat sees dogs"], ["one", "just one", "a single one"]]
    score = next(one for one in translation_scores(hypotheses, references) if one.name == name)
    assert "nrefs:var" in score.signature
    assert make(hypotheses, references, score.signature).value == pytest.approx(score.value)
    fewer = translation_scores(hypotheses, [some[:1] for some in references])
    assert all("nrefs:1" in one.signature for one in fewer)
    assert score.value > next(one for one in fewer if one.name == name).value
    with pytest.raises(ValueError, match="every line must have a reference"):
        make(hypotheses, [["a"], [], ["b"]], "")


@pytest.mark.parametrize("make", [bleu_segments, chrf_segments])
def test_the_signature_says_whether_case_counts(make: Callable[..., Segments]) -> None:
    hypotheses, references = ["A SMALL RED HOUSE"], [["a small red house"]]
    assert make(hypotheses, references, "nrefs:1|case:lc|tok:13a").value == pytest.approx(100)
    for signature in ("nrefs:1|case:mixed|tok:13a", "", "note:case:lc"):
        assert make(hypotheses, references, signature).value < 50


@pytest.mark.parametrize("make", [word_error_segments, character_error_segments, frame_accuracy_segments])
def test_a_hypothesis_without_a_reference_is_refused(make: Callable[..., Segments]) -> None:
    with pytest.raises(ValueError, match="zip"):
        make(["a", "b"], [["a"]])
