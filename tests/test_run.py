"""Laws of a run directory."""

from __future__ import annotations

import errno
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


TRAINABLE = {**CONFIG, "training": {}}


def never_trained(folder: Path) -> Run:
    """All that a run can have made by the time that training begins, and what an interrupted write leaves."""
    run = Run.create(folder, TRAINABLE)
    (run.assets / "vocabulary.json").write_text("{}", encoding="utf-8")
    (run.directory / "tensorboard").mkdir()
    (run.directory / "log.jsonl").touch()
    (run.directory / ".config.json.0a1b2c3d").touch()
    (run.directory / ".assets.0a1b2c3d").mkdir()
    return run


def test_what_was_made_before_training_is_discarded_whole_and_nothing_else(tmp_path: Path) -> None:
    run = never_trained(tmp_path / "run")
    assert run.never_trained()
    Run.create(run.directory, {**TRAINABLE, "seed": 2})
    assert sorted(path.name for path in run.directory.iterdir()) == ["assets", "config.json"]
    assert list(run.assets.iterdir()) == []
    assert run.config()["seed"] == 2
    (run.directory / "notes.txt").touch()
    run.discard()
    assert [path.name for path in run.directory.iterdir()] == ["notes.txt"]
    run.discard()  # of what is not there nothing goes


@pytest.mark.parametrize("file", ["notes.txt", "last.safetensors", "result.json", "assets2/a", "examples.jsonl"])
def test_a_run_that_has_anything_more_has_trained(tmp_path: Path, file: str) -> None:
    run = never_trained(tmp_path / "run")
    (run.directory / file).parent.mkdir(exist_ok=True)
    (run.directory / file).touch()
    assert run.never_trained() == (file == "assets2/a")  # what begins like the assets is a half-made folder of them
    if not run.never_trained():
        with pytest.raises(UsageError, match="holds a run already: --resume goes on with it"):
            Run.create(run.directory, TRAINABLE)
        assert (run.directory / file).exists()


def test_a_log_with_a_line_is_of_a_run_that_trained(tmp_path: Path) -> None:
    run = never_trained(tmp_path / "run")
    run.record({"step": 1})
    assert not run.never_trained()


@pytest.mark.parametrize("missing", ["task", "data", "regularizer", "training"])
def test_a_configuration_that_is_none_of_ours_is_left_alone(tmp_path: Path, missing: str) -> None:
    run = never_trained(tmp_path / "run")
    run.write_config({name: value for name, value in TRAINABLE.items() if name != missing})
    assert not run.never_trained()
    (run.directory / "config.json").write_text("{", encoding="utf-8")
    assert not run.never_trained()
    run.write_config({name: TRAINABLE[name] for name in ("task", "data", "regularizer", "training")})
    assert run.never_trained()


def test_where_there_is_no_configuration_there_is_no_run(tmp_path: Path) -> None:
    run = Run(tmp_path / "nothing")
    assert not run.exists()
    assert not run.never_trained()
    assert not run.has_checkpoint()
    (tmp_path / "nothing" / "config.json").mkdir(parents=True)
    assert not run.exists()


def test_a_name_that_is_no_utf8_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the name is not UTF-8"):
        Run.create(tmp_path / os.fsdecode(b"caf\xe9"), CONFIG)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_made_for_a_claim_goes_with_it_unless_it_is_used(tmp_path: Path) -> None:
    unused = Run(tmp_path / "deep" / "unused")
    with unused.claimed():
        assert unused.directory.is_dir()
    assert not unused.directory.exists()
    used = Run(tmp_path / "used")
    with used.claimed():
        used.write_config(CONFIG)
    assert used.config() == CONFIG
    mine = Run(tmp_path / "mine")
    mine.directory.mkdir()
    with mine.claimed():
        pass
    assert mine.directory.is_dir()  # it was there before


def test_a_claim_on_a_file_is_refused_and_the_file_stays(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="not an empty folder"), Run(tmp_path / "file").claimed():
        pass
    assert (tmp_path / "file").read_text() == "mine"


