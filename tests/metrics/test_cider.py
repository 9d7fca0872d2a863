"""Laws of our own CIDEr-D."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocoevalcap.cider.cider import Cider

from lstmdrop.metrics.captions import CiderD

CAPTION = st.lists(st.sampled_from("abcdefg"), max_size=9).map(" ".join)
CORPUS = st.lists(st.tuples(CAPTION, st.lists(CAPTION, min_size=1, max_size=4)), min_size=2, max_size=6)


def pycocoevalcaps(hypotheses: list[str], references: list[list[str]]) -> list[float]:
    _, scores = Cider().compute_score(dict(enumerate(references)), {n: [line] for n, line in enumerate(hypotheses)})
    return list(scores)


@given(CORPUS.filter(lambda corpus: any(line for _, references in corpus for line in references)))
def test_it_is_pycocoevalcaps(corpus: list[tuple[str, list[str]]]) -> None:
    hypotheses, references = [one for one, _ in corpus], [some for _, some in corpus]
    ours = CiderD(references).scores(range(len(corpus)), hypotheses)
    np.testing.assert_allclose(ours, pycocoevalcaps(hypotheses, references), rtol=0, atol=1e-9)


def test_it_is_pycocoevalcaps_on_a_larger_corpus_of_rare_and_frequent_words() -> None:
    choose = random.Random(4)
    words = [f"w{int(choose.paretovariate(0.6))}" for _ in range(3000)]
    references = [[" ".join(choose.choices(words, k=choose.randint(1, 14))) for _ in range(5)] for _ in range(80)]
    hypotheses = [choose.choice(some) if choose.random() < 0.5 else "w1 w2 w1 unseen" for some in references]
    ours = CiderD(references).scores(range(80), hypotheses)
    np.testing.assert_allclose(ours, pycocoevalcaps(hypotheses, references), rtol=0, atol=1e-9)


def test_images_may_come_in_any_order_and_more_than_once() -> None:
    references = [["a red house", "the house"], ["a dog runs"], ["two cats"]]
    cider = CiderD(references)
    in_order = cider.scores([0, 1, 2], ["the red house", "a dog", "cats"])
    shuffled = cider.scores([2, 0, 0, 1], ["cats", "the red house", "two cats", "a dog"])
    np.testing.assert_array_equal(shuffled[[1, 3, 0]], in_order)


def test_a_reference_word_for_word_gets_ten_where_all_orders_count() -> None:
    assert CiderD([["a dog runs fast"], ["two cats sit still"]]).scores([0], ["a dog runs fast"]) == pytest.approx(10)


def test_an_empty_caption_gets_nothing() -> None:
    assert CiderD([["a dog"], ["a cat"]]).scores([0], [""]).tolist() == [0.0]


def test_a_hypothesis_without_an_image_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        CiderD([["a dog"], ["a cat"]]).scores([0], ["a dog", "a cat"])
