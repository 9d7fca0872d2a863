"""Laws of the number of threads: it follows the rate, and changes no weight."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from lstmdrop.training import threads
from lstmdrop.training.threads import LOOK_AGAIN_SECONDS, Threads, threads_for
from lstmdrop.training.trainer import Trainer


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


class Alike:
    sums_one_way = True


def run(chosen: Threads, rates: dict[int, float], seconds: float) -> set[int]:
    """Steps of 0.2 s on a machine where so many threads have such a rate; the numbers that were used."""
    used = set()
    for _ in range(round(seconds / 0.2)):
        used.add(torch.get_num_threads())
        chosen.note(round(0.2 * rates[torch.get_num_threads()]), 0.2)
    return used


ALONE, BESIDE = {4: 4000.0, 2: 2500.0, 1: 1300.0}, {4: 900.0, 2: 1600.0, 1: 1200.0}


def test_all_are_tried_and_the_fastest_number_stays() -> None:
    chosen = Threads(4)
    assert run(chosen, ALONE, 5) == {4, 2, 1}
    assert run(chosen, ALONE, 600) == {4}, "nothing is looked for where all threads are in use and the rate stays"
    chosen = Threads(4)
    run(chosen, BESIDE, 5)
    assert torch.get_num_threads() == 2


def test_they_are_tried_again_when_the_rate_halves_and_when_a_neighbour_may_have_gone() -> None:
    chosen = Threads(4)
    run(chosen, ALONE, 20)
    assert run(chosen, BESIDE, 15) == {4, 2, 1}
    assert torch.get_num_threads() == 2
    run(chosen, ALONE, LOOK_AGAIN_SECONDS + 15)
    assert torch.get_num_threads() == 4


def test_a_look_that_finds_nothing_new_comes_ever_more_rarely() -> None:
    chosen = Threads(4)
    run(chosen, BESIDE, 5)
    looks = [len(run(chosen, BESIDE, LOOK_AGAIN_SECONDS)) > 1 for _ in range(60)]
    assert sum(looks[:10]) > sum(looks[30:40]) > 0


def test_one_thread_is_never_left_and_another_kernel_keeps_its_number() -> None:
    torch.set_num_threads(3)
    with threads_for(Alike(), torch.device("cpu"), ["onednn", "native"]) as kept:
        assert run(kept, {3: 1000.0}, 20) == {3}
    with threads_for(None, torch.device("cpu"), ["onednn"]) as kept:
        assert run(kept, {3: 1000.0}, 20) == {3}
    with threads_for(Alike(), torch.device("cpu"), ["onednn"]) as chosen:
        assert run(chosen, {3: 1000.0, 1: 1500.0}, 20) == {3, 1}
    assert torch.get_num_threads() == 3


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["zaremba", "zoneout", "weight-drop"])
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_the_number_of_threads_changes_no_weight(
    build_lm: Callable[..., Any], precision: str, rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a size where products are shared out, and with another number at every step."""
    monkeypatch.setattr(threads, "TRIAL_SECONDS", 0.0)
    monkeypatch.setattr(threads, "TRIAL_STEPS", 1)
    settings = [
        "model.hidden_size=256", "training.num_steps=16", "training.batch_size=16", "training.epochs=1",
        f"training.precision={precision}", f"regularizer.rule={rule}",
    ]  # fmt: skip
    trained = []
    for number in (1, 4):
        torch.set_num_threads(number)
        task = build_lm(*settings)
        trainer = Trainer(task, task.config)
        for _ in trainer.run():
            pass
        trained.append(trainer)
    first, second = (one.task.model.state_dict() for one in trained)
    if any(kernel != "onednn" for kernel in trained[0].state_dict().values["kernels"].values()):
        pytest.skip("this machine has no oneDNN kernel for it, and the number of threads stays")
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    "setting", ["training.ar=2", "training.tar=1", "model.softmax=sampled", "training.batch_size=20000"]
)
def test_where_more_threads_would_round_otherwise_the_number_stays(build_lm: Callable[..., Any], setting: str) -> None:
    assert build_lm().sums_one_way
    task = build_lm(setting)
    torch.set_num_threads(2)
    with threads_for(task, torch.device("cpu"), ["onednn"]) as kept:
        assert kept.numbers == [2]
