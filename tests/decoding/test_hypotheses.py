"""Laws of what a search hands back: which ends are kept, and how paths are read from the steps."""

from __future__ import annotations

import logging
import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lstmdrop.decoding.hypotheses import CUT, EMPTY, FINISHED, Ends, History, warn_of_cut

CPU = torch.device("cpu")

ends_of_a_sentence = st.lists(
    st.tuples(st.sampled_from([EMPTY, CUT, FINISHED]), st.integers(-3, 3)), min_size=3, max_size=3
)


def ends(*sentences: list[tuple[int, int]], first: int = 0) -> Ends:
    """Kinds and scores; the rows number all ends, so that each can be told from the others."""
    kind, score = (torch.tensor([[each[part] for each in some] for some in sentences]) for part in (0, 1))
    row = first + torch.arange(kind.numel()).view_as(kind)
    return Ends(kind, score.float(), -row.float(), row + 100, row)


@given(st.lists(st.tuples(ends_of_a_sentence, ends_of_a_sentence), min_size=1, max_size=4))
def test_the_best_of_both_are_finished_before_cut_then_by_score_then_the_older(
    sentences: list[tuple[list[tuple[int, int]], list[tuple[int, int]]]],
) -> None:
    ours, others = ends(*(one for one, _ in sentences)), ends(*(other for _, other in sentences), first=50)
    merged = ours.merge(others)
    for sentence, (one, other) in enumerate(sentences):
        rows = [*ours.row[sentence].tolist(), *others.row[sentence].tolist()]
        ranked = sorted(zip([*one, *other], rows, strict=True), key=lambda end: (-end[0][0], -end[0][1]))[:3]
        assert merged.row[sentence].tolist() == [row for _, row in ranked]
        assert merged.kind[sentence].tolist() == [kind for (kind, _), _ in ranked]
        assert merged.score[sentence].tolist() == [score for (_, score), _ in ranked]
        assert merged.step[sentence].tolist() == [row + 100 for _, row in ranked]
        assert merged.log_prob[sentence].tolist() == [-row for _, row in ranked]


def test_there_is_room_for_as_many_as_are_wanted_and_all_of_it_is_empty() -> None:
    nothing = Ends.none(2, 3, CPU)
    assert all(part.shape == (2, 3) for part in nothing)
    assert bool((nothing.kind == EMPTY).all())
    assert nothing.score.dtype == nothing.log_prob.dtype == torch.float32
    some = ends([(CUT, -9)] * 3, [(FINISHED, -9)] * 3)
    assert torch.equal(nothing.merge(some).row, some.row)  # whatever is there is better than nothing


def test_taken_sentences_come_in_the_order_asked_for() -> None:
    taken = ends([(1, 0)] * 3, [(2, 1)] * 3, [(0, 2)] * 3).take(torch.tensor([2, 0]))
    assert taken.row.tolist() == [[6, 7, 8], [0, 1, 2]]
    assert taken.score.tolist() == [[2.0] * 3, [0.0] * 3]


class Tree:
    """Steps whose rows go on from rows of the step before, all chosen at random."""

    def __init__(self, seed: int, num_steps: int = 6, positions: int = 3) -> None:
        choose = random.Random(seed)
        self.history, self.tokens, self.parents, self.attention = History(), [], [], []
        num_rows = 2
        for step in range(num_steps):
            before, num_rows = num_rows, choose.randint(1, 5) if step else 2
            parents = [choose.randrange(before) for _ in range(num_rows)]
            tokens = [choose.randrange(100) for _ in range(num_rows)]
            attention = torch.rand(num_rows, positions)
            self.history.append(torch.tensor(tokens), torch.tensor(parents), attention)
            self.tokens.append(tokens)
            self.parents.append(parents)
            self.attention.append(attention)

    def path(self, step: int, row: int) -> list[int]:
        """The rows that lead to this one, from the first step on."""
        return [*(self.path(step - 1, self.parents[step][row]) if step else []), row]


@pytest.mark.parametrize("seed", range(8))
def test_paths_are_followed_back_to_the_first_step(seed: int) -> None:
    tree, choose = Tree(seed), random.Random(seed)
    steps = [[choose.randrange(6) for _ in range(2)] for _ in range(3)]
    rows = [[choose.randrange(len(tree.tokens[step])) for step in some] for some in steps]
    kinds = [[FINISHED, CUT], [CUT, FINISHED], [FINISHED, EMPTY]]
    scores = torch.rand(3, 2)
    found = tree.history.read(
        Ends(torch.tensor(kinds), scores, -scores, torch.tensor(steps), torch.tensor(rows)), torch.tensor([3, 0, 2])
    )
    assert [len(some) for some in found] == [2, 2, 1]
    for sentence, hypotheses in enumerate(found):
        for number, hypothesis in enumerate(hypotheses):
            step, finished = steps[sentence][number], kinds[sentence][number] == FINISHED
            path = tree.path(step, rows[sentence][number])
            said = [tokens[row] for tokens, row in zip(tree.tokens, path, strict=False)]
            assert hypothesis.tokens == tuple(said[1:])  # the first is <bos>
            assert hypothesis.finished == finished
            assert hypothesis.score == pytest.approx(float(scores[sentence, number]))
            assert hypothesis.log_prob == pytest.approx(-float(scores[sentence, number]))
            looked = [attention[row] for attention, row in zip(tree.attention, path, strict=False)]
            expected = torch.stack(looked)[: len(said) - 1 + finished, : [3, 0, 2][sentence]]
            assert hypothesis.attention is not None
            assert torch.equal(hypothesis.attention, expected)


def test_a_hypothesis_keeps_no_more_memory_than_its_own_attention() -> None:
    tree = Tree(1)
    step, row = torch.tensor([[3]]), torch.tensor([[0]])
    ((hypothesis,),) = tree.history.read(Ends(torch.tensor([[CUT]]), step.float(), step.float(), step, row), None)
    assert hypothesis.attention is not None
    assert hypothesis.attention.untyped_storage().nbytes() == hypothesis.attention.numel() * 4


def test_steps_without_attention_give_none() -> None:
    history = History()
    assert len(history) == 0
    for token in (0, 7, 8):
        history.append(torch.tensor([token]), torch.tensor([0]), None)
    assert len(history) == 3
    two = torch.tensor([[2]])
    ((hypothesis,),) = history.read(Ends(torch.tensor([[CUT]]), two.float(), two.float(), two, 0 * two), None)
    assert hypothesis.tokens == (7, 8)
    assert hypothesis.attention is None


@pytest.mark.parametrize(
    ("num_cut", "num_all", "is_said"), [(0, 0, False), (1, 100, False), (2, 100, True), (1, 99, True)]
)
def test_more_than_one_in_a_hundred_cut_is_said(
    caplog: pytest.LogCaptureFixture, num_cut: int, num_all: int, is_said: bool
) -> None:
    with caplog.at_level(logging.WARNING, "lstmdrop.decoding"):
        warn_of_cut(num_cut, num_all, "translations", "decoding.max_length=3")
    said = [record.getMessage() for record in caplog.records]
    assert bool(said) == is_said
    if is_said:
        assert said[0].startswith(f"{num_cut} of {num_all} translations were cut at the longest length (decoding.max_")
