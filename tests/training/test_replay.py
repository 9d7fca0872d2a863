"""Laws of replaying: which steps are recorded, and what happens to the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from lstmdrop.nn.lstm import RegularizedLSTM
from lstmdrop.nn.rules import make_regularizer
from lstmdrop.training.replay import WARM_UP_STEPS, Record, Replay, recorder_on


class Batch(NamedTuple):
    values: Tensor
    part: int = 0


class Sum:
    """Carries the sum of all that came, and makes a new tensor of it at each step."""

    def __init__(self) -> None:
        self.total = torch.zeros(())

    def state_dict(self) -> dict[str, Tensor]:
        return {"total": self.total}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.total = state["total"]


def replaying(objective: Sum) -> tuple[Replay[Batch], list[str]]:
    calls: list[str] = []

    def update(batches: Sequence[Batch]) -> int:
        calls.append("update")
        objective.total = objective.total + sum(batch.values.sum() for batch in batches)
        return sum(len(batch.values) for batch in batches)

    def record(run: Callable[[], None]) -> Callable[[], None]:
        calls.append("record")

        def repeat() -> None:
            calls.append("replay")
            run()

        return repeat

    return Replay(update, objective, record), calls


def test_a_shape_is_recorded_once_it_has_come_often_enough() -> None:
    objective = Sum()
    replay, calls = replaying(objective)
    for number in range(WARM_UP_STEPS + 3):
        assert replay([Batch(torch.full((2,), float(number)))]) == 2
    assert calls == ["update"] * WARM_UP_STEPS + ["record"] + ["replay", "update"] * 3
    assert float(objective.total) == 2 * sum(range(WARM_UP_STEPS + 3))


def test_other_shapes_are_eager_and_go_on_from_what_was_carried() -> None:
    objective = Sum()
    replay, calls = replaying(objective)
    for _ in range(WARM_UP_STEPS + 1):
        replay([Batch(torch.ones(2))])
    calls.clear()
    assert replay([Batch(torch.ones(3))]) == 3
    assert replay([Batch(torch.ones(2), part=1)]) == 2  # another number is another shape: it is not copied
    assert calls == ["update", "update"]
    assert float(objective.total) == 2 * (WARM_UP_STEPS + 1) + 5
    replay([Batch(torch.ones(2))])
    assert float(objective.total) == 2 * (WARM_UP_STEPS + 1) + 7


def test_the_carried_tensor_is_where_the_recording_left_it() -> None:
    objective = Sum()
    replay, _ = replaying(objective)
    for _ in range(WARM_UP_STEPS + 1):
        replay([Batch(torch.ones(2))])
    place = objective.state_dict()["total"].data_ptr()
    replay([Batch(torch.ones(2))])
    assert objective.state_dict()["total"].data_ptr() == place


def repeated_by_calling(run: Callable[[], None]) -> Callable[[], None]:
    return run


@pytest.mark.parametrize("rule", ["zaremba", "naive", "variational", "recurrent", "zoneout", "weight-drop"])
@pytest.mark.parametrize(
    ("device", "record"),
    [
        pytest.param("cpu", repeated_by_calling, id="cpu"),
        pytest.param(
            "cuda", recorder_on(torch.device("cuda")), id="cuda",
            marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")],
        ),
    ],
)  # fmt: skip
def test_every_replay_draws_masks_of_its_own(rule: str, device: str, record: Record) -> None:
    lstm = RegularizedLSTM(8, 8, 2, make_regularizer(rule, 0.5)).to(device).train()
    found = torch.zeros(5, 3, 8, device=device)

    @torch.no_grad()
    def update(batches: Sequence[Batch]) -> int:
        found.copy_(lstm(batches[0].values)[0])
        return 1

    replay, batch = Replay(update, Sum(), record), Batch(torch.ones(5, 3, 8, device=device))
    outputs = [found.clone() for _ in range(WARM_UP_STEPS + 3) if replay([batch])]
    assert len({tuple(output.flatten().tolist()) for output in outputs}) == len(outputs)
