"""A run that was killed, interrupted or damaged ends as if nothing had happened: real processes, real signals."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from lstmdrop.commands.train import train
from lstmdrop.errors import ConfigError, DataError, UsageError
from lstmdrop.training.checkpoint import read_checkpoint
from lstmdrop.training.progress import Stepped

SETTINGS = (
    "training.save_minutes=0", "training.epochs=3", "training.log_every=3", "training.accumulate=2",
    "training.optimizer=adamw", "training.rate=0.01",
)  # fmt: skip
TIMED = ("seconds", "tokens_per_second", "train_seconds")

Start = Callable[[], "subprocess.Popen[str]"]
Train = Callable[..., object]


@pytest.fixture(scope="module")
def overrides(toy_settings: list[str]) -> list[str]:
    return [*toy_settings, *SETTINGS]


@pytest.fixture(scope="module")
def train_toy(toy_corpus: Path, overrides: list[str]) -> Train:
    """Trains in this process, or goes on."""
    return partial(train, "lm", size="tiny", data=str(toy_corpus), overrides=overrides, device="cpu")


@pytest.fixture(scope="module")
def expected(train_toy: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that nothing disturbed."""
    out = tmp_path_factory.mktemp("runs") / "uninterrupted"
    train_toy(out=out)
    return out


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Where the disturbed run goes."""
    return tmp_path / "run"


@pytest.fixture
def start(toy_corpus: Path, overrides: list[str], run: Path) -> Start:
    """Starts, or goes on with, a training process."""

    def start_process() -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "lstmdrop", "train", "lm", "--size", "tiny", "--data", str(toy_corpus)]
        command += ["--out", str(run), "--resume", "--device", "cpu"]
        command += [part for setting in overrides for part in ("--set", setting)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)

    return start_process


def wait_for_saves(process: subprocess.Popen[str], run: Path, num_saves: int) -> None:
    """Until the process has saved so often, or has ended."""
    path, seen = run / "last.safetensors", set()
    if path.exists():
        seen.add(path.stat().st_mtime_ns)
        num_saves += 1
    while len(seen) < num_saves and process.poll() is None:
        if path.exists():
            seen.add(path.stat().st_mtime_ns)
        time.sleep(0.0005)


def log_without_times(run: Path) -> list[dict[str, Any]]:
    lines = (run / "log.jsonl").read_text(encoding="utf-8").splitlines()
    return [{key: value for key, value in json.loads(line).items() if key not in TIMED} for line in lines]


def assert_ended_alike(run: Path, expected: Path) -> None:
    for name in ("best", "last"):
        found, reference = (read_checkpoint(folder / f"{name}.safetensors") for folder in (run, expected))
        assert found.tensors.keys() == reference.tensors.keys()
        for key, value in reference.tensors.items():
            assert torch.equal(found.tensors[key], value), f"{name} {key}"
        assert found.values.get("step") == reference.values.get("step")
    assert log_without_times(run) == log_without_times(expected)
    results = [json.loads((folder / "result.json").read_text()) for folder in (run, expected)]
    unequal = {*TIMED, "git"}  # a commit made while the tests run is no difference between the runs
    first, second = ({key: value for key, value in result.items() if key not in unequal} for result in results)
    assert first == second


def stop_after(event_name: str, number: int, train_toy: Train, run: Path) -> None:
    """Interrupt a run in this process at the event of that name and number."""
    seen = 0

    def listener(event: object) -> None:
        nonlocal seen
        seen += type(event).__name__.lower() == event_name
        if seen == number:
            os.kill(os.getpid(), signal.SIGTERM)
            seen += 1

    with pytest.raises(KeyboardInterrupt):
        train_toy(out=run, listener=listener)


def contents(run: Path) -> dict[Path, tuple[int, bytes]]:
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in run.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_killed_again_and_again_a_run_ends_as_if_it_had_not_been(
    expected: Path, run: Path, train_toy: Train, start: Start
) -> None:
    choose = random.Random(5)
    steps = [0]
    for _ in range(3):
        process = start()
        wait_for_saves(process, run, choose.randint(1, 9))
        time.sleep(choose.random() * 0.02)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL, "the process ended before it was killed"
        steps.append(read_checkpoint(run / "last.safetensors").values["step"])
    assert steps == sorted(steps)
    assert steps[-1] > 0
    train_toy(out=run, resume=True)
    assert_ended_alike(run, expected)


def test_the_first_step_is_saved_with_the_kernel_that_it_measured(
    toy_corpus: Path, run: Path, overrides: list[str]
) -> None:
    """However rarely a run is saved: a kernel measured anew might be another one, which rounds in another way."""

    class KilledError(Exception):
        pass

    def kill(event: object) -> None:
        if isinstance(event, Stepped) and event.step == 3:
            raise KilledError

    rarely = [*overrides, "training.save_minutes=60", "training.kernel=measured"]
    with pytest.raises(KilledError):
        train("lm", size="tiny", data=str(toy_corpus), overrides=rarely, out=run, device="cpu", listener=kill)
    values = read_checkpoint(run / "last.safetensors").values
    assert values["step"] == 1
    assert set(values["kernels"].values()) <= {"onednn", "native"}
    assert values["kernels"]


@pytest.mark.slow
def test_interrupted_by_either_signal_a_run_says_so_saves_and_goes_on(
    expected: Path, run: Path, train_toy: Train, start: Start
) -> None:
    for number, num_saves in ((signal.SIGINT, 4), (signal.SIGTERM, 9)):
        process = start()
        wait_for_saves(process, run, num_saves)
        process.send_signal(number)
        output, messages = process.communicate(timeout=100)
        assert process.returncode == 130
        assert output == ""
        assert "--resume" in messages.splitlines()[-1]
        assert "Traceback" not in messages
        assert not (run / "result.json").exists()
    train_toy(out=run, resume=True)
    assert_ended_alike(run, expected)


# A signal between open() and its with block leaves the file to the garbage collector, which says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("seconds", [0.001, 0.005, 0.012])
def test_two_signals_at_any_moment_never_save_half_a_step(
    expected: Path, run: Path, train_toy: Train, seconds: float
) -> None:
    """The second one does not wait for the step to end."""

    def interrupt_twice(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    def set_the_alarm(event: object) -> None:
        if getattr(event, "step", 0) == 4:
            signal.setitimer(signal.ITIMER_REAL, seconds)

    before = signal.signal(signal.SIGALRM, interrupt_twice)
    try:
        with pytest.raises(KeyboardInterrupt):
            train_toy(out=run, listener=set_the_alarm)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    train_toy(out=run, resume=True)
    assert_ended_alike(run, expected)


@pytest.mark.slow
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(
    expected: Path, run: Path, train_toy: Train, start: Start
) -> None:
    stop_after("evaluated", 1, train_toy, run)
    last = run / "last.safetensors"
    content = bytearray(last.read_bytes())
    content[-5] ^= 4
    last.write_bytes(content)
    process = start()
    _, messages = process.communicate(timeout=200)
    assert process.returncode == 0
    assert f"{last} is damaged" in messages
    assert "going on from the checkpoint before it, at step" in messages
    assert_ended_alike(run, expected)


def test_where_no_checkpoint_can_be_read_the_run_is_refused_again_and_again(run: Path, train_toy: Train) -> None:
    stop_after("evaluated", 1, train_toy, run)
    for name in ("last", "previous"):
        (run / f"{name}.safetensors").write_bytes(b"not a checkpoint")
    for _ in range(2):
        with pytest.raises(DataError, match=r"last\.safetensors is damaged.*\n.*previous\.safetensors is damaged"):
            train_toy(out=run, resume=True)


@pytest.mark.parametrize(("event", "number"), [("stepped", 3), ("logged", 2), ("validating", 1), ("evaluated", 1)])
def test_whatever_the_event_at_which_it_stopped_nothing_is_logged_twice_or_lost(
    expected: Path, run: Path, train_toy: Train, event: str, number: int
) -> None:
    stop_after(event, number, train_toy, run)
    train_toy(out=run, resume=True)
    assert_ended_alike(run, expected)


def test_a_crash_between_the_log_and_the_checkpoint_leaves_no_entry_twice(
    expected: Path, run: Path, train_toy: Train
) -> None:
    """The epoch's scores are in the log, and the checkpoint is from just before them."""
    stop_after("validating", 1, train_toy, run)
    step = read_checkpoint(run / "last.safetensors").values["step"]
    logged = (expected / "log.jsonl").read_text().splitlines(keepends=True)
    beyond = [line for line in logged if json.loads(line)["step"] <= step + 3]
    (run / "log.jsonl").write_text("".join(beyond) + '{"event": "logged", "st')
    train_toy(out=run, resume=True)
    assert_ended_alike(run, expected)


