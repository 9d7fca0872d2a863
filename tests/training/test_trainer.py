"""Laws of the trainer: what may not change the weights, what is said about them, and when it stops."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lstmdrop.commands.train import train
from lstmdrop.data.batching import PlannedBatches
from lstmdrop.metrics.score import Score
from lstmdrop.run import Run
from lstmdrop.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from lstmdrop.training.finite import NonFiniteError
from lstmdrop.training.progress import Evaluated, Event, Logged, Progress, Stepped, Validating
from lstmdrop.training.trainer import Trainer

BuildLM = Callable[..., Any]


def weights(trainer: Trainer[Any]) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in trainer.task.model.state_dict().items()}


def fit(trainer: Trainer[Any]) -> list[Event]:
    return list(trainer.run())


def assert_same_tensors(found: Checkpoint, expected: Checkpoint) -> None:
    assert found.tensors.keys() == expected.tensors.keys()
    for name, value in expected.tensors.items():
        assert torch.equal(found.tensors[name], value), name


@pytest.mark.parametrize("parts", [2, 4])
def test_parts_of_a_batch_one_after_the_other_are_the_whole_batch(build_lm: BuildLM, parts: int) -> None:
    trained = []
    for accumulate in (1, parts):
        task = build_lm("regularizer.rule=none", f"training.accumulate={accumulate}")
        task.model.double()
        trainer = Trainer(task, task.config)
        events = [event for event in trainer.run() if isinstance(event, Evaluated)]
        trained.append((weights(trainer), events))
    (whole, whole_events), (split, split_events) = trained
    for name, value in whole.items():
        torch.testing.assert_close(split[name], value, atol=1e-10, rtol=0)
    assert [event.step for event in split_events] == [event.step for event in whole_events]
    for found, expected in zip(split_events, whole_events, strict=True):
        assert found.training_loss == pytest.approx(expected.training_loss, rel=1e-12)


USUAL = ("training.weight_decay=0.01", "training.average_from=1")
OTHERWISE = ("training.decay=2", "training.decay_after=4")
"""As they are by default: the toy's own would have no effect under another schedule."""
RECIPES = [
    ("training.optimizer=sgd", "regularizer.rule=zaremba", *USUAL),
    ("training.optimizer=sgd", "regularizer.rule=zoneout", *USUAL),
    ("training.optimizer=adamw", "regularizer.rule=zaremba", *USUAL),
    ("training.optimizer=adamw", "regularizer.rule=zoneout", *USUAL),
    ("training.optimizer=adam", "training.schedule=plateau", "model.tied=true", "training.rotate=true", *USUAL,
     *OTHERWISE),
    ("training.optimizer=adam", "training.schedule=one-cycle", "training.random_steps=true", "training.ar=2",
     *OTHERWISE),
    ("training.schedule=cosine", "training.warmup=0.3", "regularizer.embedding_dropout=0.2", "training.tar=1",
     *OTHERWISE),
    (
        "training.average_after=1", "training.average_over=steps", "regularizer.rule=weight-drop", "model.tied=true",
        "model.embedding_size=5", "regularizer.input_dropout=0.1", "training.rate=30",  # so that it is triggered
    ),
    ("training.average_from=2", "training.average_over=steps", "training.random_steps=true", "training.rotate=true"),
]  # fmt: skip


