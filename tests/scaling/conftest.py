"""Workers as processes of their own; what is tried here in a few cases, `make scale` tries in many."""

from __future__ import annotations

import multiprocessing
import os
import socket
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import torch

from lstmdrop.commands.train import train
from lstmdrop.errors import LstmdropError
from lstmdrop.training.checkpoint import Checkpoint, read_checkpoint

IS_LONG = os.environ.get("LSTMDROP_SCALE") == "long"
"""Whether all cases are tried, not only the few."""

LONGEST = 200.0
"""Seconds after which workers are taken to wait for ever."""


class Crew:
    """Starts workers that share a training, each in a process with the environment that torchrun would give it."""

    def __init__(self, folder: Path, toys: Mapping[str, tuple[str, list[str]]], longest: float = LONGEST) -> None:
        self.folder = folder
        self.longest = longest
        self.toys = toys

    def train(self, task: str, count: int, name: str, *settings: str, **options: Any) -> Path:
        """The folder of a run of a toy, by so many workers; all have ended well.

        One alone is this process itself: what it imports its later workers have.
        """
        out = self.folder / name
        if count == 1:
            return train(task, **self._call(task, name, settings, options)).directory
        assert self.codes(task, count, name, *settings, **options) == [0] * count
        return out

    def codes(
        self,
        task: str,
        count: int,
        name: str,
        *settings: str,
        before: Callable[[int], None] = lambda rank: None,
        **options: Any,
    ) -> list[int | None]:
        """The exit codes of such a training; ``before`` is called in each worker first."""
        port, call = _free_port(), self._call(task, name, settings, options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forking where there are threads
            workers = [_start(rank, count, port, before, task, call) for rank in range(count)]
        for worker in workers:
            worker.join(self.longest)
            if worker.is_alive():
                worker.kill()
        return [worker.exitcode for worker in workers]

    def _call(self, task: str, name: str, settings: Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:
        data, toy = self.toys[task]
        return {"size": "tiny", "data": data, "overrides": [*toy, *settings], "out": self.folder / name, **options}


def _start(
    rank: int, count: int, port: int, before: Callable[[int], None], task: str, call: Mapping[str, Any]
) -> BaseProcess:
    worker = multiprocessing.get_context("fork").Process(target=_work, args=(rank, count, port, before, task, call))
    worker.start()
    return worker


def _work(rank: int, count: int, port: int, before: Callable[[int], None], task: str, call: Mapping[str, Any]) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count)}
    os.environ |= {"MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
    code = 0
    try:
        before(rank)
        train(task, **call)
    except KeyboardInterrupt:
        code = 130
    except LstmdropError as error:
        code = error.exit_code
        print(f"{rank}: {type(error).__name__}: {error}", file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 99
    sys.stderr.flush()
    os._exit(code)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def crew(tmp_path: Path, toys: dict[str, tuple[str, list[str]]]) -> Crew:
    return Crew(tmp_path, toys)


def last(run: Path) -> Checkpoint:
    return read_checkpoint(run / "last.safetensors")


def furthest(found: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]) -> float:
    """The largest difference of two sets of weights."""
    assert found.keys() == expected.keys()
    return max(float((found[name] - value).abs().max()) for name, value in expected.items())


def cases(few: Sequence[Any], more: Sequence[Any]) -> list[Any]:
    """What a test is tried on: a few cases, or these and more."""
    return [*few, *(more if IS_LONG else ())]
