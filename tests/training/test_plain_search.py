"""The search of tutorials, one hypothesis after the other, finds what the batched search finds."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lstmdrop.decoding.beam import BeamSettings, beam_search
from lstmdrop.training.bench import endless
from lstmdrop.training.plain import plain_beam_search

EOS, BANNED, NUM_TOKENS = 0, 3, 7


class Chain:
    """The next token depends on the last one alone; the state counts steps."""

    def __init__(self, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.log_probs = (2 * torch.randn(NUM_TOKENS, NUM_TOKENS, generator=generator)).log_softmax(-1)

    def step(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, None, Tensor]:
        return self.log_probs[tokens], None, state + 1

    def select(self, state: Tensor, rows: Tensor) -> Tensor:
        return state[rows]

    def one(self, token: int, state: int) -> tuple[Tensor, int]:
        return self.log_probs[token].clone(), state + 1


@pytest.mark.parametrize("beam", [1, 2, 5, 12])
@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_both_searches_agree(beam: int, length_penalty: float) -> None:
    lengths = set()
    for seed in range(30):
        chain, longest = Chain(seed), 2 + seed % 9
        ((best, *_),) = beam_search(
            chain, torch.zeros(1), num_rows=1, bos=EOS, eos=EOS, max_lengths=torch.tensor([longest]),
            settings=BeamSettings(beam, length_penalty), banned=[BANNED],
        )  # fmt: skip
        found = plain_beam_search(
            chain.one, 0, eos=EOS, banned=[BANNED], longest=longest, beam_size=beam, length_penalty=length_penalty
        )
        assert list(best.tokens) == found, seed
        assert BANNED not in found
        lengths.add((len(found), best.finished))
    assert len(lengths) > 3


def test_passes_follow_each_other_made_anew_or_given() -> None:
    made: list[int] = []

    def make() -> object:
        made.append(len(made))
        return iter([made[-1], 10])

    for batches, expected in ((make, [0, 10, 1, 10]), ([4, 5], [4, 5, 4, 5])):
        coming = endless(batches)  # type: ignore[arg-type]
        assert [next(coming) for _ in range(4)] == expected