@pytest.mark.parametrize("recipe", RECIPES)
def test_stopping_anywhere_and_going_on_changes_no_bit(
    build_lm: BuildLM, tmp_path: Path, recipe: tuple[str, ...]
) -> None:
    settings = ("training.rate=0.02", "training.accumulate=2", *recipe)
    task = build_lm(*settings)
    trainer = Trainer(task, task.config)
    steps_per_epoch = task.num_batches("train") // 2
    stops = {1, 7, steps_per_epoch, steps_per_epoch + 3}
    expected_log = []
    for event in trainer.run():
        if isinstance(event, Stepped) and event.step in stops:
            write_checkpoint(tmp_path / f"{event.step}.safetensors", trainer.state_dict())
        if isinstance(event, Evaluated | Logged):
            expected_log.append(untimed(event))
    expected = trainer.state_dict()
    kernel = task.model.lstm.kernel
    for stop in stops:
        torch.manual_seed(99)
        resumed_task = build_lm(*settings, "seed=1")
        resumed = Trainer(resumed_task, resumed_task.config)
        resumed.load_state_dict(read_checkpoint(tmp_path / f"{stop}.safetensors"))
        assert resumed.progress.step == stop
        assert resumed_task.model.lstm.kernel == kernel  # not measured anew: the other kernel rounds otherwise
        log = [untimed(event) for event in resumed.run() if isinstance(event, Evaluated | Logged)]
        assert_same_tensors(resumed.state_dict(), expected)
        assert log == expected_log[len(expected_log) - len(log) :]
        assert [entry["step"] for entry in log] == [entry["step"] for entry in expected_log if is_after(entry, stop)]


def untimed(event: Evaluated | Logged) -> dict[str, Any]:
    names = [name for name in type(event).__slots__ if name not in ("seconds", "tokens_per_second")]
    return {"event": type(event), **{name: getattr(event, name) for name in names}}


def is_after(entry: dict[str, Any], step: int) -> bool:
    return entry["step"] > step or (entry["step"] == step and entry["event"] is Evaluated)


def test_a_run_that_goes_on_makes_only_the_batches_that_it_has_not_seen(build_lm: BuildLM) -> None:
    def start() -> Trainer[Any]:
        task = build_lm("training.epochs=1", "training.kernel=onednn")
        return Trainer(task, task.config)

    whole = start()
    fit(whole)
    stopped = start()
    next(event for event in stopped.run() if isinstance(event, Stepped) and event.step == 3)
    checkpoint = stopped.state_dict()
    resumed = start()
    made: list[int] = []
    windows = list(resumed.task.batches("train", epoch=1))

    def make(numbers: Any) -> Any:
        made.append(int(numbers[0]))
        return windows[made[-1]]

    planned = PlannedBatches([np.array([number]) for number in range(len(windows))], make)
    resumed.task.batches = lambda split, *, epoch=0: planned
    resumed.load_state_dict(checkpoint)
    fit(resumed)
    assert made == list(range(3, len(windows)))
    for name, value in weights(whole).items():
        assert torch.equal(weights(resumed)[name], value), name


