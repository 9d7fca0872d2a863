"""How fast a run is served: the delay of many requests at once, with batching and without.

    python tools/measure_serving.py --run runs/mt-tiny-demo-s1 --service translate --texts test.en --output serving.json

Every request is a line of the text, sent to a server of its own process over real connections. Each setting is measured
in turn, ``--rounds`` times; the table has the round in the middle.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path
from statistics import median, quantiles
from threading import Thread
from typing import Any

import httpx2
import uvicorn

from lstmdrop.commands.serve import Serving, application
from lstmdrop.data.text import read_lines

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Measured:
    """One round with one setting."""

    batch_size: int
    requests: int
    at_once: int
    seconds: float
    """From the first request to the last answer."""
    p50: float
    """Milliseconds from a request to its answer, in the middle."""
    p95: float
    """Of one request in twenty it is more."""

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds


@contextmanager
def running(run: Path, how: Serving) -> Iterator[str]:
    """The address of a server of a run, in a thread of this process."""
    app = application([run], how, device="cpu")
    server = uvicorn.Server(uvicorn.Config(app, host=HOST, port=0, log_level="warning", access_log=False))
    thread = Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("the server did not start")
            time.sleep(0.01)
        yield f"http://{HOST}:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


async def ask_all(
    address: str, bodies: Sequence[Mapping[str, Any]], at_once: int
) -> tuple[list[dict[str, Any]], list[float]]:
    """The answers, and the seconds that each took."""
    limits = httpx2.Limits(max_connections=at_once)
    answers: list[dict[str, Any]] = [{}] * len(bodies)
    seconds = [0.0] * len(bodies)
    waiting = iter(enumerate(bodies))
    async with httpx2.AsyncClient(limits=limits, timeout=600, trust_env=False) as client:

        async def one_of_many() -> None:
            for number, body in waiting:
                started = time.perf_counter()
                response = await client.post(address, json=body)
                seconds[number] = time.perf_counter() - started
                response.raise_for_status()
                answers[number] = response.json()

        await asyncio.gather(*(one_of_many() for _ in range(at_once)))
    return answers, seconds


def measure(
    run: Path, service: str, bodies: Sequence[Mapping[str, Any]], batch_size: int, at_once: int
) -> tuple[Measured, list[dict[str, Any]]]:
    """One round, after a few requests that are not counted, and its answers."""
    how = Serving(batch_size=batch_size, queue=len(bodies), seconds=600)
    with running(run, how) as address:
        url = f"{address}/{run.resolve().name}/{service}"
        asyncio.run(ask_all(url, bodies[:8], 8))
        started = time.perf_counter()
        answers, seconds = asyncio.run(ask_all(url, bodies, at_once))
        taken = time.perf_counter() - started
    p95 = quantiles(seconds, n=20)[-1]
    return Measured(batch_size, len(bodies), at_once, taken, 1000 * median(seconds), 1000 * p95), answers


def table(found: Sequence[Measured]) -> str:
    """A row a setting, and how much the first one gains over the last."""
    rows = [f"| {one.batch_size} | {one.p50:.0f} | {one.p95:.0f} | {one.per_second:.1f} |" for one in found]
    gain = f"gain in answers a second: {found[0].per_second / found[-1].per_second:.1f} times"
    head = "| batch | p50, ms | p95, ms | answers a second |\n| ---: | ---: | ---: | ---: |"
    return "\n".join([head, *rows, "", gain])


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--service", required=True)
    parser.add_argument("--texts", type=Path, required=True, help="a line a request, from the first again at the end")
    parser.add_argument("--options", type=json.loads, default={}, help="the other fields of a request, as JSON")
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--at-once", type=int, default=200)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    texts = islice(cycle(line for line in read_lines(given.texts) if line.strip()), given.requests)
    bodies = [{"text": text, **given.options} for text in texts]
    rounds: dict[int, list[Measured]] = {given.batch_size: [], 1: []}
    for _ in range(given.rounds):
        for batch_size, found in rounds.items():
            found.append(measure(given.run, given.service, bodies, batch_size, given.at_once)[0])
    middle = [sorted(found, key=lambda one: one.seconds)[len(found) // 2] for found in rounds.values()]
    print(table(middle))
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {load}")
    if given.output is not None:
        rows = [{**asdict(one), "per_second": one.per_second} for found in rounds.values() for one in found]
        given.output.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
