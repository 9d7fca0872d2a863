"""The cells of a grid as tasks of a Ray cluster, one a cell."""

from __future__ import annotations

import logging
import os
import platform
import re
import secrets
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lstmdrop.errors import DataError, LstmdropError, UsageError, did_you_mean, loading
from lstmdrop.reproduction.node import Order, Outcome, Parcels, arrive, carry_out, parcels_of
from lstmdrop.reproduction.plan import Planned
from lstmdrop.reproduction.process import command, log_of
from lstmdrop.reproduction.runner import CellEnded, CellStarted, PlaceFound

LOCAL = "local"
RAY = "ray"
_ADDRESS = re.compile(r"ray://[^\s/]+:\d+")

RETRIES = 5
"""How often a cell is begun again whose machine was lost: one that brings down every machine is not to go round."""

CONNECT_SECONDS = 10.0
"""For a connection that nobody answers; one to a server of another kind ends after three times as much."""

STOP_SECONDS = 120.0
"""For the last checkpoints."""


def require_place(on: str) -> None:
    """Make sure that ``on`` names a place where cells can run.

    Raises:
        UsageError: it does not.
    """
    if on not in (LOCAL, RAY) and not _ADDRESS.fullmatch(on):
        hint = did_you_mean(on, [LOCAL, RAY])
        raise UsageError(f"--on {on!r}{hint or f': {LOCAL}, {RAY}, or ray://HOST:PORT (of a cluster often 10001)'}")


@contextmanager
def cluster(
    address: str, out: Path, *, jobs: int | None = None, threads: int | None = None, device: str = "auto",
    data_dir: Path | None = None,
) -> Iterator[Cluster]:  # fmt: skip
    """The Ray cluster at ``address``; with ``ray`` the one that this machine is in, else one of its own.

    Raises:
        MissingPartError: ray is not installed.
        DataError: no cluster answers.
        UsageError: no machine of it has what a cell needs.
    """
    if ":" in device:
        raise UsageError(f"--device {device}: a cluster gives each run a GPU of its own; write --device cuda")
    ray = _connected(address)
    mark = out.absolute() / f".shared-{secrets.token_hex(16)}"
    try:
        out.mkdir(parents=True, exist_ok=True)
        mark.touch()
        yield Cluster(ray, address, mark, jobs, threads or 1, device, data_dir and data_dir.absolute())
    finally:
        mark.unlink(missing_ok=True)
        ray.shutdown()


def _connected(address: str) -> Any:
    with loading("running on a cluster needs ray", "pip install 'lstmdrop[ray]'"):
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
        import ray
    named = os.environ.get("RAY_ADDRESS", "") if address == RAY else address
    options: dict[str, Any] = {} if named.startswith("ray://") else {"include_dashboard": False}
    try:
        _require_listener(named)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(named or None, log_to_driver=False, logging_level=logging.ERROR, **options)
    except Exception as error:
        raise DataError(f"no Ray cluster answers at {named or 'this machine'}: {_in_a_line(error)}") from None
    return ray


def _require_listener(address: str) -> None:
    """Ray itself would wait for a minute, and not say for what."""
    place = urlsplit(address if "://" in address else f"//{address}")
    if place.hostname and place.port:
        socket.create_connection((place.hostname, place.port), CONNECT_SECONDS).close()


