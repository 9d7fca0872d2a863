"""The paper's Penn Treebank rows on one GPU: medium, large, a second seed of each, and their averages.

    python tools/gpu_ptb.py --out docs/results/lm/gpu --minutes 9

Stopped, by the minutes or by anything else, it goes on where it was when it is called again. Everything goes to one
folder: a run directory for each model, one for each average, ``table.md``, ``speed.json`` with the plain PyTorch loop
beside ours, and ``pieces.jsonl`` with the wall time, card and driver of each call.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import torch

from lstmdrop.commands.average import average
from lstmdrop.commands.bench import SETTINGS, bench
from lstmdrop.commands.report import report
from lstmdrop.commands.train import train
from lstmdrop.errors import LstmdropError
from lstmdrop.report.table import to_markdown
from lstmdrop.run import Run
from lstmdrop.training.device import choose_device
from lstmdrop.training.progress import Evaluated, Event, Finished, Started

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is still to be done; 0 when all is, 130 when it was stopped before."""
    options = _options().parse_args(arguments)
    try:
        choose_device(options.device)
    except LstmdropError as error:
        print(f"{error}\nto wait for days, not minutes: --device cpu", file=sys.stderr)
        return error.exit_code
    options.out.mkdir(parents=True, exist_ok=True)
    started, done = time.time(), False
    try:
        with _stopping_after(options.minutes):
            _train_and_average(options)
            _measure_speed(options)
        done = True
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", flush=True)
    finally:
        _note_piece(options.out, started, done)
    return 0 if done else INTERRUPTED


@contextmanager
def _stopping_after(minutes: float | None) -> Iterator[None]:
    """After so long it is as if the user had pressed Ctrl-C."""
    if minutes is None:
        yield
        return
    handler = signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    others = signal.setitimer(signal.ITIMER_REAL, minutes * 60)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *others)
        signal.signal(signal.SIGALRM, handler)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", default="ptb")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--sizes", nargs="+", default=["medium", "large"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--set", nargs="*", default=["training.precision=tf32"], metavar="SECTION.FIELD=VALUE")
    parser.add_argument("--minutes", type=float, help="stop after so long, with a checkpoint")
    parser.add_argument("--bench-seconds", type=float, default=20.0, help="for each size, ours and the plain loop")
    return parser


def _train_and_average(options: argparse.Namespace) -> None:
    for seed in options.seeds:
        for size in options.sizes:
            train(
                "lm", size=size, data=options.data, seed=seed, overrides=options.set, resume=True,
                device=options.device, out=_folder(options, size, f"s{seed}"), listener=_say,
            )  # fmt: skip
    for size in options.sizes:
        folder = _folder(options, size, "average")
        if len(options.seeds) > 1 and not Run(folder).is_finished():
            shutil.rmtree(folder, ignore_errors=True)  # of a call that was stopped while it scored
            average(
                "lm", folder, runs=[_folder(options, size, f"s{seed}") for seed in options.seeds], device=options.device
            )
    tables = to_markdown(report([options.out]).tables)
    (options.out / "table.md").write_text(tables, encoding="utf-8")


def _measure_speed(options: argparse.Namespace) -> None:
    path = options.out / "speed.json"
    if not path.exists():
        rows = bench(
            "lm", sizes=options.sizes, seconds=options.bench_seconds, device=options.device, work=["train"],
            overrides=[setting for setting in options.set if _is_of_a_step(setting.partition("=")[0])],
        )  # fmt: skip
        path.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n", encoding="utf-8")


def _is_of_a_step(key: str) -> bool:
    return any(key == place or key.startswith(f"{place}.") for place in SETTINGS)


def _folder(options: argparse.Namespace, size: str, name: str) -> Path:
    return Path(options.out) / f"{size}-{name}"


def _say(event: Event | Started | Finished) -> None:
    if isinstance(event, Started):
        print(f"{event.directory}: from step {event.step}", flush=True)
    elif isinstance(event, Evaluated):
        score = event.scores[0]
        print(f"epoch {event.epoch}: {score.name} {score.value:.2f}", flush=True)
    elif isinstance(event, Finished):
        rows = "; ".join(f"{row['split']} {row['name']} {row['value']:.2f}" for row in event.result["scores"])
        print(f"{event.directory}: {rows}", flush=True)


def _note_piece(out: Path, started: float, done: bool) -> None:
    piece = {
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "seconds": round(time.time() - started, 1),
        "done": done,
        "card": _card(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    with (out / "pieces.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(piece) + "\n")


def _card() -> str:
    """Name and driver of the GPU, or that there is none."""
    if not torch.cuda.is_available():
        return "no CUDA GPU"
    name = torch.cuda.get_device_name()
    try:
        query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        driver = subprocess.run(query, capture_output=True, encoding="utf-8", check=True).stdout.split()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return f"{name}, driver unknown"
    return f"{name}, driver {driver}"


if __name__ == "__main__":
    raise SystemExit(main())
