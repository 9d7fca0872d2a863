"""Laws of what workers share that need no second process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from lstmdrop.data.batching import Share
from lstmdrop.errors import ConfigError, UsageError
from lstmdrop.training.launch import Launch, is_follower, launched
from lstmdrop.training.sharing import add_up_tallies, draw_own_masks, require_shareable
from lstmdrop.training.workers import Workers

CPU = torch.device("cpu")


class OneOf(Workers):
    """A worker whose sums are given to it: those of the others are added to its own."""

    def __init__(self, worker: int, count: int, others: Sequence[int] = ()) -> None:
        super().__init__(CPU)
        self.share = Share(worker, count)
        self.others = others

    def gathered(self, value: Any) -> list[Any]:
        return [value, *self.others]


def masks(worker: int, step: int, count: int = 2) -> Tensor:
    draw_own_masks(OneOf(worker, count), seed=1, step=step)
    return torch.rand(1000) < 0.5


def test_masks_differ_by_worker_and_step_and_follow_from_them() -> None:
    drawn = [masks(worker, step) for worker in range(2) for step in (1, 2)]
    for number, first in enumerate(drawn):
        for other in drawn[number + 1 :]:
            assert 0.4 < float((first == other).float().mean()) < 0.6
    assert torch.equal(masks(1, 2), drawn[3])


def test_one_worker_draws_on_as_if_there_were_no_others() -> None:
    torch.manual_seed(7)
    expected = torch.rand(5)
    torch.manual_seed(7)
    draw_own_masks(Workers(CPU), seed=1, step=1)
    assert torch.equal(torch.rand(5), expected)


def test_what_all_have_counted_is_told_once() -> None:
    class Counting:
        tally = 3

    first, second = Counting(), Counting()
    add_up_tallies(first, OneOf(0, 2, others=[4]))
    add_up_tallies(second, OneOf(1, 2, others=[4]))
    assert (first.tally, second.tally) == (7, 0)


@pytest.mark.parametrize(("settings", "most"), [((), 4), (("training.accumulate=2",), 2)])
def test_more_workers_than_streams_are_refused_in_a_line(
    build_lm: Callable[..., Any], settings: tuple[str, ...], most: int
) -> None:
    task = build_lm(*settings)
    require_shareable(task, OneOf(0, most))
    with pytest.raises(ConfigError, match=f"{most + 1} workers cannot share a batch of {most} streams") as caught:
        require_shareable(task, OneOf(0, most + 1))
    assert "\n" not in str(caught.value)


def test_a_task_that_deals_nothing_out_is_for_one_worker() -> None:
    class Plain:
        def objective(self) -> Callable[[Any], Any]:
            return lambda batch: None

    require_shareable(Plain(), Workers(CPU))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="by one worker, without torchrun"):
        require_shareable(Plain(), OneOf(0, 2))  # type: ignore[arg-type]


LAUNCHED = {"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4"}


def test_workers_are_there_if_and_only_if_all_three_names_are_set() -> None:
    assert launched(LAUNCHED) == Launch(rank=3, local_rank=1, world_size=4, restarts=0)
    assert launched({**LAUNCHED, "TORCHELASTIC_RESTART_COUNT": "2"}) == Launch(3, 1, 4, 2)
    for missing in LAUNCHED:
        some = {name: value for name, value in LAUNCHED.items() if name != missing}
        assert launched(some) is None
        assert not is_follower(some)
    assert is_follower(LAUNCHED)
    assert not is_follower({**LAUNCHED, "RANK": "0"})


@pytest.mark.parametrize(
    "wrong", [{"RANK": "x"}, {"RANK": "4"}, {"RANK": "-1"}, {"WORLD_SIZE": ""}, {"LOCAL_RANK": "9"}]
)
def test_numbers_that_name_no_worker_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="name no worker"):
        launched({**LAUNCHED, **wrong})


@pytest.mark.parametrize("rank", ["0", "1"])
@pytest.mark.parametrize(
    "arguments", [("eval", "nowhere"), ("train", "lm", "--no-such"), ("train", "lm", "--dry-run", "--resume")]
)
def test_a_mistake_is_told_by_the_first_worker_alone(
    lstmdrop: Any, monkeypatch: pytest.MonkeyPatch, rank: str, arguments: tuple[str, ...]
) -> None:
    for name, value in {**LAUNCHED, "RANK": rank, "LOCAL_RANK": rank}.items():
        monkeypatch.setenv(name, value)
    outcome = lstmdrop(*arguments)
    assert outcome.code == 2
    assert outcome.output == ""
    assert (outcome.messages == "") == (rank == "1")
