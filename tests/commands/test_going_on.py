"""A run goes on under other settings of training: to which weights, what is refused, and what tells of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from lstmdrop.commands.compare import compare as compare_runs
from lstmdrop.commands.compare import comparison_table
from lstmdrop.commands.train import train
from lstmdrop.config import Change
from lstmdrop.errors import ConfigError, DataError
from lstmdrop.plugin import load_plugin
from lstmdrop.presets import resolve
from lstmdrop.report.runs import read_summary
from lstmdrop.report.scores import setting
from lstmdrop.report.tables import rule_table, run_table
from lstmdrop.training.changes import noted
from lstmdrop.training.checkpoint import read_checkpoint
from lstmdrop.training.progress import Evaluated, Progress, Started, Stepped
from lstmdrop_tasks.lm.config import LMConfig

Train = Callable[..., Any]
CHANGES = ("training.epochs=3", "training.rate=0.1", "training.optimizer=adamw", "training.batch_size=2")


@pytest.fixture(scope="module")
def train_toy(toy_corpus: Path, toy_settings: list[str]) -> Train:
    """Trains with more overrides than the toy's; the kernel is named, so that runs round alike."""

    def train_with(out: Path, *overrides: str, **options: Any) -> Any:
        settings = [*toy_settings, "training.kernel=native", *overrides]
        return train("lm", size="tiny", data=str(toy_corpus), overrides=settings, out=out, device="cpu", **options)

    return train_with


