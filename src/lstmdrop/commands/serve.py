"""Trained models behind an HTTP address."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmdrop.commands.evaluate import load_tasks, open_runs
from lstmdrop.errors import LstmdropError, UsageError, as_list, loading
from lstmdrop.plugin import load_plugin
from lstmdrop.run import Run
from lstmdrop.settings import AnyPath, as_paths

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from lstmdrop.serving.app import Model

TOKEN = re.compile(r"[A-Za-z0-9_-]{16,}")
"""What a header and the name of a WebSocket's protocol can carry."""


@dataclass(frozen=True, slots=True)
class Serving:
    """Where a server listens, whom it answers and what a request may cost."""

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    allowed_hosts: Sequence[str] = ()
    """Names by which it may be called, beside its own."""
    batch_seconds: float = 0.01
    batch_size: int = 32
    queue: int = 256
    most_bytes: int = 10_000_000
    characters: int = 10_000
    seconds: float = 60.0
    streams: int = 16


def serve(runs: Sequence[AnyPath], how: Serving | None = None, *, device: str = "auto") -> None:
    """Answer requests until the process is interrupted.

    Raises:
        UsageError: no run, one that offers nothing, or an open address without a token.
        DataError: a run or its checkpoint is missing or damaged.
        MissingPartError: FastAPI or uvicorn is not installed.
    """
    how = how or Serving()
    app = application(runs, how, device=device)
    import uvicorn

    try:
        uvicorn.run(
            app, host=how.host, port=how.port, log_level="warning", access_log=False, server_header=False,
            ws_max_size=how.most_bytes, timeout_graceful_shutdown=5, proxy_headers=False,
        )  # fmt: skip
    except SystemExit:  # it has logged why it could not listen
        raise LstmdropError(f"cannot listen on {how.host}:{how.port}; --port chooses another") from None


def application(runs: Sequence[AnyPath], how: Serving, *, device: str = "auto") -> ASGIApp:
    """The ASGI application that `serve` runs, for a server of one's own."""
    with loading("serving needs FastAPI and uvicorn", "pip install 'lstmdrop[serve]'"):
        import uvicorn  # noqa: F401 (it is missed before a model is loaded)

        from lstmdrop.serving.app import Limits, application
        from lstmdrop.serving.batching import Batching
    guard = _guard(how)
    models = list(_models(as_paths(as_list("runs", runs)), device))
    limits = Limits(how.characters, how.seconds, how.streams)
    return application(models, guard, batching=Batching(how.batch_seconds, how.batch_size, how.queue), limits=limits)


def _guard(how: Serving) -> Any:
    from lstmdrop.serving.guard import LOOPBACK, Guard

    is_open = how.host not in LOOPBACK
    if is_open and how.token is None:
        raise UsageError(f"--host {how.host} can be reached from other machines: give a --token that they must know")
    if how.token is not None and not TOKEN.fullmatch(how.token):
        raise UsageError("--token has 16 or more letters, digits, - and _: others could be guessed, or not be sent")
    hosts = LOOPBACK | {how.host} | {name.lower() for name in how.allowed_hosts}
    return Guard(hosts, any_number=is_open, token=how.token, most_bytes=how.most_bytes)


def _models(directories: Sequence[Path], device: str) -> Iterator[Model]:
    from lstmdrop.serving.app import Model

    if not directories:
        raise UsageError("nothing to serve: name a run with --run")
    names: set[str] = set()
    for directory in directories:
        run = Run.open(directory)
        plugin = load_plugin(str(run.config().get("task")))
        if plugin.services is None:
            raise UsageError(f"{directory}: {plugin.name} has nothing to serve")
        open_runs(plugin.name, [run.directory])
        (task,) = load_tasks(plugin, [run], device, None, None)
        config = task.config  # type: ignore[attr-defined]
        data = Path(config.data.name).name
        about = f"{plugin.summary.partition(':')[0]}; data {data}, size {config.size}, rule {config.regularizer.rule}"
        yield Model(_name(directory, names), plugin.name, about, plugin.services(task))


def _name(directory: Path, taken: set[str]) -> str:
    """A part of an address: the folder's name, numbered where another has it."""
    stem = re.sub(r"[^A-Za-z0-9_.-]", "-", directory.resolve().name).strip(".-") or "model"
    number = 1
    name = stem
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name)
    return name
