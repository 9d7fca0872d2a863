"""Laws of dealing batches out to workers: every item to exactly one, whatever the number of workers."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from lstmdrop.data.batching import PlannedBatches, Share, Variation, Window, stream_windows
from lstmdrop.plugin import load_plugin
from lstmdrop.settings import resolve_config

CPU = torch.device("cpu")


def shares(count: int) -> list[Share]:
    return [Share(worker, count) for worker in range(count)]


@given(st.integers(0, 100), st.integers(1, 120), st.integers(0, 50))
def test_shares_are_each_item_once_in_order_and_of_one_size_but_for_one(size: int, count: int, first: int) -> None:
    places = [share.of(size, first) for share in shares(count)]
    assert [item for place in places for item in range(place.start, place.stop)] == list(range(first, first + size))
    sizes = [place.stop - place.start for place in places]
    assert max(sizes) - min(sizes) <= 1


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(1, 12))
def test_a_plan_is_dealt_out_whole_and_an_empty_share_is_none(sizes: list[int], count: int) -> None:
    plan = np.split(np.random.default_rng(0).permutation(sum(sizes)), np.cumsum(sizes)[:-1])
    batches = PlannedBatches(plan, lambda numbers: numbers.tolist())
    dealt = [list(batches.shared(share)) for share in shares(count)]
    assert {len(own) for own in dealt} == {len(plan)}  # all workers make as many steps
    for step, numbers in enumerate(plan):
        parts = [own[step] for own in dealt]
        assert [item for part in parts for item in part or []] == numbers.tolist()
        assert [] not in parts


@pytest.mark.parametrize("varied", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize(("num_parts", "count"), [(1, 1), (1, 3), (1, 7), (2, 2), (2, 3)])
def test_streams_are_dealt_out_part_by_part(num_parts: int, count: int, varied: tuple[bool, bool]) -> None:
    batch_size = 8 if num_parts == 2 else 7

    def windows(share: Share) -> list[Window]:
        variation = Variation(np.random.default_rng(4), *varied)
        return list(stream_windows(np.arange(500), batch_size, 6, CPU, num_parts, variation, share))

    whole, dealt = windows(Share()), [windows(share) for share in shares(count)]
    for expected, *parts in zip_longest(whole, *dealt):
        assert {part.part for part in parts} == {expected.part}
        assert torch.equal(torch.cat([part.inputs for part in parts], 1), expected.inputs)
        assert torch.equal(torch.cat([part.targets for part in parts], 1), expected.targets)


AUGMENTED = ("augmentation.time_masks=2", "augmentation.frequency_masks=1", "augmentation.time_mask_frames=4")


@pytest.mark.parametrize("count", [2, 5])
def test_recordings_are_augmented_alike_whoever_hears_them(toys: Any, tmp_path: Any, count: int) -> None:
    plugin = load_plugin("asr")
    data, overrides = toys["asr"]
    config = resolve_config(plugin, "tiny", data, overrides=[*overrides, *AUGMENTED])
    task = plugin.build(config, tmp_path, CPU, None)
    for epoch in (1, 2):
        whole = [heard(batch) for batch in task.batches("train", epoch=epoch)]
        dealt = [list(task.shared_batches(share, epoch=epoch)) for share in shares(count)]
        for expected, *parts in zip_longest(whole, *dealt):
            found: dict[int, Tensor] = {}
            for part in parts:
                found |= heard(part) if part is not None else {}
            assert list(found) == list(expected)
            assert all(torch.equal(found[number], features) for number, features in expected.items())


def heard(batch: Any) -> dict[int, Tensor]:
    """Features without their padding, by the number of the utterance."""
    columns = zip(batch.numbers.tolist(), batch.lengths.tolist(), strict=True)
    return {number: batch.features[:length, column] for column, (number, length) in enumerate(columns)}
