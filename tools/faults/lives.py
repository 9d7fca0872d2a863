"""Lives that end by force: processes forked from one in which all is imported, and processes of their own."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch

from faults import life
from faults.notes import Fault
from lstmdrop.training.checkpoint import read_checkpoint

TIMED = frozenset({"seconds", "logged_seconds", "tokens_per_second", "train_seconds", "git"})
"""What tells how long something took, or of which commit it is."""

IN_MEMORY = Path("/dev/shm")
"""Where nothing waits for a disk: a killed process leaves what it wrote, on a disk or not."""

Snapshot = dict[str, Any]


class Undisturbed(NamedTuple):
    """What comes of a life that nobody disturbs, and how long it takes."""

    seconds: float
    snapshot: Snapshot


class Life(Protocol):
    """A process that goes on by itself."""

    def kill(self) -> None:
        """Send SIGKILL."""

    def ended(self, seconds: float | None) -> int | None:
        """The exit code, once it has ended; None where it has not after so many seconds."""


class Forked:
    """A life that begins with everything imported."""

    def __init__(self, target: Any, *arguments: Any) -> None:
        self._process = _server().Process(target=target, args=arguments, daemon=True)
        self._process.start()

    def kill(self) -> None:
        """Send SIGKILL."""
        self._process.kill()

    def ended(self, seconds: float | None) -> int | None:
        """The exit code, once it has ended; None where it has not after so many seconds."""
        self._process.join(seconds)
        code: int | None = self._process.exitcode
        return code


class Own:
    """A life from the start of Python on."""

    def __init__(self, folder: Path, task: str) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen([sys.executable, "-m", "faults.life", str(folder), task], env=environment)

    def kill(self) -> None:
        """Send SIGKILL."""
        self._process.kill()

    def ended(self, seconds: float | None) -> int | None:
        """The exit code, once it has ended; None where it has not after so many seconds."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None


def _server() -> Any:
    """The context whose server has imported `faults.life`; it is started by the first life."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["faults.life"])
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    return context


def kill_after(life: Life, seconds: float) -> bool:
    """Whether it was still alive then, and has been killed."""
    start = time.monotonic()
    if life.ended(max(0.0, seconds - (time.monotonic() - start))) is not None:
        return False
    life.kill()
    return life.ended(None) == -9


def snapshot(folder: Path) -> Snapshot:
    """All files under a folder, by name, without what tells of time and what is left of an unfinished write."""
    found: Snapshot = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        is_silence = name.startswith("output-") and path.stat().st_size == 0
        if path.is_file() and not is_silence and not _is_left_over(name):
            found[name] = _content(path, folder)
    return found


def _is_left_over(name: str) -> bool:
    if name == "messages.txt" or name.startswith("cache/digests/"):  # which belong to the times of files
        return True
    return any(part.startswith(".") for part in name.split("/"))


def _content(path: Path, folder: Path) -> Any:
    if path.suffix == ".safetensors":
        checkpoint = read_checkpoint(path)
        return {**checkpoint.tensors, **_untimed(checkpoint.values)}
    if path.suffix in (".json", ".jsonl") or path.name.startswith("output-"):
        text = path.read_text(encoding="utf-8").replace(str(folder), "FOLDER")
        try:
            return _untimed(json.loads(text) if path.suffix == ".json" else list(map(json.loads, text.splitlines())))
        except ValueError:
            return text
    return path.read_bytes()


def _untimed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _untimed(part) for key, part in value.items() if key not in TIMED}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_untimed(part) for part in value if not (isinstance(part, Mapping) and part.get("what") in TIMED)]
    return value


def differences(found: Snapshot, expected: Snapshot) -> list[str]:
    """A line for each file or value that is not as expected, to the bit."""
    lines = [f"{name} is missing" for name in expected.keys() - found.keys()]
    lines += [f"{name} is there" for name in found.keys() - expected.keys()]
    for name in sorted(expected.keys() & found.keys()):
        ours, theirs = found[name], expected[name]
        if isinstance(theirs, Mapping) and isinstance(ours, Mapping):
            lines += [f"{name}: {line}" for line in differences(dict(ours), dict(theirs))]
        elif not _are_equal(ours, theirs):
            lines.append(f"{name} differs")
    return lines


def _are_equal(first: Any, second: Any) -> bool:
    if isinstance(first, torch.Tensor) and isinstance(second, torch.Tensor):
        return torch.equal(first, second)
    return bool(first == second)


def undisturbed(folder: Path, task: str) -> Undisturbed:
    """Live once, in peace.

    Raises:
        RuntimeError: that fails.
    """
    Forked(life.import_all).ended(None)  # the first life waits for the server
    start = time.monotonic()
    if lost := failure(Forked(life.live, folder, life.commands(task)), folder):
        raise RuntimeError(lost)
    return Undisturbed(time.monotonic() - start, snapshot(folder))


def lost(folder: Path, task: str, expected: Undisturbed) -> list[str]:
    """A line for each thing that is not as it would have been, once the same commands have come to their end here."""
    failed = failure(Forked(life.live, folder, life.commands(task)), folder)
    return [failed] if failed else differences(snapshot(folder), expected.snapshot)


def require_alike(folder: Path, task: str, expected: Undisturbed, row: Fault) -> None:
    """Make sure that the same commands come to the same end here.

    Raises:
        AssertionError: they do not; it is noted.
    """
    row.lost += (found := lost(folder, task, expected))
    assert found == [], found


def require_a_line(code: int | None, folder: Path, row: Fault) -> None:
    """Make sure that a life that failed said why in a line with a place; one that did not has done without.

    Raises:
        AssertionError: it did not; it is noted.
    """
    messages = (folder / "messages.txt").read_text(encoding="utf-8")
    said = [line for line in messages.splitlines() if line.startswith("lstmdrop: ")]
    problem = ""
    if "Traceback" in messages:
        problem = f"a traceback: {messages.strip().splitlines()[-1]}"
    elif code and (len(said) != 1 or not any(place in said[0] for place in ("/", "run: ", "standard output"))):
        problem = f"exit {code}: {messages.strip().splitlines()[-2:]}"
    row.lost += [problem] if problem else []
    assert not problem, problem
    (folder / "messages.txt").write_text("", encoding="utf-8")


def failure(last: Life, folder: Path) -> str:
    """What a life ended with, if it is not well; nothing if it is."""
    code = last.ended(None)
    messages = (folder / "messages.txt").read_text(encoding="utf-8")
    if code != 0 or "Traceback" in messages:
        return f"exit {code}: {messages.strip().splitlines()[-1:]}"
    return ""
