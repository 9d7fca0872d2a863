"""Laws of many workers in one run, with real processes over gloo."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.scaling.conftest import IS_LONG, Crew, cases, furthest, last

from lstmdrop.data.batching import Share
from lstmdrop.run import Run
from lstmdrop.training.progress import Evaluated
from lstmdrop.training.trainer import Trainer
from lstmdrop.training.workers import LaunchedWorkers, Workers

pytestmark = pytest.mark.slow

SMALL = {
    "lm": ("training.epochs=4",),
    "mt": ("training.batch_tokens=20", "training.epochs=5"),
    "asr": ("training.batch_frames=60", "training.epochs=4"),
    "caption": ("training.batch_tokens=20", "training.epochs=3"),
}
"""Fifty steps and more, of batches that leave some of the workers nothing."""

PLAIN = ("regularizer.rule=none", "training.kernel=native")
SGD = ("training.optimizer=sgd", "training.rate=0.1")
UNEVEN = ("training.batch_size=5", "training.num_steps=5")
PARTS = ("training.batch_size=6", "training.accumulate=2")
RECIPES = cases(
    [("lm", UNEVEN), ("mt", SGD), ("asr", SGD), ("caption", SGD)],
    [
        ("lm", (*PARTS, "training.rotate=true", "training.random_steps=true", "training.ar=2", "training.tar=1")),
        ("lm", (*UNEVEN, "model.softmax=adaptive")),
        ("lm", (*UNEVEN, "training.average_from=2", "training.average_over=steps", "training.weight_decay=0.01")),
        (
            "lm",
            (*UNEVEN, "training.schedule=cosine", "training.warmup=0.3", "training.decay=2", "training.decay_after=4"),
        ),
        ("mt", (*SGD, "training.accumulate=2", "training.label_smoothing=0")),
        ("asr", (*SGD, "objective=frames")),
        ("asr", (*SGD, "augmentation.time_masks=2")),
        ("mt", ()),
        ("asr", ()),
        ("caption", ()),
    ],
)


def plain_run(crew: Crew, task: str, count: int, settings: tuple[str, ...]) -> Path:
    return crew.train(task, count, f"by{count}", *PLAIN, *SMALL[task], *settings)


@pytest.mark.parametrize(("task", "settings"), RECIPES)
def test_many_workers_give_the_weights_of_one(crew: Crew, task: str, settings: tuple[str, ...]) -> None:
    # Adam divides a gradient by its own size, rounding included.
    most, one = (1e-6 if task == "lm" or SGD[0] in settings else 1e-5), plain_run(crew, task, 1, settings)
    for count in cases([2, 4], [3, 7] if task != "lm" else [3]):
        if task == "lm" and "training.accumulate=2" in settings and count > 3:
            continue  # so many are refused
        many = plain_run(crew, task, count, settings)
        assert (
            last(many).values["step"] == last(one).values["step"] >= 50 // (1 + ("training.accumulate=2" in settings))
        )
        assert furthest(last(many).part("model"), last(one).part("model")) < most
        assert furthest(last(many).part("average"), last(one).part("average")) < most
        assert last(many).values["items"] == last(one).values["items"]
        assert Run(many).result()["world_size"] == count
        for found, expected in zip(losses(many), losses(one), strict=True):
            assert found == pytest.approx(expected, rel=1e-5)


def losses(run: Path) -> list[float]:
    """Of each epoch in training."""
    entries = map(json.loads, (run / "log.jsonl").read_text(encoding="utf-8").splitlines())
    return [entry["training_loss"] for entry in entries if entry["event"] == "evaluated"]


def stopping(rank: int, step: int, number: signal.Signals = signal.SIGTERM) -> Callable[[int], None]:
    """Lets one worker send itself a signal in a step, and no other know of it."""

    def before(own_rank: int) -> None:
        make_step = Trainer.step

        def step_and_signal(trainer: Trainer[Any], batches: Any) -> None:
            if trainer.progress.step == step - 1 and own_rank == rank:
                os.kill(os.getpid(), number)
            make_step(trainer, batches)

        Trainer.step = step_and_signal  # type: ignore[method-assign]

    return before


def resumed(crew: Crew, task: str, counts: list[int], *settings: str, before: Any = None) -> Path:
    """A run that one worker of the first number stops in the middle of an epoch, and the next numbers go on with."""
    first, *others = counts
    name, stops = "_".join(map(str, counts)), range(7, 99, 11)
    for count, stop in zip([first, *others[:-1]], stops, strict=False):
        codes = crew.codes(task, count, name, *settings, before=stopping(count - 1, stop), resume=stop > 7)
        assert codes == [130] * count
        assert stop <= last(crew.folder / name).values["step"] <= stop + 2  # all at one step, and soon
    codes = crew.codes(task, others[-1], name, *settings, resume=True, **({} if before is None else {"before": before}))
    assert codes == [0] * others[-1]
    return crew.folder / name


@pytest.mark.parametrize(
    ("task", "settings"),
    cases(
        [("lm", (*UNEVEN, "training.epochs=2"))],
        [
            ("lm", (*PARTS, "training.rotate=true", "training.average_from=1", "training.average_over=steps")),
            ("lm", (*PARTS, "model.softmax=adaptive")),
            ("lm", (*PARTS, "model.softmax=sampled", "model.softmax_samples=9")),
            ("mt", ("training.epochs=6",)),
            ("asr", ()),
            ("caption", ("training.epochs=3",)),
        ],
    ),
)
def test_as_many_workers_go_on_to_the_same_bits(crew: Crew, task: str, settings: tuple[str, ...]) -> None:
    settings = (*settings, "training.kernel=native", "training.log_every=3")
    whole = last(crew.train(task, 2, "whole", *settings))
    found = last(resumed(crew, task, [2, 2], *settings))
    assert found.tensors.keys() == whole.tensors.keys()
    for name, value in whole.tensors.items():
        assert name.startswith("random.") or torch.equal(found.tensors[name], value), name


def restores_wrongly(rank: int) -> None:
    """As if each worker took up the state of the first one's streams."""
    own = LaunchedWorkers.own

    def of_the_first(workers: LaunchedWorkers, whole: Any, axis: int) -> Any:
        workers.share = Share(0, workers.count)
        found = own(workers, whole, axis)
        workers.share = Share(rank, workers.count)
        return found

    LaunchedWorkers.own = of_the_first  # type: ignore[method-assign]


