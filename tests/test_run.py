"""Laws of a run directory."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lstmdrop.errors import DataError, UsageError
from lstmdrop.run import Run
from lstmdrop.settings import default_name
from lstmdrop.training.checkpoint import Checkpoint

CONFIG = {"task": "lm", "size": "tiny", "seed": 1, "data": {"name": "ptb"}, "regularizer": {"rule": "zaremba"}}


def checkpoint(step: int) -> Checkpoint:
    return Checkpoint({"a": torch.full((4,), float(step))}, {"step": step})


def finished_run(folder: Path, task: str, age: int) -> Run:
    run = Run.create(folder, {**CONFIG, "task": task})
    run.finish({"task": task})
    os.utime(folder / "result.json", (1e9 - age, 1e9 - age))
    return run


def test_what_was_written_is_read(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "deep" / "run", CONFIG)
    assert run.config() == CONFIG
    assert run.assets.is_dir()
    assert not run.is_finished()
    run.finish({"scores": [1.5]})
    assert run.is_finished()
    assert Run.open(run.directory).result() == {"scores": [1.5]}


def test_reading_a_run_changes_nothing_in_it(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run", "lm", age=0)
    run.assets.rmdir()  # as results are published
    before = sorted(path.name for path in run.directory.iterdir())
    assert Run.newest("lm", tmp_path).assets == run.assets
    with pytest.raises(DataError, match="assets is empty"):
        run.require_assets()
    assert sorted(path.name for path in run.directory.iterdir()) == before
    run.start_over()
    assert run.assets.is_dir()


def test_a_run_is_only_begun_where_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    Run.create(tmp_path / "empty", CONFIG)
    with pytest.raises(UsageError, match="holds a run already"):
        Run.create(tmp_path / "empty", CONFIG)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="not an empty folder"):
        Run.create(tmp_path / "file", CONFIG)
    assert (tmp_path / "file").read_text() == "mine"
    with pytest.raises(UsageError, match="not an empty folder"):
        Run.create(tmp_path, CONFIG)


def test_only_one_process_trains_in_a_directory(tmp_path: Path) -> None:
    pytest.importorskip("fcntl", reason="runs are guarded where the system locks files")
    run = Run.create(tmp_path / "run", {"task": "lm"})
    with run.claimed(), pytest.raises(UsageError, match="another process is training in"), run.claimed():
        pass
    with run.claimed():  # the claim has ended
        assert sorted(path.name for path in run.directory.iterdir()) == ["assets", "config.json"]


def test_what_is_no_run_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing is not a run"):
        Run.open(tmp_path / "nothing")
    run = Run.create(tmp_path / "run", CONFIG)
    with pytest.raises(DataError, match=r"result\.json does not exist"):
        run.result()
    for content in ("{", "[1]", '"text"'):
        (run.directory / "config.json").write_text(content)
        with pytest.raises(DataError, match=r"config\.json cannot be read"):
            run.config()


def test_newest_is_the_run_of_the_task_that_finished_last(tmp_path: Path) -> None:
    finished_run(tmp_path / "old", "lm", age=50)
    expected = finished_run(tmp_path / "new", "lm", age=20)
    finished_run(tmp_path / "other-task", "mt", age=0)
    Run.create(tmp_path / "unfinished", CONFIG)
    assert Run.newest("lm", tmp_path).directory == expected.directory
    with pytest.raises(DataError, match="train one with 'lstmdrop train asr'"):
        Run.newest("asr", tmp_path)
    with pytest.raises(DataError, match="no finished run"):
        Run.newest("lm", tmp_path / "nowhere")


def test_the_log_can_be_rewound_and_a_line_cut_short_is_dropped(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", CONFIG)
    run.rewind_log(lambda entry: True)
    assert not (run.directory / "log.jsonl").exists()
    entries: list[dict[str, Any]] = [{"step": step, "loss": step / 3} for step in range(6)]
    for entry in entries:
        run.record(entry)
    with (run.directory / "log.jsonl").open("ab") as log:
        log.write(b'{"step": 2, "name": "\xc3')
    run.rewind_log(lambda entry: entry["step"] <= 3)
    run.record({"step": 9})
    lines = (run.directory / "log.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [*entries[:4], {"step": 9}]


def test_without_a_checkpoint_there_is_nothing_to_go_on_from(tmp_path: Path) -> None:
    assert Run.create(tmp_path / "run", CONFIG).load_last() == (None, [])


def test_the_last_checkpoint_is_taken_up_and_the_one_before_it_if_that_is_damaged(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", CONFIG)
    for step in (1, 2, 3):
        run.save_last(checkpoint(step))
        found, problems = run.load_last()
        assert found is not None
        assert (found.values["step"], problems) == (step, [])
        assert json.loads((run.directory / "last.json").read_text())["step"] == step
    damage(run, "last")
    found, problems = run.load_last()
    assert found is not None
    assert found.values["step"] == 2
    assert len(problems) == 1
    assert "last.safetensors is damaged" in problems[0]


def test_a_damaged_checkpoint_never_takes_the_place_of_the_sound_one(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", CONFIG)
    for step in (1, 2):
        run.save_last(checkpoint(step))
    damage(run, "last")
    run.load_last()
    with pytest.raises(TypeError):  # the next save fails half-way
        run.save_last(Checkpoint({"a": torch.zeros(1)}, {"step": object()}))
    found, _ = run.load_last()
    assert found is not None
    assert found.values["step"] == 1


def test_where_all_checkpoints_are_damaged_each_is_named_every_time(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", CONFIG)
    for step in (1, 2):
        run.save_last(checkpoint(step))
    damage(run, "last")
    damage(run, "previous")
    for _ in range(2):
        with pytest.raises(DataError, match=r"last\.safetensors(.|\n)*previous\.safetensors"):
            run.load_last()


def damage(run: Run, name: str) -> None:
    path = run.directory / f"{name}.safetensors"
    path.write_bytes(path.read_bytes()[:-3])


def test_a_missing_best_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"best\.safetensors does not exist"):
        Run.create(tmp_path / "run", CONFIG).load_best()


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "lm-tiny-ptb-s1"),
        ({"regularizer": {"rule": "none"}}, "lm-tiny-ptb-none-s1"),
        ({"data": {"name": "/home/me/my text"}, "seed": 12}, "lm-tiny-my text-s12"),
    ],
)
def test_default_names_say_what_is_trained(changes: dict[str, Any], name: str) -> None:
    assert default_name({**CONFIG, **changes}) == name


def test_newest_looks_into_folders_of_runs(tmp_path: Path) -> None:
    finished_run(tmp_path / "above", "lm", age=5)
    expected = finished_run(tmp_path / "demo" / "zaremba", "lm", age=1)
    assert Run.newest("lm", tmp_path).directory == expected.directory


@pytest.mark.parametrize("load", [Run.load_best, Run.load_last])
def test_assets_that_are_not_those_of_the_weights_are_damage(tmp_path: Path, load: Callable[[Run], object]) -> None:
    run = Run.create(tmp_path / "run", CONFIG)
    (run.assets / "vocabulary.json").write_text("one", encoding="utf-8")
    (run.assets / "notes.txt").write_text("one", encoding="utf-8")
    checkpoint = Checkpoint({"weight": torch.zeros(2)}, {"step": 1})
    run.save_last(checkpoint)
    run.save_best(checkpoint)
    (run.assets / "notes.txt").unlink()
    load(Run.open(run.directory))  # what is not there is for the task to miss
    (run.assets / "vocabulary.json").write_text("two", encoding="utf-8")
    run.save_best(checkpoint)  # does not make right what was swapped meanwhile
    with pytest.raises(DataError, match=r"vocabulary\.json is damaged"):
        load(Run.open(run.directory))