def test_a_crash_while_the_vocabulary_was_written_is_got_over(expected: Path, run: Path, train_toy: Train) -> None:
    (run / "assets").mkdir(parents=True)
    (run / "config.json").write_bytes((expected / "config.json").read_bytes())
    vocabulary = (expected / "assets" / "vocabulary.json").read_bytes()
    (run / "assets" / ".vocabulary.json.0a1b2c3d").write_bytes(vocabulary[:20])
    (run / "assets" / "vocabulary.json").write_bytes(vocabulary)
    train_toy(out=run, resume=True)
    assert_ended_alike(run, expected)


def test_going_on_with_another_configuration_is_refused_with_its_differences(
    run: Path, train_toy: Train, overrides: list[str]
) -> None:
    stop_after("stepped", 1, train_toy, run)
    before = contents(run)
    with pytest.raises(ConfigError) as caught:
        train_toy(out=run, overrides=[*overrides, "training.rate=0.02", "model.hidden_size=9"], seed=5, resume=True)
    lines = [line.strip() for line in str(caught.value).splitlines() if "->" in line]
    assert lines == ["model.hidden_size: 8 -> 9", "seed: 1 -> 5"]  # the rate may change
    assert contents(run) == before


def test_going_on_needs_no_setting_to_be_named_again(expected: Path, run: Path, train_toy: Train) -> None:
    stop_after("stepped", 4, train_toy, run)
    train("lm", out=run, resume=True, device="cpu")
    assert_ended_alike(run, expected)


