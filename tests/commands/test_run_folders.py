"""What becomes of a run's folder: where a run never trained, is not there, has moved, or is named twice."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import lstmdrop
from lstmdrop.commands.evaluate import load_tasks, open_runs
from lstmdrop.commands.train import Started, train
from lstmdrop.errors import ConfigError, DataError, MissingPartError, UsageError
from lstmdrop.plugin import load_plugin
from lstmdrop.report.runs import read_summaries
from lstmdrop.run import Run
from lstmdrop.settings import resolve_config
from lstmdrop.training.trainer import Trainer

Toys = dict[str, tuple[str, list[str]]]
TASKS = ("lm", "mt", "asr", "caption")


class BugError(Exception):
    """Nobody foresaw it."""


FAILURES = [BugError, MemoryError, KeyboardInterrupt, ModuleNotFoundError, MissingPartError, SystemExit]


def failing_in(place: str, failure: type[BaseException], monkeypatch: pytest.MonkeyPatch) -> Callable[[object], None]:
    """Makes a training run fail there; returns the listener to train with."""

    def fail(*_: object, **__: object) -> Any:
        raise failure

    if place == "build":
        monkeypatch.setattr("lstmdrop.commands.train.load_plugin", lambda name: replace(load_plugin(name), build=fail))
    elif place == "first step":
        monkeypatch.setattr(Trainer, "step", fail)
    return fail if place == "listener" else lambda event: None


@pytest.mark.parametrize("place", ["build", "listener", "first step"])
@pytest.mark.parametrize("failure", FAILURES)
def test_a_run_that_fails_before_its_first_step_leaves_nothing(
    toys: Toys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: type[BaseException], place: str
) -> None:
    data, overrides = toys["lm"]
    empty = tmp_path / "an empty folder of the user's"
    empty.mkdir()
    listener = failing_in(place, failure, monkeypatch)
    for out in (tmp_path / "run", empty):
        with pytest.raises(failure):
            train("lm", size="tiny", data=data, overrides=overrides, out=out, listener=listener)
    assert list(tmp_path.iterdir()) == [empty]
    assert list(empty.iterdir()) == []


def killed_before_training(run: Path) -> None:
    """What kill -9 leaves."""
    Run.create(run, {"task": "lm", "data": {"name": "demo"}, "regularizer": {}, "training": {}})
    (run / "assets" / ".vocabulary.json.0a1b2c3d").write_text("{", encoding="utf-8")
    (run / "log.jsonl").touch()
    (run / "tensorboard").mkdir()


def test_a_run_that_never_trained_gives_way_to_the_next(toys: Toys, tmp_path: Path) -> None:
    data, overrides = toys["lm"]
    run = tmp_path / "run"
    killed_before_training(run)
    assert train("lm", size="tiny", data=data, overrides=overrides, out=run).is_finished()
    assert not (run / "tensorboard").exists()


def test_half_a_configuration_blocks_no_folder(toys: Toys, tmp_path: Path) -> None:
    data, overrides = toys["lm"]
    (tmp_path / ".config.json.0a1b2c3d").write_text("{", encoding="utf-8")
    assert train("lm", size="tiny", data=data, overrides=overrides, out=tmp_path).is_finished()


@pytest.mark.parametrize("file", ["notes.txt", "log.jsonl", "last.safetensors", "result.json", "interface.json"])
def test_what_holds_anything_more_never_gives_way(tmp_path: Path, file: str) -> None:
    run = tmp_path / "run"
    killed_before_training(run)
    (run / file).write_text("{}\n", encoding="utf-8")
    with pytest.raises(UsageError, match="holds a run already"):
        train("lm", size="tiny", data="demo", out=run)
    assert (run / "assets" / ".vocabulary.json.0a1b2c3d").exists()


def test_a_folder_of_another_program_never_gives_way(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "logo.svg").touch()
    (tmp_path / "config.json").write_text('{"task": "build"}', encoding="utf-8")
    with pytest.raises(UsageError, match="holds a run already"):
        train("lm", size="tiny", data="demo", out=tmp_path)
    assert (tmp_path / "assets" / "logo.svg").exists()


def test_a_name_that_no_checkpoint_can_have_is_refused_before_training(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not UTF-8"):
        train("lm", size="tiny", data="demo", out=tmp_path / os.fsdecode(b"caf\xe9"))
    assert list(tmp_path.iterdir()) == []


def test_a_resume_of_nothing_begins_only_where_the_data_is_named(toys: Toys, tmp_path: Path) -> None:
    data, overrides = toys["lm"]
    run = train("lm", size="tiny", data=data, overrides=overrides, out=tmp_path / "runs" / "mine", resume=True)
    typo = run.directory.with_name("mien")
    with pytest.raises(DataError, match=r"runs/mien has no run to go on with; did you mean '.*runs/mine'\?\n.*--data"):
        train("lm", overrides=overrides, out=typo, resume=True)
    with pytest.raises(DataError, match="no run to go on with"):
        train("lm", overrides=overrides, out=tmp_path / "nowhere" / "run", resume=True)
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]
    assert not typo.exists()
    assert train("lm", size="tiny", overrides=[*overrides, f"data.name={data}"], out=typo, resume=True).is_finished()


@pytest.fixture
def moved(toys: Toys, tmp_path: Path, request: pytest.FixtureRequest) -> tuple[str, Path, str]:
    """Task, interrupted run and data, which have both moved since."""
    task = request.param
    data, overrides = toys[task]
    before, after = tmp_path / "before", tmp_path / "after"
    folder = Path(data).parent if Path(data).is_file() else Path(data)
    shutil.copytree(folder, before / "data")
    place = Path("data", Path(data).relative_to(folder))

    def interrupt(event: object) -> None:
        if getattr(event, "step", 0) == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        train(task, size="tiny", data=str(before / place), overrides=overrides, out=before / "run", listener=interrupt)
    before.rename(after)
    return task, after / "run", str(after / place)


@pytest.mark.filterwarnings("ignore")  # of scores of a few items
@pytest.mark.parametrize("moved", TASKS, indirect=True)
def test_a_run_whose_data_has_moved_goes_on_and_is_used(moved: tuple[str, Path, str]) -> None:
    task, run, data = moved
    with pytest.raises(DataError, match=r"before/data.* is no more: if it has moved, say where with --data"):
        train(task, out=run, resume=True)
    steps: list[int] = []

    def listen(event: object) -> None:
        if isinstance(event, Started):
            steps.append(event.step)

    overrides = ["training.log_every=2", "training.save_minutes=9"]
    finished = train(task, out=run, data=data, overrides=overrides, resume=True, listener=listen)
    assert steps == [3]
    assert finished.config()["data"]["name"] == data
    assert finished.config()["training"]["log_every"] == 2
    assert lstmdrop.evaluate(task, runs=[run])  # without being told again
    moved_again = run.parent.rename(run.parent.with_name("elsewhere"))
    with pytest.raises(DataError, match="if it has moved, say where with --data"):
        lstmdrop.evaluate(task, runs=[moved_again / "run"])
    # predict and export need no more than this
    (built,) = load_tasks(load_plugin(task), open_runs(task, [moved_again / "run"]), "cpu", None, None)
    assert not built.model.training


@pytest.mark.parametrize("moved", ["lm"], indirect=True)
def test_other_data_in_another_place_is_refused(moved: tuple[str, Path, str], toys: Toys) -> None:
    task, run, data = moved
    before = (run / "config.json").read_bytes()
    other = Path(data).with_name("other")
    shutil.copytree(data, other)
    with (other / "train.txt").open("a", encoding="utf-8") as text:
        text.write("one line more\n")
    with pytest.raises(DataError, match=r"the data has changed .* \(it was \w{12}, and is \w{12}\)"):
        train(task, out=run, data=str(other), resume=True)
    assert (run / "config.json").read_bytes() == before
    train(task, out=run, data=data, resume=True)
    with pytest.raises(DataError, match="the data has changed"):  # of a finished run too
        train(task, out=run, data=str(other), resume=True)


def test_a_setting_that_changes_the_result_is_refused_beside_one_that_does_not(toys: Toys, tmp_path: Path) -> None:
    data, overrides = toys["mt"]
    run = Run.create(
        tmp_path / "run",
        resolve_config(load_plugin("mt"), "tiny", data, overrides=overrides).model_dump(),
    )
    changed = ["decoding.batch_size=3", "training.log_every=9", "decoding.beam_size=5"]
    with pytest.raises(ConfigError) as caught:
        train("mt", out=run.directory, overrides=changed, resume=True)
    lines = str(caught.value).splitlines()
    assert [line.strip() for line in lines if "->" in line] == ["decoding.beam_size: 2 -> 5"]


@pytest.mark.parametrize("spelling", ["same", "dotted", "relative", "link"])
def test_a_run_that_is_named_twice_is_refused(
    toys: Toys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelling: str
) -> None:
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run"
    killed_before_training(run)
    (tmp_path / "link").symlink_to(run)
    again = {
        "same": run, "dotted": tmp_path / "run" / ".." / "run", "relative": Path("run"), "link": tmp_path / "link"
    }[spelling]  # fmt: skip
    uses: list[Callable[[], object]] = [
        lambda: lstmdrop.evaluate("lm", runs=[run, again]),
        lambda: list(lstmdrop.predict("lm", runs=[run, again])),
        lambda: lstmdrop.average("lm", tmp_path / "out", runs=[run, again]),
    ]
    for use in uses:
        with pytest.raises(UsageError, match="is given twice"):
            use()


def test_a_folder_that_a_report_is_given_twice_counts_once_and_is_said(tmp_path: Path) -> None:
    result = {"task": "lm", "data": "demo", "size": "tiny", "regularizer": "none", "seed": 1, "scores": []}
    Run(tmp_path / "a").finish(result)
    runs, problems = read_summaries([tmp_path / "a", tmp_path / "a" / ".." / "a"])
    assert len(runs) == 1
    assert problems == (f"{tmp_path / 'a' / '..' / 'a'}: named twice, counted once",)