def test_a_claim_that_fails_lets_the_failure_through_and_ends(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    with pytest.raises(ZeroDivisionError), run.claimed():
        raise ZeroDivisionError
    assert not run.directory.exists()


def test_either_of_two_checkpoints_is_one_to_go_on_from(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", CONFIG)
    assert not run.has_checkpoint()
    run.save_last(checkpoint(1))
    assert run.has_checkpoint()
    (run.directory / "last.safetensors").rename(run.directory / "previous.safetensors")
    assert run.has_checkpoint()
    found, _ = run.load_last()
    assert found is not None
    assert found.values["step"] == 1


def test_starting_over_forgets_half_made_assets_and_the_log(tmp_path: Path) -> None:
    run = never_trained(tmp_path / "run")
    run.record({"step": 1})
    for _ in range(2):  # of nothing as well
        run.start_over()
        assert list(run.assets.iterdir()) == []
        assert not (run.directory / "log.jsonl").exists()
    assert run.config() == TRAINABLE


def test_assets_are_needed_and_one_is_enough(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", CONFIG)
    with pytest.raises(DataError, match="assets is empty: the run was stopped before it began, or is damaged"):
        run.require_assets()
    (run.assets / "vocabulary.json").touch()
    run.require_assets()


def test_examples_are_one_object_a_line_in_their_own_letters(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", CONFIG)
    examples = [{"text": "naïve\nand 日本"}, {"text": "", "score": 0.5}]
    run.keep_examples(examples)
    lines = (run.directory / "examples.jsonl").read_text(encoding="utf-8").split("\n")
    assert [json.loads(line) for line in lines[:-1]] == examples
    assert lines[-1] == ""
    assert "naïve" in lines[0]
    run.keep_examples([])
    assert (run.directory / "examples.jsonl").read_bytes() == b""


def test_a_name_that_is_no_utf8_is_written_into_a_result_all_the_same(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", CONFIG)
    run.keep_examples([{"audio": os.fsdecode(b"caf\xe9.wav")}])
    (line,) = (run.directory / "examples.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line) == {"audio": os.fsdecode(b"caf\xe9.wav")}


def test_the_state_before_the_last_is_kept_where_files_cannot_have_two_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError

    run = Run.create(tmp_path / "run", CONFIG)
    (run.directory / "previous.safetensors.tmp").write_bytes(b"left by a crash")
    for refusing in (False, True):
        if refusing:
            monkeypatch.setattr(os, "link", refuse)
        for step in (1, 2, 3):
            run.save_last(checkpoint(step))
        damage(run, "last")
        found, _ = run.load_last()
        assert found is not None
        assert found.values["step"] == 2
        assert sorted(path.name for path in run.directory.glob("*.tmp")) == []


def test_no_log_line_is_lost_that_is_whole_and_wanted(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", CONFIG)
    for line in ('{"step": 1}', "[1, 2]", "5", '"text"', "", '{"step": 2}', "{"):
        with (run.directory / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(line + "\n")
    run.rewind_log(lambda entry: "step" in entry)
    assert (run.directory / "log.jsonl").read_text() == '{"step": 1}\n{"step": 2}\n'


@pytest.mark.parametrize("load", [Run.load_best, Run.load_last])
def test_weights_that_were_trained_with_other_settings_are_refused(
    tmp_path: Path, load: Callable[[Run], object]
) -> None:
    """Those of another run, or those of this one beside a configuration that was changed."""
    run = Run.create(tmp_path / "run", CONFIG)
    run.settings = {"seed": 1, "regularizer.rule": "zaremba", "of.earlier": "versions"}
    state = Checkpoint({"weight": torch.zeros(2)}, {"step": 1})
    run.save_last(state)
    run.save_best(state)
    load(Run.open(run.directory))
    run.write_config({**CONFIG, "seed": 2})
    with pytest.raises(DataError, match=r"safetensors was trained with seed=1, and .*config\.json has 2"):
        load(Run.open(run.directory))


def test_an_error_of_a_full_disk_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    run = Run.create(tmp_path / "run", CONFIG)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*result\.json'"):
        run.finish({})
    assert not run.is_finished()