def test_more_or_fewer_workers_go_on_to_the_weights_of_one(crew: Crew) -> None:
    settings = (*PLAIN, "training.batch_size=6", "training.epochs=3")
    one = last(crew.train("lm", 1, "one", *settings)).part("model")
    assert furthest(last(resumed(crew, "lm", [2, 3], *settings)).part("model"), one) < 1e-6
    if IS_LONG:
        for counts in ([1, 2, 4], [4, 1], [3, 2, 6, 3]):
            assert furthest(last(resumed(crew, "lm", counts, *settings)).part("model"), one) < 1e-6
    wrong = last(resumed(crew, "lm", [3, 2], *settings, before=restores_wrongly)).part("model")
    assert furthest(wrong, one) > 1e-6  # or these laws would hold whatever is restored


def test_with_dropout_the_loss_agrees_in_distribution(crew: Crew) -> None:
    seeds = range(20 if IS_LONG else 4)
    settings = ("regularizer.dropout=0.6", "training.kernel=native", "training.epochs=1")
    found = {
        count: [losses(crew.train("lm", count, f"{count}-{seed}", *settings, seed=seed))[-1] for seed in seeds]
        for count in (1, 2)
    }
    alone, shared = (np.array(found[count]) for count in (1, 2))
    assert not np.isin(alone, shared).any()  # the masks are others
    deviation = np.sqrt((alone.var(ddof=1) + shared.var(ddof=1)) / len(seeds))
    assert abs(alone.mean() - shared.mean()) < 4 * deviation + 0.01


class ByItself(Workers):
    """One of two that never hear of each other."""

    is_first = True

    def __init__(self, worker: int) -> None:
        super().__init__(torch.device("cpu"))
        self.share = Share(worker, 2)


def test_weights_averaged_now_and_then_are_the_mean_of_what_each_worker_came_to(crew: Crew, build_lm: Any) -> None:
    settings = (*PLAIN, "training.epochs=1")
    alone = []
    for worker in range(2):
        task = build_lm(*settings)
        for event in Trainer(task, task.config, ByItself(worker)).run():
            if isinstance(event, Evaluated):
                break
        alone.append(task.model.state_dict())
    mean = {name: (value + alone[1][name]) / 2 for name, value in alone[0].items()}
    run = crew.train("lm", 2, "rarely", *settings, "training.sync_every=1000")
    assert furthest(last(run).part("model"), mean) < 1e-6
    assert Run(run).config()["training"]["sync_every"] == 1000


def test_rounds_go_on_where_all_had_the_same_weights(crew: Crew) -> None:
    settings = ("training.optimizer=adam", "training.rate=0.01", "training.sync_every=4", "training.kernel=native")
    usual = last(crew.train("lm", 2, "each", *settings[:2], settings[3])).part("model")
    whole = last(crew.train("lm", 2, "whole", *settings))
    name = "stopped"
    assert crew.codes("lm", 2, name, *settings, before=stopping(1, 6)) == [130, 130]
    assert last(crew.folder / name).values["position"] % 4 == 0
    assert crew.codes("lm", 2, name, *settings, resume=True) == [0, 0]
    assert furthest(last(crew.folder / name).part("model"), whole.part("model")) == 0
    assert furthest(whole.part("model"), usual) > 1e-6


def test_alone_rounds_are_steps_and_are_noted_only_where_they_are_chosen(crew: Crew) -> None:
    settings = ("training.kernel=native", "training.epochs=1")
    plain = crew.train("lm", 1, "plain", *settings)
    rounds = crew.train("lm", 1, "rounds", *settings, "training.sync_every=3")
    assert furthest(last(rounds).part("model"), last(plain).part("model")) == 0
    assert "sync_every" not in Run(plain).config()["training"]


@pytest.mark.parametrize("number", cases([signal.SIGKILL], [signal.SIGINT]))
def test_a_worker_that_is_killed_leaves_no_other_waiting(crew: Crew, number: signal.Signals) -> None:
    codes = crew.codes("lm", 2, "killed", "training.save_minutes=0", before=stopping(1, 9, number))
    assert codes == ([1, -number] if number == signal.SIGKILL else [130, 130])
    assert 7 <= last(crew.folder / "killed").values["step"] <= 11


def test_more_workers_than_streams_leave_nothing(crew: Crew) -> None:
    assert crew.codes("lm", 3, "refused", "training.batch_size=2") == [3, 1, 1]
    assert not (crew.folder / "refused").exists()