@pytest.fixture(scope="module")
def finished(train_toy: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs; not to be changed."""
    return Path(train_toy(tmp_path_factory.mktemp("runs") / "finished").directory)


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def go_on(run: Path, *overrides: str, **options: Any) -> None:
    train("lm", out=run, resume=True, overrides=overrides, device="cpu", **options)


def stop_at(kind: type, number: int) -> Callable[[object], None]:
    """A listener that asks for an end at the event of that kind and number."""
    seen = 0

    def listener(event: object) -> None:
        nonlocal seen
        seen += isinstance(event, kind)
        if seen == number:
            os.kill(os.getpid(), signal.SIGTERM)
            seen += 1

    return listener


def interrupted(train_somehow: Callable[..., object], kind: type, number: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        train_somehow(listener=stop_at(kind, number))


def assert_same_weights(first: Path, second: Path) -> None:
    for name in ("best", "last"):
        ours, theirs = (read_checkpoint(run / f"{name}.safetensors").tensors for run in (first, second))
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(value, theirs[key]) for key, value in ours.items())


def read(run: Path, name: str) -> dict[str, Any]:
    return dict(json.loads((run / f"{name}.json").read_text()))


def test_more_epochs_give_the_weights_of_a_run_of_so_many_and_are_noted(
    train_toy: Train, run: Path, tmp_path: Path
) -> None:
    """Where the schedule does not know its end, as the paper's does not."""
    whole, step = tmp_path / "whole", read_checkpoint(run / "last.safetensors").values["step"]
    train_toy(whole, "training.epochs=3")
    go_on(run, "training.epochs=3")
    assert_same_weights(run, whole)
    assert read(run, "config")["changes"] == [{"epoch": 3, "step": step, "settings": {"training.epochs": [2, 3]}}]
    results = [read(each, "result") for each in (run, whole)]
    assert results[0]["scores"] == results[1]["scores"]
    assert results[0]["config_sha256"] != results[1]["config_sha256"]
    assert "training.epochs 2 -> 3" in results[0]["changes"][0]
    assert "changes" not in {*results[1], *read(whole, "config")}


@pytest.mark.parametrize(("kind", "number"), [(Started, 1), (Stepped, 1), (Stepped, 4), (Evaluated, 1)])
def test_interrupted_after_a_change_it_ends_as_if_it_had_not_been(
    undisturbed: Path, run: Path, kind: type, number: int
) -> None:
    interrupted(partial(go_on, run, *CHANGES), kind, number)
    assert not (run / "result.json").exists()
    go_on(run)
    assert_same_weights(run, undisturbed)
    assert read(run, "config") == read(undisturbed, "config")


@pytest.fixture(scope="module")
def undisturbed(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that went on in one go."""
    run = Path(shutil.copytree(finished, tmp_path_factory.mktemp("runs") / "undisturbed"))
    go_on(run, *CHANGES)
    return run


def test_an_interrupted_run_goes_on_at_another_rate_from_there_on(train_toy: Train, tmp_path: Path) -> None:
    run = tmp_path / "run"
    interrupted(partial(train_toy, run), Stepped, 3)
    told: list[str] = []
    go_on(run, "training.rate=0.25", listener=lambda event: told.extend(getattr(event, "notes", ())))
    assert told == ["from epoch 1 on, step 3: training.rate 0.5 -> 0.25", "the next step has the rate 0.25"]
    entries = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert {entry["rate"] for entry in entries if entry["event"] == "logged"} == {0.25}


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (["training.rate=0.1"], "has made its 2 epochs.*\n.*training.epochs=N, with more than 2"),
        (["training.epochs=1"], "training.epochs = 1: the run has made 2 epochs already"),
        (["training.epochs=5", "training.patience=1"], "by training.patience = 1\n.*or null, goes on"),
        (["training.epochs=5", "regularizer.dropout=0.1"], "regularizer.dropout: 0.5 -> 0.1\n.*--from"),
        (["training.epochs=5", "model.hidden_size=9"], "model.hidden_size: 8 -> 9\n.*from scratch"),
        (["seed=3"], "seed: 1 -> 3"),
        (["changes=[]"], "no setting, but what a run notes"),
    ],
)
def test_what_cannot_change_or_would_change_nothing_is_refused(
    finished: Path, overrides: list[str], reason: str
) -> None:
    assert read_checkpoint(finished / "last.safetensors").values["epochs_since_best"] == 1
    before = {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()}
    with pytest.raises(ConfigError, match=reason):
        go_on(finished, *overrides)
    assert {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()} == before


def test_batches_change_where_an_epoch_begins_and_not_within_one(train_toy: Train, tmp_path: Path) -> None:
    run = tmp_path / "run"
    interrupted(partial(train_toy, run), Stepped, 3)
    with pytest.raises(ConfigError, match=r"training.batch_size: batches may change where an epoch begins.*step 3"):
        go_on(run, "training.batch_size=2")


def test_fewer_epochs_end_an_interrupted_run_with_those_it_has(train_toy: Train, tmp_path: Path) -> None:
    run = tmp_path / "run"
    interrupted(partial(train_toy, run, "training.epochs=9"), Evaluated, 1)
    go_on(run, "training.epochs=1")
    assert read(run, "result")["epochs"] == 1


def test_a_mean_of_weights_is_not_gone_on_with_where_averaging_changes(train_toy: Train, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train_toy(run, "training.average_from=1")
    go_on(run, "training.epochs=3", "training.average_from=null")
    last = read_checkpoint(run / "last.safetensors")
    assert list(last.part("average")) == ["count"]
    assert int(last.part("average")["count"]) == 0


def test_an_optimiser_is_left_with_what_it_remembers(train_toy: Train, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train_toy(run, "training.optimizer=adamw", "training.rate=0.01")
    go_on(run, "training.epochs=3", "training.optimizer=sgd")
    assert read_checkpoint(run / "last.safetensors").part("optimizer") == {}
    go_on(run, "training.epochs=4", "training.optimizer=adam")
    assert read_checkpoint(run / "last.safetensors").part("optimizer")


def test_without_a_checkpoint_a_finished_run_names_the_way_out(run: Path) -> None:
    for name in ("last", "previous"):
        (run / f"{name}.safetensors").unlink()
    with pytest.raises(DataError, match=r"no state to go on from.*--from"):
        go_on(run, "training.epochs=3")
    assert (run / "result.json").exists()


def test_changes_at_one_point_are_one_change_and_taken_back_they_are_none() -> None:
    config = LMConfig()
    there = Progress(epoch=4, step=30)
    once = noted(config, there, {"training.rate": (1.0, 0.5), "training.epochs": (13, 20)})
    again = noted(once, there, {"training.rate": (0.5, 0.1)})
    assert again.changes == (
        Change(epoch=4, step=30, settings={"training.rate": (1.0, 0.1), "training.epochs": (13, 20)}),
    )
    assert noted(once, there, {"training.rate": (0.5, 1.0), "training.epochs": (20, 13)}) == config
    earlier = noted(again, Progress(epoch=3, step=21), {})  # from a checkpoint of before the change
    assert [(change.epoch, change.step) for change in earlier.changes] == [(3, 21)]
    assert resolve(LMConfig, [again.model_dump(mode="json")]) == again
    assert len({each.sha256() for each in (config, once, again, earlier)}) == 4


def test_tables_tell_a_run_that_went_on_otherwise_from_one_that_did_not(finished: Path, undisturbed: Path) -> None:
    summaries = [read_summary(run) for run in (finished, undisturbed)]
    assert setting(summaries[0], "changes") == "no" != setting(summaries[1], "changes")
    assert len(rule_table(summaries).rows) == 2
    facts = [{row[0]: row[1] for row in run_table(summary).rows} for summary in summaries]
    assert "changes" not in facts[0]
    assert "training.rate 0.5 -> 0.1" in str(facts[1]["changes"])
    notes = comparison_table(compare_runs(finished, undisturbed, num_resamples=20, num_shuffles=20)).notes
    assert [note for note in notes if "went on under other settings" in str(note)]


def test_committed_results_keep_their_identity() -> None:
    results = Path(__file__).parents[2] / "docs" / "results"
    configs = sorted(path for path in results.rglob("config.json") if (path.parent / "result.json").exists())
    assert len(configs) > 50
    for path in configs:
        stored = json.loads(path.read_text())
        config = resolve(load_plugin(stored["task"]).config, [stored])
        assert config.sha256() == read(path.parent, "result")["config_sha256"], path
