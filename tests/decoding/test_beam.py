"""Laws of beam search, on models small enough to search by hand."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from lstmdrop.decoding.beam import BeamSettings, Ensemble, Hypothesis, beam_search, largest

BOS, EOS = 0, 1


class TableState(NamedTuple):
    """Which sentence each row belongs to, and the token before the last."""

    sentences: Tensor
    previous: Tensor


@dataclass
class TableModel:
    """Each sentence has a table: the token before last, the last, the next; and one of attention by the last."""

    table: Tensor  # (sentences, vocabulary, vocabulary, vocabulary), log-probabilities
    attention: Tensor | None = None  # (sentences, vocabulary, positions)
    rows_seen: list[int] = field(default_factory=list)

    @property
    def num_sentences(self) -> int:
        return len(self.table)

    def start(self, sentences: list[int] | None = None) -> TableState:
        chosen = torch.arange(self.num_sentences) if sentences is None else torch.tensor(sentences)
        return TableState(chosen, torch.full_like(chosen, BOS))

    def step(self, tokens: Tensor, state: TableState) -> tuple[Tensor, Tensor | None, TableState]:
        self.rows_seen.append(len(tokens))
        log_probs = self.table[state.sentences, state.previous, tokens]
        attention = None if self.attention is None else self.attention[state.sentences, tokens]
        return log_probs, attention, TableState(state.sentences, tokens)

    def select(self, state: TableState, rows: Tensor) -> TableState:
        return TableState(state.sentences[rows], state.previous[rows])


def random_model(
    seed: int, sentences: int = 4, vocabulary: int = 7, positions: int = 0, spread: float = 1.5
) -> TableModel:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(sentences, *[vocabulary] * 3, generator=generator, dtype=torch.float64) * spread
    attention = torch.randn(sentences, vocabulary, positions, generator=generator, dtype=torch.float64) * 2
    return TableModel(logits.log_softmax(-1), attention.softmax(-1) if positions else None)


def search(
    model: Any, settings: BeamSettings, max_lengths: list[int], sentences: list[int] | None = None, **others: Any
) -> list[list[Hypothesis]]:
    return beam_search(
        model, model.start(sentences), num_rows=len(max_lengths), bos=BOS, eos=EOS,
        max_lengths=torch.tensor(max_lengths, dtype=torch.long), settings=settings, **others,
    )  # fmt: skip


class Found(NamedTuple):
    """A hypothesis of the plain implementations below."""

    tokens: tuple[int, ...]
    log_prob: float
    score: float
    finished: bool


def step_by_step(model: TableModel, sentence: int, tokens: tuple[int, ...]) -> tuple[list[list[float]], list[Tensor]]:
    """By teacher forcing of one sentence: the log-probabilities after <bos> and after each token, the attention."""
    state, log_probs, attention = model.start([sentence]), [], []
    for token in (BOS, *tokens):
        given, weights, state = model.step(torch.tensor([token]), state)
        log_probs.append(given[0].tolist())
        attention.append(torch.zeros(0) if weights is None else weights[0])
    return log_probs, attention


def rescored(
    model: TableModel, sentence: int, tokens: tuple[int, ...], finished: bool, settings: BeamSettings,
    source_length: int | None = None,
) -> Found:  # fmt: skip
    """A sequence of tokens, scored from nothing."""
    log_probs, attention = step_by_step(model, sentence, tokens)
    scored = (*tokens, EOS) if finished else tokens
    log_prob = 0.0
    for step, token in enumerate(scored):
        log_prob += log_probs[step][token]
    score = log_prob / max(len(scored), 1) ** settings.length_penalty
    for position in range(len(attention[0]) if source_length is None else source_length):
        covered = sum(float(attention[step][position]) for step in range(len(scored)))
        score += settings.coverage_penalty * math.log(min(max(covered, torch.finfo(torch.float32).tiny), 1.0))
    return Found(tokens, log_prob, score, finished)


def reference(
    model: TableModel, sentence: int, max_length: int, settings: BeamSettings, banned: tuple[int, ...] = (),
    source_length: int | None = None,
) -> list[Found]:  # fmt: skip
    """Beam search of one sentence in plain lists; every prefix is scored anew."""
    size, live, finished = settings.beam_size, [((), 0.0)], []
    for length in range(max_length + 2):
        candidates = []
        for beam, (tokens, log_prob) in enumerate(live):
            following = step_by_step(model, sentence, tokens)[0][-1]
            candidates += [
                (-(log_prob + gain), beam, token)
                for token, gain in enumerate(following)
                if token not in banned and gain > -math.inf
            ]
        candidates = sorted(candidates)[: 2 * size]
        ending = [live[beam][0] for _, beam, token in candidates[:size] if token == EOS]
        finished += [rescored(model, sentence, tokens, True, settings, source_length) for tokens in ending]
        finished.sort(key=lambda found: -found.score)
        extended = [((*live[beam][0], token), -cost) for cost, beam, token in candidates if token != EOS][:size]
        if length >= max_length or not extended:
            left = [tokens for tokens, _ in live if tokens not in ending]
            cut = [rescored(model, sentence, tokens, False, settings, source_length) for tokens in left]
            finished += sorted(cut, key=lambda found: -found.score)
            break
        bound = extended[0][1] / (max_length + 1) ** settings.length_penalty
        best = settings.num_best
        if len(finished) >= size or (len(finished) >= best and bound <= finished[best - 1].score):
            break
        live = extended
    return finished[: settings.num_best]


def assert_same(hypotheses: list[Hypothesis], expected: list[Found]) -> None:
    assert [hypothesis.tokens for hypothesis in hypotheses] == [found.tokens for found in expected]
    for hypothesis, found in zip(hypotheses, expected, strict=True):
        assert hypothesis.finished == found.finished
        assert hypothesis.log_prob == pytest.approx(found.log_prob, abs=1e-9)
        assert hypothesis.score == pytest.approx(found.score, abs=1e-9)


SETTINGS = [
    BeamSettings(1),
    BeamSettings(2, 0.0, 0.0, 2),
    BeamSettings(5, 1.0, 0.0, 3),
    BeamSettings(4, 0.6, 0.0, 4),
    BeamSettings(5, 1.0, 0.3, 5),
    BeamSettings(3, 2.0, 0.0, 1),
]
MAX_LENGTHS = [6, 0, 12, 1]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_the_hypotheses_are_those_of_a_plain_search_sentence_by_sentence(settings: BeamSettings, seed: int) -> None:
    model = random_model(seed, positions=5, spread=[0.3, 1.5, 3.0][seed % 3])
    banned = (3,) if seed % 2 else ()
    lengths = torch.tensor([5, 0, 3, 1])
    found = search(model, settings, MAX_LENGTHS, banned=banned, source_lengths=lengths)
    for sentence, hypotheses in enumerate(found):
        expected = reference(model, sentence, MAX_LENGTHS[sentence], settings, banned, int(lengths[sentence]))
        assert_same(hypotheses, expected)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("settings", [BeamSettings(3, 0.0, num_best=3), BeamSettings(4, 1.0, num_best=2)], ids=str)
def test_among_equals_the_better_beam_comes_first_then_the_lower_token(settings: BeamSettings, seed: int) -> None:
    """Log-probabilities of whole bits sum without rounding, so that many are equal."""
    bits = torch.randint(0, 3, (4, 6, 6, 6), generator=torch.Generator().manual_seed(seed))
    model = TableModel(-bits.double())
    for sentence, hypotheses in enumerate(search(model, settings, [6] * 4)):
        assert_same(hypotheses, reference(model, sentence, 6, settings))


@pytest.mark.parametrize("count", [1, 3, 5, 6, 9])
def test_the_largest_are_those_of_a_stable_sort(count: int) -> None:
    values = torch.randint(0, 3, (200, 6), generator=torch.Generator().manual_seed(0)).float()
    values[values == 0] = -torch.inf
    found, places = largest(values, min(count, 6))
    expected = values.sort(dim=1, descending=True, stable=True)
    assert torch.equal(found, expected.values[:, :count])
    possible = found > -torch.inf
    assert torch.equal(places[possible], expected.indices[:, :count][possible])
    values[0, 2] = torch.nan
    assert not largest(values, min(count, 6))[0].isnan().any()
    assert torch.equal(largest(values, min(count, 6))[0][1:], found[1:])


def likeliest_token(model: TableModel, sentence: int, tokens: list[int]) -> int:
    log_probs = step_by_step(model, sentence, tuple(tokens))[0][-1]
    return log_probs.index(max(log_probs))


@pytest.mark.parametrize("seed", range(5))
def test_a_beam_of_1_is_greedy(seed: int) -> None:
    model = random_model(seed)
    for sentence, (hypothesis,) in enumerate(search(model, BeamSettings(1), MAX_LENGTHS)):
        tokens: list[int] = []
        while (token := likeliest_token(model, sentence, tokens)) != EOS and len(tokens) < MAX_LENGTHS[sentence]:
            tokens.append(token)
        assert hypothesis.tokens == tuple(tokens)
        assert hypothesis.finished == (token == EOS)


def every_sequence(vocabulary: int, longest: int) -> list[tuple[int, ...]]:
    others = [token for token in range(vocabulary) if token != EOS]
    return [tokens for length in range(longest + 1) for tokens in itertools.product(others, repeat=length)]


@pytest.mark.parametrize("length_penalty", [0.0, 0.7, 1.0, 2.0])
@pytest.mark.parametrize("coverage", [0.0, 0.5])
def test_a_beam_as_wide_as_all_sequences_ranks_them_all(length_penalty: float, coverage: float) -> None:
    model = random_model(3, sentences=3, vocabulary=4, positions=3)
    sequences = every_sequence(4, 3)
    settings = BeamSettings(4 * len(sequences), length_penalty, coverage, len(sequences))
    for sentence, hypotheses in enumerate(search(model, settings, [3] * 3)):
        ranked = [rescored(model, sentence, tokens, True, settings) for tokens in sequences]
        ranked.sort(key=lambda found: -found.score)
        assert_same(hypotheses, ranked)
        assert_same(search(model, replace(settings, num_best=1), [3], [sentence])[0], ranked[:1])


@pytest.mark.parametrize("size", [1, 2])
def test_no_beam_beats_the_exhaustive_one_and_narrow_ones_may_lose(size: int) -> None:
    """Of hypotheses that finish: one that is cut has not paid for <eos>."""
    model = random_model(0, sentences=30, vocabulary=4)
    narrow, wide = (search(model, BeamSettings(beam_size, 0.0), [3] * 30) for beam_size in (size, 200))
    lost = [best.log_prob - own.log_prob for (own,), (best,) in zip(narrow, wide, strict=True) if own.finished]
    assert min(lost) >= -1e-12
    assert max(lost) > 1e-3


def test_the_batch_and_its_order_play_no_part() -> None:
    model = random_model(1, sentences=6, positions=4)
    settings = BeamSettings(4, 0.8, 0.2, 3)
    longest, sources = [6, 0, 12, 1, 9, 4], torch.tensor([4, 0, 3, 1, 2, 4])
    together = search(model, settings, longest, source_lengths=sources)
    order = [4, 2, 0, 5, 1, 3]
    shuffled = search(model, settings, [longest[i] for i in order], order, source_lengths=sources[order])
    for place, sentence in enumerate(order):
        alone = search(model, settings, [longest[sentence]], [sentence], source_lengths=sources[[sentence]])[0]
        for other in (alone, shuffled[place]):
            assert other == together[sentence]
            for one, two in zip(other, together[sentence], strict=True):
                assert one.attention is not None
                assert two.attention is not None
                assert torch.equal(one.attention, two.attention)


@pytest.mark.parametrize("size", [2, 5, 9])
def test_the_best_are_sorted_distinct_and_score_what_they_say(size: int) -> None:
    model = random_model(2, sentences=8, vocabulary=5, positions=3)
    settings = BeamSettings(size, 1.0, 0.1, size)
    for sentence, hypotheses in enumerate(search(model, settings, [2, 5] * 4)):
        assert 1 <= len(hypotheses) <= size
        assert len({(found.tokens, found.finished) for found in hypotheses}) == len(hypotheses)
        keys = [(not found.finished, -found.score) for found in hypotheses]
        assert keys == sorted(keys)
        expected = [rescored(model, sentence, found.tokens, found.finished, settings) for found in hypotheses]
        assert_same(hypotheses, expected)


def test_attention_has_a_row_for_every_token_over_the_real_positions() -> None:
    model = random_model(2, sentences=2, positions=4)
    found = search(model, BeamSettings(3, num_best=3), [1, 6], source_lengths=torch.tensor([2, 4]))
    assert {hypothesis.finished for hypotheses in found for hypothesis in hypotheses} == {True, False}
    for sentence, hypotheses in enumerate(found):
        for hypothesis in hypotheses:
            rows = len(hypothesis.tokens) + hypothesis.finished
            expected = torch.stack(step_by_step(model, sentence, hypothesis.tokens)[1])[:rows, : [2, 4][sentence]]
            assert hypothesis.attention is not None
            assert torch.equal(hypothesis.attention, expected)
    assert search(replace(model, attention=None), BeamSettings(3), [1, 6])[0][0].attention is None


def test_the_score_worked_by_hand() -> None:
    """Two tokens of probability 1/2 each, then <eos> of 1/4: length 3; the source is covered to 0.3, 1.2 and 0.6."""
    probabilities = torch.full((1, 4, 4, 4), 1e-9, dtype=torch.float64)
    probabilities[0, 0, 0, 2] = probabilities[0, 0, 2, 3] = 0.5
    probabilities[0, 2, 3, 1] = 0.25
    attention = torch.tensor([[0.1, 0.6, 0.3], [9.0, 9.0, 9.0], [0.1, 0.5, 0.2], [0.1, 0.1, 0.1]]).double()
    model = TableModel(probabilities.log(), attention[None])
    (found,) = search(model, BeamSettings(2, 0.5, 0.4), [2])[0]
    assert found.tokens == (2, 3)
    assert found.log_prob == pytest.approx(math.log(1 / 16))
    assert found.score == pytest.approx(math.log(1 / 16) / math.sqrt(3) + 0.4 * (math.log(0.3) + math.log(0.6)))


@pytest.mark.parametrize("size", [1, 3])
def test_without_eos_the_hypotheses_are_cut_at_the_longest_length(size: int) -> None:
    model = random_model(0)
    for longest, hypotheses in zip(
        MAX_LENGTHS, search(model, BeamSettings(size, num_best=size), MAX_LENGTHS, banned=[EOS]), strict=True
    ):
        assert hypotheses
        assert all(len(found.tokens) == longest and not found.finished for found in hypotheses)
        assert all(EOS not in found.tokens for found in hypotheses)


def test_the_step_after_the_longest_length_may_still_finish() -> None:
    table = torch.full((1, 3, 3, 3), -5.0)
    table[..., 2] = -0.01
    table[0, 2, 2, EOS], table[0, 2, 2, 2] = -0.01, -5.0
    (found,) = search(TableModel(table), BeamSettings(1), [2])[0]
    assert (found.tokens, found.finished) == ((2, 2), True)
    (found,) = search(TableModel(table), BeamSettings(1), [1])[0]
    assert (found.tokens, found.finished) == ((2,), False)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_where_nothing_is_possible_the_empty_hypothesis_comes_back(size: int) -> None:
    everything = tuple(range(7))
    for hypotheses in search(random_model(0), BeamSettings(size, num_best=size), MAX_LENGTHS, banned=everything):
        assert hypotheses == [Hypothesis((), 0.0, 0.0, False, None)]


def test_nan_is_impossible_and_harms_no_other_sentence() -> None:
    model, settings = random_model(4, positions=3), BeamSettings(4, 1.0, 0.2, 2)
    assert model.attention is not None
    expected = search(model, settings, [5] * 4, source_lengths=torch.tensor([3, 0, 3, 3]))
    model.table[1] = torch.nan
    model.attention[1] = torch.nan
    found = search(model, settings, [5] * 4, source_lengths=torch.tensor([3, 0, 3, 3]))
    assert [found[i] for i in (0, 2, 3)] == [expected[i] for i in (0, 2, 3)]
    assert found[1] == [Hypothesis((), 0.0, 0.0, False, None)]
    model.table[2, :, 5] = torch.nan  # nothing follows token 5
    after = [hypothesis.tokens for hypothesis in search(model, settings, [5] * 4)[2]]
    assert after
    assert all(5 not in tokens[:-1] and tokens != (5,) for tokens in after)


def test_an_empty_source_and_positions_without_attention_leave_the_scores_finite() -> None:
    model = random_model(0, positions=3)
    assert model.attention is not None
    model.attention[0] = torch.nan  # a softmax over no positions
    model.attention[1:, :, 2] = 0
    settings, lengths = BeamSettings(3, 1.0, 0.2, 3), torch.tensor([0, 3, 3, 3])
    found = search(model, settings, [4] * 4, source_lengths=lengths)
    plain = search(model, replace(settings, coverage_penalty=0.0), [4] * 4)
    assert [(one.tokens, one.score) for one in found[0]] == [(one.tokens, one.score) for one in plain[0]]
    for sentence in (1, 2, 3):
        assert_same(found[sentence], reference(model, sentence, 4, settings))


@pytest.mark.parametrize("banned", [[2], [0, 3, 5], [2, 2, 4]])
def test_banned_tokens_never_occur(banned: list[int]) -> None:
    model = random_model(0, spread=3.0)
    settings = BeamSettings(5, num_best=5)

    def tokens(hypotheses: list[list[Hypothesis]]) -> set[int]:
        return {token for found in hypotheses for hypothesis in found for token in hypothesis.tokens}

    assert tokens(search(model, settings, [8] * 4)) & set(banned)
    assert not tokens(search(model, settings, [8] * 4, banned=banned)) & set(banned)


def test_sentences_that_are_done_leave_the_batch() -> None:
    model = random_model(0, vocabulary=9)
    search(model, BeamSettings(3), [4, 0, 2, 2], banned=[EOS])
    assert model.rows_seen == [4, 9, 9, 3, 3]


def test_a_sentence_is_done_once_no_live_hypothesis_can_overtake() -> None:
    """<eos> scores -0.5 at once, every other token costs 1: after t of them at most -t / 51**alpha can be reached."""
    table = torch.full((1, 4, 4, 4), -1.0, dtype=torch.float64)
    table[..., [BOS, EOS]] = -3
    table[0, BOS, BOS, EOS] = -0.5
    for length_penalty, num_steps in ((0.0, 1), (1.0, 26)):
        model = TableModel(table)
        search(model, BeamSettings(2, length_penalty), [50])
        assert len(model.rows_seen) == num_steps


def test_a_sentence_is_done_once_as_many_as_the_beam_have_finished() -> None:
    table = torch.full((1, 5, 5, 5), -1.0, dtype=torch.float64)
    table[..., EOS] = -0.5
    model = TableModel(table)
    search(model, BeamSettings(3), [50])
    assert len(model.rows_seen) == 2  # one finishes at the first step, at least two at the second


@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_vocabulary_smaller_than_the_beam_works(size: int) -> None:
    model = random_model(5, vocabulary=3)
    settings = BeamSettings(size, 1.0, num_best=size)
    for sentence, hypotheses in enumerate(search(model, settings, MAX_LENGTHS)):
        assert_same(hypotheses, reference(model, sentence, MAX_LENGTHS[sentence], settings))


def test_an_ensemble_of_the_same_model_is_the_model() -> None:
    model = random_model(6, positions=3)
    settings = BeamSettings(4, 1.0, 0.3, 4)
    both = EnsembleOfTables([model, model])
    for single, doubled in zip(search(model, settings, MAX_LENGTHS), search(both, settings, MAX_LENGTHS), strict=True):
        assert_same(doubled, [Found(one.tokens, one.log_prob, one.score, one.finished) for one in single])
        for one, two in zip(single, doubled, strict=True):
            assert one.attention is not None
            assert two.attention is not None
            torch.testing.assert_close(one.attention, two.attention)


class EnsembleOfTables(Ensemble[TableState]):
    def start(self, sentences: list[int] | None = None) -> tuple[TableState, ...]:
        return tuple(model.start(sentences) for model in self.models if isinstance(model, TableModel))


def test_an_ensemble_averages_probabilities_and_the_attention_that_is_given() -> None:
    models = [random_model(7, positions=3), random_model(8), random_model(9, positions=3)]
    ensemble = EnsembleOfTables(models)
    mean = torch.stack([model.table.exp() for model in models]).mean(0).log()
    attention = (models[0].attention + models[2].attention) / 2  # type: ignore[operator]
    settings = BeamSettings(3, 1.0, 0.2, 3)
    averaged = TableModel(mean, attention)
    for found, expected in zip(
        search(ensemble, settings, MAX_LENGTHS), search(averaged, settings, MAX_LENGTHS), strict=True
    ):
        assert_same(found, [Found(one.tokens, one.log_prob, one.score, one.finished) for one in expected])
    tokens = torch.zeros(4, dtype=torch.long)
    assert EnsembleOfTables(models[1:2]).step(tokens, (models[1].start(),))[1] is None
    elsewhere = [models[0], random_model(7, positions=4)]
    assert EnsembleOfTables(elsewhere).step(tokens, tuple(model.start() for model in elsewhere))[1] is None


def test_no_graph_is_built() -> None:
    model = random_model(0, positions=3)
    model.table.requires_grad_()
    assert model.attention is not None
    model.attention.requires_grad_()
    (found,) = search(model, BeamSettings(3, coverage_penalty=0.1), [4], [0])[0]
    assert found.attention is not None
    assert not found.attention.requires_grad


def test_half_precision_is_summed_in_single() -> None:
    model = random_model(0, positions=3)
    half = replace(model, table=model.table.bfloat16())
    exact = replace(model, table=half.table.double())
    for found, expected in zip(
        search(half, BeamSettings(3), MAX_LENGTHS), search(exact, BeamSettings(3), MAX_LENGTHS), strict=True
    ):
        assert found[0].tokens == expected[0].tokens
        assert found[0].log_prob == pytest.approx(expected[0].log_prob, rel=1e-6)


def test_no_sentences_give_no_hypotheses() -> None:
    assert search(random_model(0), BeamSettings(), [], []) == []


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"beam_size": 0}, "beam_size"),
        ({"num_best": 0}, "num_best"),
        ({"beam_size": 2, "num_best": 3}, "num_best"),
        ({"length_penalty": -0.1}, "length_penalty"),
        ({"length_penalty": math.nan}, "length_penalty"),
        ({"coverage_penalty": math.inf}, "coverage_penalty"),
    ],
)
def test_senseless_settings_are_refused(settings: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        BeamSettings(**settings)


def test_senseless_calls_are_refused() -> None:
    model = random_model(0)
    with pytest.raises(ValueError, match="attention"):
        search(model, BeamSettings(coverage_penalty=0.1), MAX_LENGTHS)
    with pytest.raises(ValueError, match="max_lengths has 2"):
        beam_search(
            model, model.start(), num_rows=4, bos=BOS, eos=EOS, max_lengths=torch.tensor([6, 0]),
            settings=BeamSettings(),
        )  # fmt: skip
    with pytest.raises(ValueError, match="at least one"):
        Ensemble([])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_finds_what_the_cpu_finds() -> None:
    model, settings = random_model(0, positions=3), BeamSettings(4, 1.0, 0.2, 3)
    assert model.attention is not None
    expected = search(model, settings, MAX_LENGTHS, banned=[3], source_lengths=torch.tensor([1, 2, 3, 0]))
    there = TableModel(model.table.cuda(), model.attention.cuda())
    found = beam_search(
        there, TableState(*(part.cuda() for part in model.start())), num_rows=4, bos=BOS, eos=EOS,
        max_lengths=torch.tensor(MAX_LENGTHS).cuda(), settings=settings, banned=[3],
        source_lengths=torch.tensor([1, 2, 3, 0]).cuda(),
    )  # fmt: skip
    for sentence, hypotheses in enumerate(found):
        assert_same(
            hypotheses, [Found(one.tokens, one.log_prob, one.score, one.finished) for one in expected[sentence]]
        )
