"""Laws of the trainer on a task of two numbers, whose every step can be worked by hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from lstmdrop.config import TaskConfig, TrainingConfig
from lstmdrop.errors import DataError
from lstmdrop.metrics.score import Score
from lstmdrop.task import Loss
from lstmdrop.training.bench import plain_step, training_step
from lstmdrop.training.finite import NonFiniteError
from lstmdrop.training.progress import Evaluated, Event, Logged, Stepped, Validating
from lstmdrop.training.trainer import Trainer


class Batch(NamedTuple):
    slope: float
    count: int = 1
    divisor: int = 1


class Line(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.zeros(1, dtype=torch.float64))
        self.unused = nn.Parameter(torch.ones(1, dtype=torch.float64))
        self.frozen = nn.Parameter(torch.ones(1, dtype=torch.float64), requires_grad=False)


class Carrying:
    """Goes down a line whose slope each batch gives, and counts the batches of the pass that it has seen."""

    def __init__(self, task: Toy) -> None:
        self.task, self.seen = task, torch.zeros(1)

    def __call__(self, batch: Batch) -> Loss:
        self.seen = self.seen + 1
        self.task.calls.append((batch, int(self.seen), self.task.model.training))
        total = batch.slope * self.task.model.place.sum() + 10 * batch.count
        plain = None if self.task.plain is None else torch.tensor(self.task.plain * batch.count)
        return Loss(total, batch.count, batch.divisor, plain)

    def state_dict(self) -> dict[str, Tensor]:
        return {"seen": self.seen}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.seen = state["seen"]


class Toy:
    """A task; ``scores`` are those of its epochs."""

    def __init__(self, batches: Sequence[Batch], scores: Sequence[float] = (), **training: Any) -> None:
        settings = {"rate": 1.0, "decay": 1.0, "clip": 1e9, "epochs": 2, "log_every": 2, **training}
        self.config = TaskConfig(task="toy", training=TrainingConfig.model_validate(settings))
        self.model = Line()
        self.plain: float | None = None
        self.pause, self.sha256 = 0.0, "0123456789abcdef"
        self.calls: list[tuple[Batch, int, bool]] = []
        self.scored: list[tuple[float, bool]] = []
        self._batches, self._scores = batches, list(scores)

    @property
    def place(self) -> float:
        return float(self.model.place.detach())

    def batches(self, split: str, *, epoch: int = 0) -> Sequence[Batch]:
        assert split == "train"
        return [batch._replace(slope=batch.slope * epoch) for batch in self._batches]

    def num_batches(self, split: str) -> int:
        return len(self._batches)

    def objective(self) -> Callable[[Batch], Loss]:
        return Carrying(self)

    def evaluate(self, split: str, *, outputs: Path | None = None) -> Sequence[Score]:
        assert split == "valid"
        time.sleep(self.pause)
        self.scored.append((self.place, self.model.training))
        value = self._scores[len(self.scored) - 1] if self._scores else self.place
        return [Score("loss", value, False, "")]

    def summary(self) -> Mapping[str, str]:
        return {}

    def data_sha256(self) -> str:
        return self.sha256


def trainer(task: Toy) -> Trainer[Batch]:
    return Trainer(task, task.config)


def fit(task: Toy) -> list[Event]:
    return list(trainer(task).run())


BATCHES = [Batch(1.0, 3), Batch(2.0, 1), Batch(4.0, 2)]


def test_each_step_goes_down_the_slope_of_its_batch_and_leaves_what_has_none() -> None:
    task = Toy(BATCHES)
    places = [task.place for event in trainer(task).run() if isinstance(event, Stepped)]
    assert places == [-1, -3, -7, -9, -13, -21]  # the second epoch's slopes are twice as steep
    assert task.model.unused.tolist() == task.model.frozen.tolist() == [1]
    assert all(parameter.grad is None for parameter in task.model.parameters())


def test_batches_that_are_one_together_are_divided_by_the_sum_of_their_divisors() -> None:
    """The last group of an epoch may be smaller: it is a step too."""
    task = Toy([Batch(1.0, divisor=2), Batch(5.0, divisor=1), Batch(8.0, divisor=4)], accumulate=2, epochs=1)
    places = [task.place for event in trainer(task).run() if isinstance(event, Stepped)]
    assert places == [-(1 + 5) / 3, -(1 + 5) / 3 - 8 / 4]


def test_the_gradient_is_clipped_and_its_norm_before_that_is_logged() -> None:
    task = Toy([Batch(3.0), Batch(-8.0)], clip=2.0, epochs=1, log_every=1)
    events = fit(task)
    assert [event.gradient_norm for event in events if isinstance(event, Logged)] == [3, 8]
    assert task.place == pytest.approx(-2 + 2, abs=1e-5)


def test_training_and_scoring_each_have_the_model_in_its_mode() -> None:
    task = Toy(BATCHES)
    fit(task)
    assert all(is_training for *_, is_training in task.calls)
    assert task.scored == [(-7, False), (-21, False)]


def test_every_epoch_has_a_fresh_objective() -> None:
    task = Toy(BATCHES)
    fit(task)
    assert [seen for _, seen, _ in task.calls] == [1, 2, 3, 1, 2, 3]


def test_losses_are_pooled_over_what_they_are_said_of() -> None:
    task = Toy(BATCHES, log_every=2, epochs=2)
    totals, found, epochs = [], [], []
    for event in trainer(task).run():
        if isinstance(event, Stepped):
            batch, epoch = BATCHES[(event.step - 1) % 3], event.epoch
            before = [0, -1, -3, -7, -9, -13][event.step - 1]
            totals.append((batch.slope * epoch * before + 10 * batch.count, batch.count))
        elif isinstance(event, Logged):
            found.append(event)
        elif isinstance(event, Evaluated):
            epochs.append(event)

    def pooled(some: list[tuple[float, int]]) -> Any:
        return pytest.approx(sum(total for total, _ in some) / sum(count for _, count in some))

    assert [event.step for event in found] == [2, 4, 6]
    assert [event.epoch for event in found] == [1, 2, 2]
    for event in found:
        assert event.loss == pooled(totals[event.step - 2 : event.step])  # over the end of an epoch too
    assert [event.training_loss for event in epochs] == [pooled(totals[:3]), pooled(totals[3:])]


def test_the_plain_loss_is_what_is_said_where_there_is_one() -> None:
    task = Toy(BATCHES, log_every=1, epochs=1)
    task.plain = 0.5
    events = fit(task)
    assert [event.loss for event in events if isinstance(event, Logged)] == [0.5] * 3
    assert [event.training_loss for event in events if isinstance(event, Evaluated)] == [0.5]


def test_speed_is_of_the_items_and_the_seconds_since_the_last_entry_and_scoring_takes_none() -> None:
    task = Toy([Batch(0.0, 5), Batch(0.0, 7)] * 3, log_every=2, epochs=2)
    task.pause = 0.5
    logged = [event for event in fit(task) if isinstance(event, Logged)]
    assert len(logged) == 6
    seconds = [0.0, *(event.seconds for event in logged)]
    for event, start, end in zip(logged, seconds, seconds[1:], strict=False):
        assert event.tokens_per_second == pytest.approx(12 / (end - start))
    assert seconds == sorted(seconds)
    assert 0 < seconds[-1] < 0.5


def test_what_a_caller_does_with_an_event_takes_no_training_time() -> None:
    task, seconds = Toy(BATCHES, log_every=1, epochs=1), 0.0
    for event in trainer(task).run():
        if isinstance(event, Stepped):
            time.sleep(0.2)
        elif isinstance(event, Logged):
            seconds = event.seconds
    assert 0 < seconds < 0.4


def test_events_say_where_they_happen() -> None:
    said = [(type(event), event.step, event.epoch) for event in fit(Toy(BATCHES[:1], log_every=2))]
    assert said == [
        (Stepped, 1, 1), (Validating, 1, 1), (Evaluated, 1, 1),
        (Logged, 2, 2), (Stepped, 2, 2), (Validating, 2, 2), (Evaluated, 2, 2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("scores", "patience", "bests", "last"),
    [
        ([5, 4, 4, 4, 4, 4], 2, [1, 2], 4),
        ([5, 6, 4, 6, 3, 9, 9, 9], 2, [1, 3, 5], 7),
        ([5, 5, 1], 1, [1], 2),
        ([5, 6, 6, 6], None, [1], 4),
    ],
)
def test_patience_ends_with_the_epochs_that_are_no_better(
    scores: list[float], patience: int | None, bests: list[int], last: int
) -> None:
    task = Toy(BATCHES[:1], scores, patience=patience, epochs=len(scores))
    events = [event for event in fit(task) if isinstance(event, Evaluated)]
    assert [event.epoch for event in events if event.is_best] == bests
    assert events[-1].epoch == last


def test_a_run_that_has_ended_has_nothing_more_to_do() -> None:
    task = Toy(BATCHES, [3, 4, 5], patience=1, epochs=9)
    over = trainer(task)
    list(over.run())
    for done in (over, trainer(Toy(BATCHES, patience=1, epochs=9))):
        done.load_state_dict(over.state_dict())
        assert list(done.run()) == []


@pytest.mark.parametrize("stop", range(1, 7))
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_wherever_it_stops_the_rest_is_that_of_the_whole(stop: int, optimizer: str) -> None:
    settings = {"optimizer": optimizer, "accumulate": 2, "epochs": 3, "average_from": 2, "log_every": 1}
    batches = [*BATCHES, Batch(-3.0, 2)]
    whole = Toy(batches, **settings)
    first = trainer(whole)
    for event in first.run():
        if isinstance(event, Stepped) and event.step == stop:
            checkpoint = first.state_dict()
            tensors = {name: value.clone() for name, value in checkpoint.tensors.items()}
    rest = Toy(batches, **settings)
    second = trainer(rest)
    second.load_state_dict(type(checkpoint)(tensors, checkpoint.values))
    list(second.run())
    assert rest.calls == whole.calls[2 * stop :]
    assert rest.scored == whole.scored[-len(rest.scored) :]
    assert torch.equal(rest.model.place, whole.model.place)
    assert torch.equal(second.scored_weights()["place"], first.scored_weights()["place"])


def test_other_data_is_refused_with_the_beginnings_of_both_hashes() -> None:
    checkpoint = trainer(Toy(BATCHES)).state_dict()
    other = Toy(BATCHES)
    other.sha256 = "f" * 16
    with pytest.raises(DataError, match=r"it was 0123456789ab, and is ffffffffffff\)"):
        trainer(other).load_state_dict(checkpoint)


def test_a_score_that_is_no_number_stops_the_run_before_it_counts() -> None:
    task = Toy(BATCHES, [3.0, float("nan")])
    running = trainer(task)
    with pytest.raises(NonFiniteError, match=r"^step 6: .*epoch 2, rate 1\)"):
        list(running.run())
    assert running.progress.epoch == 2


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_state_that_is_not_finite_is_not_given_out(value: float) -> None:
    task = Toy(BATCHES)
    running = trainer(task)
    running.state_dict()
    with torch.no_grad():
        task.model.place.fill_(value)
    with pytest.raises(NonFiniteError, match=r"^step 0: the weights place are not finite"):
        running.state_dict()


def test_the_plain_step_and_the_trainers_go_the_same_way() -> None:
    """So that a benchmark of one against the other compares like with like."""
    for optimizer, decay in (("sgd", 0.0), ("adamw", 0.01)):  # the decay that a library's optimiser has by itself
        settings = {"optimizer": optimizer, "weight_decay": decay, "rate": 0.1, "clip": 2.5}
        ours, plain = (Toy(BATCHES, **settings) for _ in range(2))
        plain.model.unused.requires_grad_(False)

        class Whole(nn.Module):
            def __init__(self, task: Toy) -> None:
                super().__init__()
                self.line, self.objective = task.model, task.objective()

            def forward(self, batch: Batch) -> Tensor:
                return self.objective(batch).total / batch.divisor

        ours.model.eval()  # as a score may have left it
        step = training_step(ours, BATCHES)
        beside = plain_step(Whole(plain), plain.config.training, BATCHES)
        for _ in range(5):
            step()
            beside()
            torch.testing.assert_close(ours.model.place, plain.model.place, atol=1e-6, rtol=0)
        assert [batch for batch, *_ in ours.calls] == [*BATCHES, *BATCHES[:2]]
        assert all(is_training for *_, is_training in ours.calls)
