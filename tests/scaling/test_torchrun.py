"""torchrun itself: workers that are killed and come back, a stop, a mistake, and two machines with a slow link."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.scaling.conftest import IS_LONG, Crew, furthest, last
from tests.scaling.launcher import torchrun

from lstmdrop.run import Run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="workers are found in /proc, which is not here"),
]
only_long = pytest.mark.skipif(not IS_LONG, reason="make scale tries it")

ALONE = ("--standalone", "--nproc-per-node", "2")
SETTINGS = ("training.kernel=native", "training.log_every=1", "training.save_minutes=0", "training.epochs=8")


@pytest.fixture
def arguments(toys: dict[str, tuple[str, list[str]]]) -> list[str]:
    data, toy = toys["lm"]
    return ["lm", "--size", "tiny", "--data", data, *(part for one in (*toy, *SETTINGS) for part in ("--set", one))]


def test_killed_workers_come_back_and_nothing_is_lost(crew: Crew, arguments: list[str], tmp_path: Path) -> None:
    whole = last(crew.train("lm", 2, "whole", *SETTINGS))
    with torchrun((*ALONE, "--max-restarts", "2"), arguments, tmp_path / "killed") as launched:
        launched.kill(1, after=10)
        if IS_LONG:
            launched.kill(0, after=launched.num_logged() + 10)
        code, printed = launched.finish()
    assert code == 0, printed
    found = last(tmp_path / "killed")
    assert furthest(found.part("model"), whole.part("model")) == 0
    assert found.values["step"] == whole.values["step"]
    assert Run(tmp_path / "killed").result()["world_size"] == 2
    assert printed.count("resumed at step") == (2 if IS_LONG else 1)
    assert printed.count("epoch  8/8") == 1  # one speaks for both


@only_long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_is_a_checkpoint_well_within_the_time_that_torchrun_gives(
    crew: Crew, arguments: list[str], tmp_path: Path, number: signal.Signals
) -> None:
    whole = last(crew.train("lm", 2, "whole", *SETTINGS, "training.save_minutes=9"))
    many = [*arguments, "--set", "training.save_minutes=9"]
    with torchrun(ALONE, many, tmp_path / "stopped") as launched:
        launched.until(lambda: launched.num_logged() >= 12)
        launched.process.send_signal(number)
        begin = time.monotonic()
        _, printed = launched.finish()
    assert time.monotonic() - begin < 25
    assert printed.count("interrupted; the same command with --resume goes on from here") == 1
    assert last(tmp_path / "stopped").values["step"] >= 12
    with torchrun(ALONE, [*many, "--resume"], tmp_path / "stopped") as launched:
        assert launched.finish()[0] == 0
    assert furthest(last(tmp_path / "stopped").part("model"), whole.part("model")) == 0


def test_a_worker_that_has_failed_lets_the_first_one_speak(tmp_path: Path) -> None:
    """torchrun ends the others as soon as one has ended: a mistake would be told by nobody."""
    place = {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2"}
    command = [sys.executable, "-m", "lstmdrop", "train", "lm", "--no-such-option"]
    with subprocess.Popen(
        command, env={**os.environ, **place}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    ) as waiting:
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(5)
        waiting.terminate()
        assert waiting.communicate(timeout=5) == (b"", b"")


@only_long
@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        (["--set", "training.rate=-1"], r"training\.rate"),
        (["--data", "nowhere/at/all"], "nowhere/at/all"),
        (["--set", "training.batch_size=1"], "2 workers cannot share a batch of 1 streams"),
        (["--no-such-option"], "No such option"),
    ],
)
def test_a_mistake_is_told_once(arguments: list[str], tmp_path: Path, wrong: list[str], line: str) -> None:
    with torchrun(ALONE, [*arguments, *wrong], tmp_path / "wrong") as launched:
        code, printed = launched.finish()
    assert code != 0
    assert len(re.findall(rf"(?m)^(?:lstmdrop: |Error: |.*│ ).*{line}|^.*{line}.*$", printed)) == 1, printed
    assert "Traceback" not in printed.partition("torch/distributed")[0]
    assert not (tmp_path / "wrong").exists()


LINK = Path(__file__).with_name("link.py")


@pytest.fixture
def machines() -> Iterator[list[tuple[str, str]]]:
    """Names and addresses of two that hear of each other after 20 ms."""
    named = [(f"ld{os.getpid()}{letter}", f"10.87.0.{number}") for number, letter in enumerate("ab", 1)]
    command = [sys.executable, str(LINK), *named[0], *named[1], "20"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as link:
        assert link.stdout is not None
        assert link.stderr is not None
        if link.stdout.readline() != "ready\n":
            reason = link.stderr.read().strip().splitlines() or ["nothing was said"]
            pytest.skip(f"no network namespaces, or no tunnels between them, can be made here: {reason[-1]}")
        yield named
        link.stdin.close()  # type: ignore[union-attr]


@only_long
@pytest.mark.parametrize("rounds", [1, 6])
def test_two_machines_with_a_slow_link_train_one_model(
    crew: Crew, arguments: list[str], tmp_path: Path, machines: Any, rounds: int
) -> None:
    settings = (*SETTINGS, "training.epochs=2", f"training.sync_every={rounds}")
    whole = last(crew.train("lm", 2, "whole", *settings))
    many = [*arguments, "--set", "training.epochs=2", "--set", f"training.sync_every={rounds}"]
    begun = []
    for rank, (name, _) in enumerate(machines):
        options = ("--nnodes", "2", "--node-rank", str(rank), "--nproc-per-node", "1",
                   "--master-addr", machines[0][1], "--master-port", "29511")  # fmt: skip
        environment = {"GLOO_SOCKET_IFNAME": name, "LSTMDROP_CACHE": str(tmp_path / name)}
        begun.append(torchrun(options, many, tmp_path / f"run{rank}", environment, ("ip", "netns", "exec", name)))
    with begun[0] as first, begun[1] as second:
        codes = [machine.finish() for machine in (first, second)]
    assert [code for code, _ in codes] == [0, 0], codes
    assert furthest(last(tmp_path / "run0").part("model"), whole.part("model")) == 0
    assert not (tmp_path / "run1").exists()  # the second machine writes nothing but its cache
