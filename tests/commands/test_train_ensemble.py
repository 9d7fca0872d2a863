"""Laws of several models trained as one: each is its solo run, whatever the rule, and however often it is stopped."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from signal import SIGINT, raise_signal
from typing import Any

import pytest
import torch

from lstmdrop.commands.train import train
from lstmdrop.commands.train_ensemble import train_ensemble
from lstmdrop.data.batching import Window
from lstmdrop.errors import ConfigError, DataError, LstmdropError, UsageError
from lstmdrop.nn.rules import RULE_NAMES
from lstmdrop.run import Run
from lstmdrop.task import Loss
from lstmdrop.training.checkpoint import Checkpoint, read_checkpoint
from lstmdrop.training.ensemble import Ensemble, GivenGradient, Randomness, Round, Stack
from lstmdrop.training.progress import Logged, Stepped
from lstmdrop.training.trainer import Trainer
from lstmdrop_tasks.lm.stacked import StackedStreamLoss

SEEDS = (4, 5)
TIMED = ("seconds", "tokens_per_second", "train_seconds")
WHOLE = (
    "training.epochs=3", "training.log_every=1", "training.rotate=true", "training.accumulate=2", "training.ar=2.0",
    "training.tar=1.0", "training.optimizer=adamw", "training.rate=0.02", "training.schedule=plateau",
    "training.decay_after=4", "training.decay=2.0",
    "training.average_after=1", "regularizer.embedding_dropout=0.2", "regularizer.recurrent_dropout=0.3",
    "regularizer.rule=variational", "model.tied=true", "model.embedding_size=6",
)  # fmt: skip
"""All that a language model can be trained with."""

Choices = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def choices(toy_corpus: Path, toy_settings: list[str]) -> Choices:
    def make(*settings: str) -> dict[str, Any]:
        overrides = [*toy_settings, *settings]
        return {"size": "tiny", "data": str(toy_corpus), "overrides": overrides, "device": "cpu"}

    return make


SLOW = [pytest.param(rule, marks=pytest.mark.slow) for rule in RULE_NAMES if rule not in ("zaremba", "none")]


@pytest.mark.parametrize("rule", ["zaremba", "none", *SLOW])
def test_after_100_steps_each_has_the_loss_of_its_solo_run(build_lm: Callable[..., Any], rule: str) -> None:
    settings = (f"regularizer.rule={rule}", "training.epochs=6", "training.log_every=1")

    solo = {seed: _logged([(0, event)] for event in _trainer(build_lm, settings, seed).run()) for seed in SEEDS}
    found = _logged(_ensemble(build_lm, settings).run())
    assert len(found) > 100
    for number, seed in enumerate(SEEDS):
        for ours, (theirs,) in zip((events[number] for events in found), solo[seed], strict=True):
            assert ours.loss == pytest.approx(theirs.loss, abs=1e-4)
            assert ours.gradient_norm == pytest.approx(theirs.gradient_norm, rel=1e-3)
    assert solo[SEEDS[0]][-1][0].loss != pytest.approx(solo[SEEDS[1]][-1][0].loss, abs=1e-3)


def test_where_memory_runs_out_each_has_the_gradient_of_the_whole_batch(build_lm: Callable[..., Any]) -> None:
    settings = ("regularizer.rule=none", "training.epochs=1", "training.log_every=1")

    def tight(*given: Any) -> Callable[[Window], Loss]:
        losses = StackedStreamLoss(*given)

        def loss(window: Window) -> Loss:
            if window.num_rows > 2:
                raise MemoryError
            return losses(window)

        return loss

    whole = _logged(_ensemble(build_lm, settings).run())
    parts = _logged(_ensemble(build_lm, settings, tight).run())
    for found, expected in zip(parts, whole, strict=True):
        for ours, theirs in zip(found, expected, strict=True):
            assert ours.num_parts == 2
            assert ours.loss == pytest.approx(theirs.loss, abs=1e-5)
            assert ours.gradient_norm == pytest.approx(theirs.gradient_norm, rel=1e-4)


def _trainer(
    build_lm: Callable[..., Any], settings: Sequence[str], seed: int, gradient: GivenGradient | None = None
) -> Trainer[Any]:
    task = build_lm(*settings, f"seed={seed}")
    return Trainer(task, task.config, gradient=gradient)


def _ensemble(build_lm: Callable[..., Any], settings: Sequence[str], stack: Stack = StackedStreamLoss) -> Ensemble:
    trainers, randomness = [], Randomness()
    for seed in SEEDS:
        trainers.append(_trainer(build_lm, settings, seed, GivenGradient()))
        randomness.add_present()
    return Ensemble(trainers, randomness, stack)


def _logged(rounds: Iterable[Round]) -> list[list[Logged]]:
    found = ([event for _, event in events if isinstance(event, Logged)] for events in rounds)
    return [events for events in found if events]


def log(run: Path) -> list[dict[str, Any]]:
    lines = (run / "log.jsonl").read_text(encoding="utf-8").splitlines()
    return [{key: value for key, value in json.loads(line).items() if key not in TIMED} for line in lines]


def test_its_runs_are_ordinary_ones_of_the_same_configuration(choices: Choices, tmp_path: Path) -> None:
    given = choices(*WHOLE)
    runs = train_ensemble("lm", 2, seed=4, out=tmp_path / "both", **given)
    assert [run.directory for run in runs] == [tmp_path / "both" / f"s{seed}" for seed in SEEDS]
    for seed, run in zip(SEEDS, runs, strict=True):
        alone = train("lm", seed=seed, out=tmp_path / f"alone{seed}", **given)
        for ours, theirs in zip(log(run.directory), log(alone.directory), strict=True):
            assert ours["event"] == theirs["event"]
            for key in ("loss", "training_loss"):
                assert ours.get(key) == pytest.approx(theirs.get(key), abs=1e-4)
            for key in ("rate", "is_best"):
                assert ours.get(key) == theirs.get(key)
        result, expected = run.result(), alone.result()
        assert result.pop("ensemble") == 2
        for key in ("config_sha256", "data_sha256", "seed", "epochs", "num_parameters"):
            assert result[key] == expected[key]
        for ours, theirs in zip(result["scores"], expected["scores"], strict=True):
            assert ours["value"] == pytest.approx(theirs["value"], rel=1e-3)
        assert {path.name for path in run.directory.iterdir()} == {path.name for path in alone.directory.iterdir()}


@pytest.mark.slow
def test_one_whose_patience_ends_leaves_the_others(choices: Choices, tmp_path: Path) -> None:
    given = choices("training.epochs=20", "training.patience=1", "training.rate=4.0", "training.decay_after=30")
    runs = train_ensemble("lm", 3, seed=1, out=tmp_path / "all", **given)
    epochs = [run.result()["epochs"] for run in runs]
    assert len(set(epochs)) > 1
    for seed, (run, count) in enumerate(zip(runs, epochs, strict=True), 1):
        scored = [entry for entry in log(run.directory) if entry["event"] == "evaluated"]
        assert len(scored) == count
        assert [entry["is_best"] for entry in scored] == [True] * (count - 1) + [False]
        if count == max(epochs):
            assert train("lm", seed=seed, out=tmp_path / "alone", **given).result()["epochs"] == count
            shutil.rmtree(tmp_path / "alone")


INTERRUPTED = ("training.epochs=2", "training.save_minutes=0", "training.log_every=3")


def assert_ended_alike(found: list[Run], expected: list[Run]) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        for name in ("best", "last"):
            one, other = (read_checkpoint(run.directory / f"{name}.safetensors") for run in (ours, theirs))
            assert one.tensors.keys() == other.tensors.keys()
            for key, value in other.tensors.items():
                assert torch.equal(one.tensors[key], value), f"{name} {key}"
        assert log(ours.directory) == log(theirs.directory)
        assert ours.result()["scores"] == theirs.result()["scores"]


@pytest.fixture(scope="module")
def whole(choices: Choices, tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    return train_ensemble("lm", 3, out=tmp_path_factory.mktemp("whole"), **choices(*INTERRUPTED))


@pytest.mark.slow
@pytest.mark.parametrize("when", [1, 20])
def test_interrupted_it_goes_on_as_if_it_had_not_been(
    choices: Choices, tmp_path: Path, whole: list[Run], when: int
) -> None:
    steps = 0

    def stop(number: int, event: object) -> None:
        nonlocal steps
        steps += number == 2 and isinstance(event, Stepped)
        if steps == when:
            steps += 1
            raise_signal(SIGINT)

    given = choices(*INTERRUPTED)
    with pytest.raises(KeyboardInterrupt):
        train_ensemble("lm", 3, out=tmp_path / "pieces", listener=stop, **given)
    assert_ended_alike(train_ensemble("lm", 3, out=tmp_path / "pieces", resume=True, **given), whole)


@pytest.mark.slow
@pytest.mark.parametrize("place", ["first step", "before its scores", "after them", "the end"])
def test_killed_between_two_saves_all_go_on_from_one_point(
    choices: Choices, tmp_path: Path, whole: list[Run], place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    num_saves, save_last = 0, Run.save_last
    num_steps = read_checkpoint(whole[0].directory / "last.safetensors").values["step"] // 2
    rounds = {"first step": 0, "before its scores": num_steps, "after them": num_steps + 1}
    save = 3 * rounds.get(place, 2 * num_steps + 3) + 2  # of three models the second one's

    def save_or_end(run: Run, checkpoint: Checkpoint) -> None:
        nonlocal num_saves
        num_saves += 1
        if num_saves == save:
            raise RuntimeError("as if the machine had gone")
        save_last(run, checkpoint)

    given = choices(*INTERRUPTED)
    with monkeypatch.context() as patch:
        patch.setattr(Run, "save_last", save_or_end)
        with pytest.raises(RuntimeError, match="as if"):
            train_ensemble("lm", 3, out=tmp_path / "pieces", **given)
    assert_ended_alike(train_ensemble("lm", 3, out=tmp_path / "pieces", resume=True, **given), whole)


@pytest.mark.slow
def test_those_that_are_finished_stay_and_those_that_stand_apart_are_refused(choices: Choices, tmp_path: Path) -> None:
    given = choices("training.epochs=2", "training.save_minutes=0")
    out = tmp_path / "runs"
    alone = train("lm", seed=1, out=out / "s1", **given)
    before = alone.result()

    def stop(event: object) -> None:
        if isinstance(event, Stepped) and event.step == 5:
            raise_signal(SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train("lm", seed=2, out=out / "s2", listener=stop, **given)
    with pytest.raises(DataError, match="no checkpoints at one point"):
        train_ensemble("lm", 3, seed=1, out=out, resume=True, **given)
    train("lm", seed=2, out=out / "s2", resume=True, **given)
    runs = train_ensemble("lm", 4, seed=1, out=out, resume=True, **given)
    assert runs[0].result() == before
    assert [run.result()["epochs"] for run in runs] == [2] * 4


@pytest.mark.slow
def test_more_epochs_for_all_and_one_that_goes_on_alone_says_so(
    choices: Choices, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train_ensemble("lm", 2, out=tmp_path, **choices("training.epochs=1"))
    more = choices("training.epochs=2")
    assert [run.result()["epochs"] for run in train_ensemble("lm", 2, out=tmp_path, resume=True, **more)] == [2, 2]
    assert not caplog.records
    longer = choices("training.epochs=3")
    assert train("lm", out=tmp_path / "s1", resume=True, **longer).result()["epochs"] == 3
    assert "trained beside others" in caplog.text


def test_a_failure_names_its_run_and_keeps_its_batch(choices: Choices, tmp_path: Path) -> None:
    with pytest.raises(LstmdropError, match=r"s1; each of the others goes on by itself") as failure:
        train_ensemble("lm", 2, out=tmp_path, **choices("training.rate=1e38", "training.clip=1e38"))
    assert "s1/failed-batch.safetensors" in str(failure.value)


REFUSED = [
    ("mt", {}, UsageError, "mt has no step for several models"),
    ("lm", {"overrides": ["training.random_steps=true"]}, ConfigError, "random_steps = True.*one by one"),
    ("lm", {"overrides": ["training.kernel=native"]}, ConfigError, "kernel = native is nothing.*one by one"),
    ("lm", {"overrides": ["seed=3"]}, UsageError, "--seed N"),
    ("lm", {"num_models": 1}, UsageError, "2 models or more"),
]


@pytest.mark.parametrize(("task", "more", "kind", "said"), REFUSED)
def test_what_cannot_be_trained_as_one_is_refused_before_anything_is_made(
    tmp_path: Path, task: str, more: dict[str, Any], kind: type[Exception], said: str
) -> None:
    given = {"size": "tiny", "data": "demo", "num_models": 2, **more}
    with pytest.raises(kind, match=said):
        train_ensemble(task, out=tmp_path / "runs", **given)
    assert not (tmp_path / "runs").exists()


def test_the_command_tells_whose_scores_it_shows(
    lstmdrop: Callable[..., Any], toy_corpus: Path, toy_settings: list[str], tmp_path: Path
) -> None:
    command = ("train", "lm", "--size", "tiny", "--data", toy_corpus, "--seed", "7", "--out", tmp_path / "runs")
    done = lstmdrop(*command, "--ensemble", "2", settings=toy_settings)
    assert done.code == 0
    assert {line.rsplit(", ", 1)[1] for line in done.output.splitlines()} == {"seed 7", "seed 8"}
    assert "seed 8" in done.messages
    assert lstmdrop("train", "lm", "--ensemble", "2", "--dry-run").code == 2
    assert lstmdrop("train", "lm", "--ensemble", "1").code == 2
    assert lstmdrop("eval", "lm", "--run", tmp_path / "runs/s7", "--run", tmp_path / "runs/s8").code == 0