def test_going_on_with_another_text_is_refused(
    make_corpus: Callable[..., Path], run: Path, overrides: list[str]
) -> None:
    corpus = make_corpus("mine")
    stop_after(
        "stepped", 2, partial(train, "lm", size="tiny", data=str(corpus), overrides=overrides, device="cpu"), run
    )
    with (corpus / "train.txt").open("a", encoding="utf-8") as text:
        text.write("the cat sees the dog\n")
    before = contents(run)
    with pytest.raises(DataError, match="the data has changed"):
        train("lm", out=run, resume=True, device="cpu")
    assert contents(run) == before


def test_a_run_that_is_interrupted_while_it_is_built_can_be_started_again(
    expected: Path, run: Path, train_toy: Train
) -> None:
    stop_after("started", 1, train_toy, run)
    train_toy(out=run, resume=True)
    assert_ended_alike(run, expected)


def test_a_finished_run_is_returned_at_once_and_as_it_is(expected: Path, train_toy: Train) -> None:
    before = contents(expected)
    events: list[str] = []
    train_toy(out=expected, resume=True, listener=lambda event: events.append(type(event).__name__))
    assert events == ["Finished"]
    assert contents(expected) == before


def test_a_folder_that_holds_a_run_or_anything_else_is_not_trained_into(
    expected: Path, train_toy: Train, toy_corpus: Path
) -> None:
    for folder, reason in ((expected, "holds a run already: --resume"), (toy_corpus, "not an empty folder")):
        before = contents(folder)
        with pytest.raises(UsageError, match=reason):
            train_toy(out=folder)
        assert contents(folder) == before
