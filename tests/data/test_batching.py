"""Laws of cutting a text into parallel streams."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lstmdrop.data.batching import Variation, Window, num_windows, stream_windows

CPU = torch.device("cpu")

sizes = st.tuples(st.integers(1, 5), st.integers(1, 9), st.integers(0, 60)).map(
    lambda drawn: (drawn[0], drawn[1], 2 * drawn[0] + drawn[2])
)


def windows(num_tokens: int, batch_size: int, num_steps: int, num_parts: int = 1) -> list[Window]:
    return list(stream_windows(np.arange(num_tokens, dtype=np.uint16), batch_size, num_steps, CPU, num_parts))


@settings(deadline=None, max_examples=60)
@given(sizes)
def test_every_token_but_the_first_of_each_stream_is_predicted_once_from_the_one_before(
    drawn: tuple[int, int, int],
) -> None:
    batch_size, num_steps, num_tokens = drawn
    length = num_tokens // batch_size
    found = windows(num_tokens, batch_size, num_steps)
    targets = torch.cat([window.targets for window in found])
    inputs = torch.cat([window.inputs for window in found])
    streams = torch.arange(batch_size * length).view(batch_size, length).T
    assert torch.equal(targets, streams[1:])
    assert torch.equal(inputs, streams[:-1])
    assert len(found) == num_windows(num_tokens, batch_size, num_steps)
    assert [len(window.inputs) for window in found[:-1]] == [num_steps] * (len(found) - 1)
    assert 1 <= len(found[-1].inputs) <= num_steps


def test_worked_by_hand_with_its_tail() -> None:
    first, second = windows(11, 2, 3)
    assert first.inputs.tolist() == [[0, 5], [1, 6], [2, 7]]
    assert first.targets.tolist() == [[1, 6], [2, 7], [3, 8]]
    assert second.inputs.tolist() == [[3, 8]]
    assert second.targets.tolist() == [[4, 9]]  # the eleventh token fills no row


def test_one_stream_leaves_no_token_out() -> None:
    targets = torch.cat([window.targets for window in windows(23, 1, 4)])
    assert targets[:, 0].tolist() == list(range(1, 23))


@pytest.mark.parametrize("num_parts", [2, 3, 6])
def test_parts_side_by_side_are_the_whole_window_in_order(num_parts: int) -> None:
    whole, parts = windows(100, 6, 5), windows(100, 6, 5, num_parts)
    assert len(parts) == num_parts * len(whole)
    assert [window.part for window in parts] == list(range(num_parts)) * len(whole)
    for number, window in enumerate(whole):
        group = parts[number * num_parts : (number + 1) * num_parts]
        assert torch.equal(torch.cat([part.inputs for part in group], 1), window.inputs)
        assert torch.equal(torch.cat([part.targets for part in group], 1), window.targets)


def test_ids_beyond_16_bits_survive() -> None:
    tokens = np.array([70_000, 3, 1_000_000, 70_001], dtype=np.int32)
    (window,) = stream_windows(tokens, 1, 10, CPU)
    assert window.inputs.dtype == torch.int64
    assert window.inputs[:, 0].tolist() == [70_000, 3, 1_000_000]


def test_streams_that_cannot_be_made_are_refused_with_their_numbers() -> None:
    with pytest.raises(ValueError, match="4 streams cannot be split into 3 equal parts"):
        windows(100, 4, 5, 3)
    with pytest.raises(ValueError, match="7 tokens are too few for 4 streams"):
        windows(7, 4, 5)


def varied(num_tokens: int, batch_size: int, num_steps: int, seed: int = 0, **variation: bool) -> list[Window]:
    chosen = Variation(np.random.default_rng(seed), **variation)
    return list(stream_windows(np.arange(num_tokens), batch_size, num_steps, CPU, 1, chosen))


def test_random_windows_follow_each_other_to_the_end_of_the_text() -> None:
    found = varied(5_000, 2, 20, random_steps=True)
    assert torch.cat([window.inputs for window in found]).T.tolist() == [
        list(range(2_499)), list(range(2_500, 4_999))
    ]  # fmt: skip
    sizes = [len(window.inputs) for window in found[:-1]]
    assert min(sizes) >= 5
    assert 17 < np.mean(sizes) < 22
    assert len(set(sizes)) > 5
    assert all(torch.equal(window.inputs + 1, window.targets) for window in found)


def test_other_seeds_make_other_windows() -> None:
    sizes = [[len(window.inputs) for window in varied(900, 1, 20, seed, random_steps=True)] for seed in (0, 0, 1)]
    assert sizes[0] == sizes[1] != sizes[2]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_rotated_stream_has_all_its_tokens_from_another_start(seed: int) -> None:
    found = varied(33, 3, 4, seed, rotate=True)
    streams = torch.cat([found[0].inputs[:1], *(window.targets for window in found)]).T.tolist()
    for number, stream in enumerate(streams):
        own = list(range(11 * number, 11 * number + 11))
        start = own.index(stream[0])
        assert stream == own[start:] + own[:start]
    assert len({stream[0] % 11 for stream in streams}) > 1 or seed


@pytest.mark.parametrize("kind", ["random_steps", "rotate"])
def test_parts_of_varied_batches_are_the_whole(kind: str) -> None:
    def make(num_parts: int) -> list[Window]:
        chosen = Variation(np.random.default_rng(7), **{kind: True})
        return list(stream_windows(np.arange(400), 4, 6, CPU, num_parts, chosen))

    parts = make(2)
    for number, window in enumerate(make(1)):
        together = torch.cat([part.inputs for part in parts[2 * number : 2 * number + 2]], 1)
        assert torch.equal(together, window.inputs)
