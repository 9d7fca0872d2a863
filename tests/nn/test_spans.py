"""Laws of padded batches: pieces cover the real steps once, and reading backwards leaves padding where it is."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lstmdrop.nn.shapes import WHOLE, read_backwards, spans

falling_lengths = st.lists(st.integers(1, 9), min_size=1, max_size=8).map(lambda some: sorted(some, reverse=True))


@given(falling_lengths)
def test_each_real_step_is_in_one_piece_and_no_padded_one_in_any(lengths: list[int]) -> None:
    covered = torch.zeros(max(lengths), len(lengths), dtype=torch.long)
    pieces = spans(torch.tensor(lengths))
    for piece in pieces:
        covered[piece.steps, piece.rows] += 1
    is_real = torch.arange(max(lengths))[:, None] < torch.tensor(lengths)
    assert torch.equal(covered, is_real.long())
    assert len(pieces) == len(set(lengths))
    assert [piece.steps.start for piece in pieces[1:]] == [piece.steps.stop for piece in pieces[:-1]]


def test_the_whole_is_one_piece_of_everything() -> None:
    numbers = torch.arange(12).view(4, 3)
    (piece,) = WHOLE
    assert torch.equal(numbers[piece.steps, piece.rows], numbers)


@pytest.mark.parametrize("lengths", [[1, 2], [3, 1, 2], [1, 0], [0], [2, 2, -1]])
def test_rows_out_of_order_or_without_a_step_are_refused_with_their_lengths(lengths: list[int]) -> None:
    with pytest.raises(ValueError, match="must fall and be at least 1") as refusal:
        spans(torch.tensor(lengths))
    assert str(lengths) in str(refusal.value)


@given(st.lists(st.integers(0, 7), min_size=1, max_size=6), st.integers(0, 3))
def test_a_row_is_reversed_up_to_its_end_and_padding_stays(lengths: list[int], more: int) -> None:
    num_steps = max(lengths) + more
    rows = torch.arange(num_steps * len(lengths)).view(num_steps, len(lengths))
    ends = torch.tensor(lengths)
    found = read_backwards(rows, ends)
    for column, length in enumerate(lengths):
        row = rows[:, column].tolist()
        assert found[:, column].tolist() == row[:length][::-1] + row[length:]
    assert torch.equal(read_backwards(found, ends), rows)


@pytest.mark.parametrize("features", [(), (4,), (2, 3)])
def test_without_lengths_all_is_reversed_whatever_a_step_holds(features: tuple[int, ...]) -> None:
    rows = torch.randn(5, 3, *features)
    assert torch.equal(read_backwards(rows), rows.flip(0))
    assert torch.equal(read_backwards(rows, torch.tensor([5, 5, 5])), rows.flip(0))
    assert torch.equal(read_backwards(rows, torch.tensor([0, 1, 0])), rows)


@pytest.mark.parametrize("lengths", [[6, 1], [1, -1], [1, 2, 3], [5]])
@pytest.mark.usefixtures("symbolic_sizes")
def test_lengths_of_other_rows_are_refused(lengths: list[int]) -> None:
    with pytest.raises(ValueError, match="lengths"):
        read_backwards(torch.zeros(5, 2), torch.tensor(lengths))
