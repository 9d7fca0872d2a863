"""Laws of several models as one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lstmdrop.decoding.hypotheses import Ensemble, StepModel


class Fixed:
    """Says the same at every step; its state counts the steps, and rows by tens."""

    def __init__(self, probabilities: list[float], look: list[float] | None = None) -> None:
        self.log_probs, self.look = torch.tensor(probabilities, dtype=torch.float64).log(), look

    def step(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        rows = len(tokens)
        look = None if self.look is None else torch.tensor(self.look).expand(rows, -1)
        return self.log_probs.expand(rows, -1), look, state + 1

    def select(self, state: Tensor, rows: Tensor) -> Tensor:
        return state[rows]


TOKENS = torch.tensor([0, 1])
STATE = torch.tensor([10, 20])


@pytest.mark.parametrize("number", [2, 3])
def test_probabilities_are_averaged_and_not_their_logarithms(number: int) -> None:
    said = [[0.5, 0.5], [0.9, 0.1], [0.1, 0.9]][:number]
    log_probs, _, _ = Ensemble([Fixed(each) for each in said]).step(TOKENS, (STATE,) * number)
    expected = [sum(probabilities) / number for probabilities in zip(*said, strict=True)]
    torch.testing.assert_close(log_probs.exp(), torch.tensor([expected] * 2, dtype=torch.float64))


def test_what_one_model_thinks_impossible_is_possible_to_both() -> None:
    log_probs, _, _ = Ensemble([Fixed([1.0, 0.0]), Fixed([0.5, 0.5])]).step(TOKENS, (STATE, STATE))
    torch.testing.assert_close(log_probs[0].exp(), torch.tensor([0.75, 0.25], dtype=torch.float64))
    log_probs, _, _ = Ensemble([Fixed([1.0, 0.0]), Fixed([1.0, 0.0])]).step(TOKENS, (STATE, STATE))
    assert log_probs[0].tolist() == [0.0, -torch.inf]


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([None, None], None),
        ([[0.2, 0.8], None], [0.2, 0.8]),
        ([[0.2, 0.8], [0.6, 0.4]], [0.4, 0.6]),
        ([[0.2, 0.8], [0.2, 0.3, 0.5]], None),
        ([[0.3, 0.7]], [0.3, 0.7]),
    ],
)
def test_attention_is_the_mean_of_what_is_given_if_it_is_of_the_same_places(
    looks: list[list[float] | None], expected: list[float] | None
) -> None:
    ensemble = Ensemble([Fixed([0.5, 0.5], look) for look in looks])
    _, attention, _ = ensemble.step(TOKENS, (STATE,) * len(looks))
    if expected is None:
        assert attention is None
    else:
        assert attention is not None
        torch.testing.assert_close(attention, torch.tensor([expected] * 2))


def test_one_model_alone_is_itself_to_the_bit() -> None:
    alone = Fixed([0.3, 0.7])
    log_probs, _, (state,) = Ensemble([alone]).step(TOKENS, (STATE,))
    assert torch.equal(log_probs, alone.log_probs.expand(2, -1))
    assert state.tolist() == [11, 21]


def test_each_model_keeps_a_state_of_its_own() -> None:
    ensemble = Ensemble([Fixed([0.5, 0.5]), Fixed([0.5, 0.5])])
    _, _, state = ensemble.step(TOKENS, (STATE, 10 * STATE))
    assert [part.tolist() for part in state] == [[11, 21], [101, 201]]
    chosen = ensemble.select(state, torch.tensor([1, 1, 0]))
    assert [part.tolist() for part in chosen] == [[21, 21, 11], [201, 201, 101]]
    with pytest.raises(ValueError, match="zip"):
        ensemble.step(TOKENS, (STATE,))


def test_no_models_are_no_ensemble() -> None:
    with pytest.raises(ValueError, match="at least one model"):
        Ensemble([])
    assert isinstance(Ensemble([Fixed([1.0])]), StepModel)