def _in_a_line(error: Exception) -> str:
    """Of an error that was raised in a task the last line, where its traceback ends."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[-1] if hasattr(error, "cause") else lines[0]


class Cluster:
    """A Ray cluster; a cell takes ``threads`` cores, and a GPU where ``device`` is one or ``auto`` finds some.

    At most ``jobs`` cells are there at a time; with None Ray queues them all.
    """

    def __init__(
        self, ray: Any, address: str, mark: Path, jobs: int | None, threads: int, device: str, data_dir: Path | None
    ) -> None:
        self._ray, self._address, self._mark = ray, address, mark
        self._jobs, self._threads, self._device, self._data_dir = jobs, threads, device, data_dir
        self._num_gpus = int(device == "cuda" or (device == "auto" and "GPU" in ray.cluster_resources()))
        self._at_a_time = self._num_at_a_time()
        self._task = ray.remote(num_cpus=threads, num_gpus=self._num_gpus, max_retries=RETRIES)(carry_out)
        self._running: dict[Any, Order] = {}

    @property
    def found(self) -> PlaceFound:
        """What the cluster is like."""
        nodes = len(self._nodes())
        about = f"{nodes} machine{'s' if nodes > 1 else ''} on {self._address}"
        return PlaceFound(about, min(self._at_a_time, self._jobs or self._at_a_time))

    def _nodes(self) -> list[dict[str, float]]:
        return [node["Resources"] for node in self._ray.nodes() if node["Alive"]]

    def _num_at_a_time(self) -> int:
        nodes = self._nodes()
        largest = int(max((node.get("CPU", 0) for node in nodes), default=0))
        if 0 < largest < self._threads:
            raise UsageError(f"--threads {self._threads}: the largest machine of the cluster has {largest} cores")
        if self._num_gpus and not any(node.get("GPU") for node in nodes):
            raise UsageError(f"--device {self._device}: no machine of the cluster has a GPU that Ray knows of")
        rooms = [int(node.get("CPU", 0)) // self._threads for node in nodes]
        gpus = [int(node.get("GPU", 0)) if self._num_gpus else room for node, room in zip(nodes, rooms, strict=True)]
        return max(1, sum(map(min, rooms, gpus)))

    @property
    def has_room(self) -> bool:
        """Whether Ray takes one more; it queues what does not fit, so that a cluster that can grow does."""
        return self._jobs is None or len(self._running) < self._jobs

    @property
    def is_busy(self) -> bool:
        """Whether any is there."""
        return bool(self._running)

    def start(self, planned: Planned) -> CellStarted:
        """Give a cell to Ray."""
        members = tuple(member.absolute() for member in planned.members)
        planned = replace(planned, directory=planned.directory.absolute(), members=members)
        words = tuple(command(replace(planned, directory=Path(), members=()), self._device))
        order = Order(
            planned, words, self._threads, self._device, self._data_dir, Path.cwd(), self._mark, platform.node()
        )
        self._submit(order, None)
        return CellStarted(planned, log_of(planned.directory), is_queued=True)

    def _submit(self, order: Order, parcels: Parcels | None) -> None:
        self._running[self._task.options(name=order.planned.cell.name).remote(order, parcels)] = order

    def ended(self) -> Iterator[CellEnded]:
        """Those that have ended; what they made is in its folder."""
        if not self._running:
            return
        ready, _ = self._ray.wait(list(self._running), num_returns=1, timeout=0.5)
        for task in ready:
            order = self._running.pop(task)
            outcome = self._outcome(task)
            try:
                if outcome.wants_parcels:
                    self._submit(order, parcels_of(order.planned))
                    continue
                _receive(order.planned, outcome)
            except (LstmdropError, OSError) as error:
                outcome = Outcome(1, outcome.seconds, str(error))
            yield CellEnded(order.planned, outcome.exit_code, outcome.seconds, outcome.message)

    def _outcome(self, task: Any) -> Outcome:
        try:
            outcome: Outcome = self._ray.get(task)
        except Exception as error:  # Ray has many, and what the cell raises comes back as one of them
            return Outcome(1, message=_in_a_line(error))
        return outcome

    def stop(self) -> None:
        """Cancel what is queued, interrupt what runs, and bring home what it has come to."""
        tasks = list(self._running)
        for task in tasks:
            self._ray.cancel(task, force=False)
        ready = self._ray.wait(tasks, num_returns=len(tasks), timeout=STOP_SECONDS)[0] if tasks else []
        for task in ready:
            with suppress(LstmdropError, OSError):
                _receive(self._running[task].planned, self._outcome(task))
        self._running.clear()


def _receive(planned: Planned, outcome: Outcome) -> None:
    """Put what was made elsewhere where it would be had it been made here."""
    if outcome.run:
        arrive(outcome.run, planned.directory)
    if outcome.said:
        log = log_of(planned.directory)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as file:
            file.write(outcome.said)