def test_stopping_before_the_validation_and_going_on_changes_no_bit(build_lm: BuildLM, tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    task = build_lm()
    trainer = Trainer(task, task.config)
    for event in trainer.run():
        if isinstance(event, Validating) and event.epoch == 1:
            write_checkpoint(path, trainer.state_dict())
    resumed = Trainer(build_lm(), task.config)
    resumed.load_state_dict(read_checkpoint(path))
    first, *_ = resumed.run()
    assert isinstance(first, Validating)
    assert_same_tensors(resumed.state_dict(), trainer.state_dict())


def test_the_seed_alone_decides_the_weights(build_lm: BuildLM) -> None:
    def train_once(seed: int) -> Tensor:
        torch.manual_seed(123 + seed)
        torch.rand(7)
        task = build_lm("regularizer.rule=recurrent", "training.epochs=1", f"seed={seed}")
        trainer = Trainer(task, task.config)
        fit(trainer)
        return weights(trainer)["softmax.weight"]

    first, again, other = train_once(3), train_once(3), train_once(4)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_what_is_scored_is_the_mean_of_the_weights_after_each_epoch(build_lm: BuildLM) -> None:
    task = build_lm("training.epochs=4", "training.average_from=2")
    trainer = Trainer(task, task.config)
    passed: list[dict[str, Tensor]] = []
    for event in trainer.run():
        if isinstance(event, Evaluated):
            passed.append(weights(trainer))
            averaged = passed[1:] or passed
            means = {name: sum(each[name] for each in averaged) / len(averaged) for name in passed[0]}
            torch.testing.assert_close(trainer.scored_weights(), means)
            task.model.load_state_dict(trainer.scored_weights())
            assert task.evaluate("valid")[0].value == event.scores[0].value
            task.model.load_state_dict(passed[-1])
    assert not torch.equal(means["softmax.weight"], passed[-1]["softmax.weight"])


def test_averaging_changes_what_is_scored_and_not_what_is_trained(build_lm: BuildLM) -> None:
    trained = []
    for averaging in ([], ["training.average_from=1"]):
        task = build_lm("training.kernel=onednn", *averaging)  # a measured kernel may differ, and round differently
        trainer = Trainer(task, task.config)
        fit(trainer)
        trained.append(weights(trainer))
    plain, averaged = trained
    assert all(torch.equal(value, averaged[name]) for name, value in plain.items())


def test_stops_after_so_many_epochs_without_a_better_score(build_lm: BuildLM) -> None:
    task = build_lm("training.epochs=50", "training.patience=3", "training.rate=5", "training.decay_after=50")
    events = [event for event in Trainer(task, task.config).run() if isinstance(event, Evaluated)]
    bests = [event.epoch for event in events if event.is_best]
    assert events[-1].epoch == bests[-1] + 3 < 50
    gaps = [later - earlier for earlier, later in pairwise(bests)]
    assert all(gap <= 3 for gap in gaps)


def test_a_tie_of_the_first_score_is_broken_by_the_next(build_lm: BuildLM, monkeypatch: pytest.MonkeyPatch) -> None:
    """BLEU of phrases is 0 for long: the epoch of the best chrF is kept, and patience counts from it."""
    task = build_lm("training.epochs=9", "training.patience=2")
    found = iter([10.0, 30.0, 20.0, 40.0, 40.0, 39.0, 99.0])

    def evaluate(split: str, **_: object) -> list[Score]:
        return [Score("bleu", 0.0, True, ""), Score("chrf", next(found), True, "")]

    monkeypatch.setattr(task, "evaluate", evaluate)
    events = [event for event in Trainer(task, task.config).run() if isinstance(event, Evaluated)]
    assert [event.epoch for event in events if event.is_best] == [1, 2, 4]
    assert events[-1].epoch == 6


def test_the_scores_of_the_best_epoch_are_kept_in_checkpoints_old_and_new() -> None:
    best = (Score("bleu", 0.0, True, "a"), Score("chrf", 3.0, True, "b"))
    values = json.loads(json.dumps(Progress(best=best).as_json()))
    assert Progress.from_json(values).best == best
    assert Progress.from_json({**values, "best": values["best"][0]}).best == best[:1]
    assert Progress.from_json({**values, "best": None}).best == ()


def test_best_is_the_first_epoch_with_the_lowest_score(build_lm: BuildLM) -> None:
    task = build_lm("training.epochs=6", "training.rate=4")
    events = [event for event in Trainer(task, task.config).run() if isinstance(event, Evaluated)]
    lowest = math.inf
    for event in events:
        assert event.is_best == (event.scores[0].value < lowest)
        lowest = min(lowest, event.scores[0].value)


def test_events_come_in_their_order_and_losses_are_pooled_exactly(build_lm: BuildLM) -> None:
    task = build_lm("regularizer.rule=none", "training.log_every=6")
    trainer = Trainer(task, task.config)
    totals: list[tuple[float, int]] = []
    objective = trainer.objective

    def remembered(batch: Any) -> Any:
        loss = objective(batch)
        totals.append((float(loss.total.detach()), loss.count))
        return loss

    trainer.objective = remembered
    kinds, logged, evaluated = [], [], None
    for event in trainer.run():
        kinds.append(type(event))
        if isinstance(event, Logged):
            logged.append((len(totals), event))
        if isinstance(event, Evaluated):
            evaluated = event
            break
    num_steps = task.num_batches("train")
    assert kinds[-2:] == [Validating, Evaluated]
    assert kinds.count(Stepped) == num_steps == len(totals)
    assert [event.step for _, event in logged] == list(range(6, num_steps + 1, 6))
    assert kinds[:8] == [*[Stepped] * 5, Logged, Stepped, Stepped]
    for number, event in logged:
        assert event.loss == pytest.approx(pooled(totals[number - 6 : number]), rel=1e-12)
    assert evaluated is not None
    assert evaluated.training_loss == pytest.approx(pooled(totals), rel=1e-12)
    assert len({count for _, count in totals}) > 1  # the last window is shorter, so a mean of means differs
    assert sum(count for _, count in totals) == trainer.progress.items


def pooled(totals: list[tuple[float, int]]) -> float:
    return sum(total for total, _ in totals) / sum(count for _, count in totals)


def test_bfloat16_leaves_weights_and_gradients_in_float32_and_learns(build_lm: BuildLM) -> None:
    settings = ("regularizer.rule=none", "training.optimizer=adamw", "training.rate=0.03", "training.epochs=3")
    task = build_lm("training.precision=bf16", *settings)
    trainer = Trainer(task, task.config)
    losses = [event.training_loss for event in trainer.run() if isinstance(event, Evaluated)]
    assert {value.dtype for value in weights(trainer).values()} == {torch.float32}
    assert trainer.gradient_norm.dtype == torch.float32
    assert losses[-1] < losses[0] - 0.1
    exact_task = build_lm(*settings)
    exact = [
        event.training_loss for event in fit(Trainer(exact_task, exact_task.config)) if isinstance(event, Evaluated)
    ]
    assert losses != exact  # so the products did run in bfloat16
    assert losses == pytest.approx(exact, rel=0.05)


def test_overflow_stops_training_at_its_step(build_lm: BuildLM) -> None:
    task = build_lm("regularizer.rule=none")
    trainer = Trainer(task, task.config)
    events = trainer.run()
    for _ in range(2):
        next(event for event in events if isinstance(event, Stepped))
    with torch.no_grad():
        task.model.softmax.bias.fill_(torch.inf)
    with pytest.raises(NonFiniteError, match="step 3"):
        next(events)


def test_a_run_that_overflows_keeps_its_last_good_checkpoints(
    toy_corpus: Path, toy_settings: list[str], tmp_path: Path
) -> None:
    """The rate is fine in epoch 1; the weights of epoch 2 overflow, whatever its loss."""
    out = tmp_path / "run"
    settings = [*toy_settings, "training.epochs=1", "training.rate=0.5", "regularizer.rule=none", "training.clip=1e30"]
    good = train("lm", size="tiny", data=str(toy_corpus), overrides=settings, out=out)
    kept = {name: read_checkpoint(out / f"{name}.safetensors") for name in ("best", "last")}
    # The same run, as if it had been started for more epochs at an absurd rate.
    config = good.config()
    config["training"] |= {"epochs": 3, "rate": 1e38}
    good.write_config(config)
    (out / "result.json").unlink()
    with pytest.raises(NonFiniteError, match=r"^step \d+: .*\(epoch 2, rate 1e\+38\)"):
        train("lm", preset=out / "config.json", out=out, resume=True)
    for name, checkpoint in kept.items():
        now = read_checkpoint(out / f"{name}.safetensors")
        assert_same_tensors(now, checkpoint)
        assert all(value.isfinite().all() for value in now.tensors.values() if value.is_floating_point())


@pytest.mark.parametrize("save_minutes", [0, 10])
def test_no_checkpoint_holds_what_an_absurd_rate_makes(
    toy_corpus: Path, toy_settings: list[str], tmp_path: Path, save_minutes: int
) -> None:
    settings = [*toy_settings, "training.rate=3e38", "training.num_steps=20", "training.clip=1e30"]
    settings += [f"training.save_minutes={save_minutes}"]  # the first step is saved in either case
    with pytest.raises(NonFiniteError, match=r"^step 1: the weights "):
        train("lm", size="tiny", data=str(toy_corpus), overrides=settings, out=tmp_path / "run", device="cpu")
    assert [path.name for path in (tmp_path / "run").glob("*.safetensors")] == ["failed-batch.safetensors"]


def test_best_checkpoint_is_the_best_epochs_weights(toy_corpus: Path, toy_settings: list[str], tmp_path: Path) -> None:
    """A rate that is too high after a while: the last epoch is not the best one."""
    scores: dict[int, float] = {}
    at_evaluation: dict[int, dict[str, Tensor]] = {}
    run = Run(tmp_path / "run")

    def remember(event: object) -> None:
        if isinstance(event, Validating):
            state = read_checkpoint(run.directory / "last.safetensors") if event.epoch > 1 else None
            assert state is None or state.values["epoch"] == event.epoch
        if isinstance(event, Evaluated):
            scores[event.epoch] = event.scores[0].value
            at_evaluation[event.epoch] = read_checkpoint(run.directory / "last.safetensors").part("model")

    settings = [
        *toy_settings,
        "training.epochs=7",
        "training.rate=8",
        "training.decay_after=7",
        "training.save_minutes=0",
    ]
    train("lm", size="tiny", data=str(toy_corpus), overrides=settings, out=run.directory, listener=remember)
    best_epoch = min(scores, key=lambda epoch: scores[epoch])
    assert best_epoch < 7
    best = run.load_best()
    assert best.values["epoch"] == best_epoch
    assert best.values["score"]["value"] == scores[best_epoch]
    for name, value in at_evaluation[best_epoch].items():
        assert torch.equal(best.tensors[name], value), name
    assert not torch.equal(best.tensors["softmax.bias"], at_evaluation[7]["softmax.bias"])
    result = run.result()
    valid = next(score for score in result["scores"] if score["split"] == "valid")
    assert valid["value"] == pytest.approx(scores[best_epoch], rel=1e-6)
    log = [json.loads(line) for line in (run.directory / "log.jsonl").read_text().splitlines()]
    assert [entry["scores"][0]["value"] for entry in log if entry["event"] == "evaluated"] == list(scores.values())


def repeated_by_calling(run: Callable[[], None]) -> Callable[[], None]:
    """What a CUDA graph does: the same work on the same memory at each call, nothing when it is recorded."""
    return run


def test_a_run_of_replayed_steps_can_be_taken_up_anywhere(build_lm: BuildLM, tmp_path: Path) -> None:
    path, stop = tmp_path / "state.safetensors", 12
    task = build_lm("training.kernel=onednn")
    trainer = Trainer(task, task.config)
    trainer.record = repeated_by_calling
    trainer._start_pass()
    for event in trainer.run():
        if isinstance(event, Stepped) and event.step == stop:
            write_checkpoint(path, trainer.state_dict())
    resumed = Trainer(build_lm("training.kernel=onednn"), task.config)
    resumed.load_state_dict(read_checkpoint(path))
    fit(resumed)
    assert_same_tensors(resumed.state_dict(), trainer.state_dict())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_replayed_on_a_gpu_a_run_without_dropout_is_the_eager_one(build_lm: BuildLM) -> None:
    scores = []
    for replay in ("true", "false"):
        task = build_lm("regularizer.rule=none", f"training.replay={replay}", device="cuda")
        events = [event for event in Trainer(task, task.config).run() if isinstance(event, Evaluated)]
        scores.append([event.scores[0].value for event in events])
    assert scores[0] == pytest.approx(scores[1], rel=1e-4)
