"""Laws of sequences that are given: forced beginnings of a search or a draw, and scores."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from lstmdrop.decoding.beam import BeamSettings, Ensemble, Hypothesis, beam_search
from lstmdrop.decoding.forced import Beginning, ScoredSequence, score_sequences
from lstmdrop.decoding.sampling import SamplingOptions, sample_sequences

BOS, EOS, UNK = 0, 1, 2
ROWS, VOCABULARY = 4, 7
CPU = torch.device("cpu")


class Trigrams:
    """A row of state is its sentence and its last token; each sentence has a table of its own, and looks about."""

    def __init__(self, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        logits = torch.randn(ROWS, *[VOCABULARY] * 3, generator=generator, dtype=torch.float64) * 1.5
        self.log_probs = logits.log_softmax(-1)
        self.looks = torch.randn(ROWS, VOCABULARY, 3, generator=generator, dtype=torch.float64).softmax(-1)

    def step(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        sentences, before = state.unbind(1)
        after = torch.stack([sentences, tokens], 1)
        return self.log_probs[sentences, before, tokens], self.looks[sentences, tokens], after

    def select(self, state: Tensor, rows: Tensor) -> Tensor:
        return state[rows]


def start(*sentences: int) -> Tensor:
    chosen = sentences or tuple(range(ROWS))
    return torch.tensor([[sentence, BOS] for sentence in chosen])


def search(model: Any, state: Any, size: int = 3, longest: int = 6, num_rows: int = ROWS, **more: Any) -> Any:
    settings = BeamSettings(size, length_penalty=0.6, coverage_penalty=0.2, num_best=size)
    return beam_search(
        model, state, num_rows=num_rows, bos=BOS, eos=EOS, max_lengths=torch.full((num_rows,), longest),
        settings=settings, banned=[UNK], **more,
    )  # fmt: skip


def score(model: Any, state: Any, sequences: list[list[int]]) -> list[ScoredSequence]:
    settings = BeamSettings(length_penalty=0.6, coverage_penalty=0.2)
    return score_sequences(model, state, sequences, bos=BOS, device=CPU, settings=settings)


def alike(found: list[Hypothesis]) -> list[tuple[Any, ...]]:
    return [(one.tokens, pytest.approx(one.log_prob), pytest.approx(one.score), one.finished) for one in found]


def plain(found: list[Hypothesis]) -> list[tuple[Any, ...]]:
    return [(one.tokens, one.log_prob, one.score, one.finished) for one in found]


@pytest.mark.parametrize("seed", range(4))
def test_what_a_beam_finds_scores_as_the_beam_says(seed: int) -> None:
    model = Trigrams(seed)
    found = [(row, one) for row, best in enumerate(search(model, start())) for one in best if one.finished]
    assert found
    scored = score(model, start(*(row for row, _ in found)), [[*one.tokens, EOS] for _, one in found])
    for (_, one), own in zip(found, scored, strict=True):
        assert (own.log_prob, own.score) == (pytest.approx(one.log_prob, abs=1e-9), pytest.approx(one.score, abs=1e-9))
        assert sum(own.token_log_probs) == pytest.approx(own.log_prob)


def test_a_score_depends_on_no_other_row() -> None:
    sequences = [[3, 4, 5, EOS], [EOS], [6, 6, UNK, 3, 3, EOS], [4, EOS]]
    together = score(Trigrams(), start(), sequences)
    alone = [score(Trigrams(), start(row), [own])[0] for row, own in enumerate(sequences)]
    assert together == alone
    assert [one.tokens for one in together] == [tuple(own) for own in sequences]
    assert score(Trigrams(), start(), []) == []


def test_members_are_averaged_at_each_token() -> None:
    members, sequence = [Trigrams(1), Trigrams(2)], [3, 5, EOS]
    (both,) = score(Ensemble(members), (start(0), start(0)), [sequence])
    apart = torch.tensor([score(model, start(0), [sequence])[0].token_log_probs for model in members])
    torch.testing.assert_close(torch.tensor(both.token_log_probs), apart.exp().mean(0).log())


@pytest.mark.parametrize("seed", range(4))
def test_greedy_goes_on_from_its_own_beginning_as_it_went(seed: int) -> None:
    model = Trigrams(seed)
    own = [best[0] for best in search(model, start(), size=1)]
    for length in range(7):
        begun = search(model, start(), size=1, prefixes=[one.tokens[:length] for one in own])
        assert [plain(best) for best in begun] == [alike([one]) for one in own]


def test_a_beginning_is_kept_whatever_the_model_would_say() -> None:
    prefixes = [[3, UNK, 3], [], [5, 5, 5, 5, 5, 5, 5, 5], [4]]
    for best, prefix in zip(search(Trigrams(), start(), prefixes=prefixes), prefixes, strict=True):
        assert best
        for one in best:
            assert list(one.tokens[: len(prefix)]) == prefix
            assert UNK not in one.tokens[len(prefix) :]
    for drawn, prefix in zip(draw(prefixes), prefixes, strict=True):
        assert list(drawn.tokens[: len(prefix)]) == prefix
        assert UNK not in drawn.tokens[len(prefix) :]


def test_no_beginning_changes_nothing_beside_one_that_is_there() -> None:
    free, beside = search(Trigrams(), start()), search(Trigrams(), start(), prefixes=[[], [3], [], [4, 4]])
    for row in (0, 2):
        assert plain(beside[row]) == plain(free[row])
    assert [plain(best) for best in search(Trigrams(), start(), prefixes=[[]] * ROWS)] == list(map(plain, free))


def test_the_probability_of_a_beginning_is_the_models() -> None:
    model = Trigrams()
    begun = [(row, best[0]) for row, best in enumerate(search(model, start(), prefixes=[[6, 3]] * ROWS))]
    finished = [(row, one) for row, one in begun if one.finished]
    scored = score(model, start(*(row for row, _ in finished)), [[*one.tokens, EOS] for _, one in finished])
    assert [own.log_prob for own in scored] == [pytest.approx(one.log_prob) for _, one in finished]


def test_beginnings_belong_to_rows() -> None:
    with pytest.raises(ValueError, match="prefixes has 1 rows, the batch 4"):
        search(Trigrams(), start(), prefixes=[[3]])


def draw(prefixes: list[list[int]]) -> list[Hypothesis]:
    return sample_sequences(
        Trigrams(), start(), bos=BOS, eos=EOS, max_lengths=torch.full((ROWS,), 6),
        options=SamplingOptions(top_k=4, banned=[UNK]), seeds=list(range(ROWS)), prefixes=prefixes,
    )  # fmt: skip


def test_a_text_begins_as_it_was_given() -> None:
    words = {3: "a", 4: "dog", 2: "<unk>"}

    def decode(tokens: Any) -> str:
        return " ".join(words[token] for token in tokens)

    assert Beginning("A wug", [3, 2]).written(decode, [3, 2, 4]) == "A wug dog"
    assert Beginning().written(decode, [3, 4]) == "a dog"
