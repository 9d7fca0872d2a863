"""All that wants a GPU, in one command: tests, speed, the paper's Penn Treebank rows and their averages, ensembles.

    python tools/gpu_ptb.py --out docs/results/lm/gpu --minutes 9

Stopped, by the minutes or by anything else, it goes on where it was when it is called again. Everything goes to one
folder:

    suite.json      what the tests of the GPU said; their whole output is suite.log
    speed.json      what `lstmdrop bench` measures of each task: beside the plain PyTorch loop, share of the limits
    SIZE-sSEED      a run for each model of the paper, SIZE-average the average of its seeds
    times.json      how long each model took, and when it had the paper's perplexity on validation
    SIZE-ensemble   several models in one step, for an epoch
    ensemble.json   their tokens a second, all together, beside those of the models one after the other
    table.md        the paper's table beside ours
    pieces.jsonl    the wall time, card and driver of each call
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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from lstmdrop.commands.average import average
from lstmdrop.commands.bench import SETTINGS
from lstmdrop.commands.report import report
from lstmdrop.commands.train import train
from lstmdrop.commands.train_ensemble import train_ensemble
from lstmdrop.errors import LstmdropError
from lstmdrop.report.paper import TABLE_1
from lstmdrop.report.table import to_markdown
from lstmdrop.run import Run
from lstmdrop.training.device import choose_device
from lstmdrop.training.progress import Evaluated, Event, Finished, Started

INTERRUPTED = 130
ROOT = Path(__file__).parents[1]


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
            for name, piece in PIECES.items():
                if name not in options.without:
                    piece(options)
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
    parser.add_argument("--tasks", nargs="+", default=["lm", "mt", "asr", "caption"], help="whose speed is measured")
    parser.add_argument("--tests", nargs="+", default=["tests"], help="where the tests of the GPU are")
    parser.add_argument("--ensemble", type=int, default=10, metavar="K", help="models in one step")
    parser.add_argument("--ensemble-epochs", type=int, default=1, help="for how long they are trained and timed")
    parser.add_argument("--without", nargs="*", default=[], choices=list(PIECES), help="what is left out")
    return parser


def _run_suite(options: argparse.Namespace) -> None:
    """The tests that need a CUDA device; where there is none they are skipped, and the file says so."""
    path = options.out / "suite.json"
    if path.exists():
        return
    print("the tests of the GPU", flush=True)
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-p", "no:cacheprovider", "-rs", *options.tests]
    with (options.out / "suite.log").open("w", encoding="utf-8") as log:
        code = subprocess.run(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT).returncode
    last = (options.out / "suite.log").read_text(encoding="utf-8").strip().rpartition("\n")[2]
    _write(path, {"exit_code": code, "said": last, "tests": options.tests})
    print(last, flush=True)


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
    names = [*(f"s{seed}" for seed in options.seeds), "average"]
    folders = [folder for size in options.sizes for name in names if (folder := _folder(options, size, name)).exists()]
    tables = to_markdown(report(folders).tables)
    (options.out / "table.md").write_text(tables, encoding="utf-8")


def _measure_speed(options: argparse.Namespace) -> None:
    """As anyone would, by the command; of other tasks than the language model, all usual sizes."""
    path = options.out / "speed.json"
    rows = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    for task in options.tasks:
        if any(row["task"] == task for row in rows):
            continue
        print(f"the speed of {task}", flush=True)
        command = [sys.executable, "-m", "lstmdrop", "bench", task, "--json", "--device", options.device]
        command += ["--seconds", str(options.bench_seconds)]
        if task == "lm":
            settings = [setting for setting in options.set if _is_of_a_step(setting.partition("=")[0])]
            command += ["--sizes", ",".join(options.sizes), *(word for one in settings for word in ("--set", one))]
        said = subprocess.run(command, check=True, encoding="utf-8", stdout=subprocess.PIPE).stdout
        rows += [{"task": task, **json.loads(line)} for line in said.splitlines()]
        _write(path, rows)


def _time_models(options: argparse.Namespace) -> None:
    """The paper's perplexities on test are known at the end alone; those on validation are looked for in the log."""
    table = {row.target.size: row for row in TABLE_1.rows if row.target and row.target.num_models == 1}
    found = []
    for size in options.sizes:
        for seed in options.seeds:
            run = Run(_folder(options, size, f"s{seed}"))
            valid, test = table[size].values if size in table else (None, None)
            reached = {row["split"]: row["value"] for row in run.result()["scores"] if row["name"] == "perplexity"}
            found.append(
                {
                    "run": run.directory.name,
                    "valid": reached["valid"], "paper_valid": valid, "seconds_to_paper_valid": _seconds_to(run, valid),
                    "test": reached["test"], "paper_test": test, "seconds": run.result()["train_seconds"],
                    "tokens_per_second": run.result()["tokens_per_second"],
                }
            )  # fmt: skip
    _write(options.out / "times.json", found)


def _seconds_to(run: Run, perplexity: float | None) -> float | None:
    """Of training, until the end of the first epoch that is as good."""
    seconds: float = 0.0
    for line in (run.directory / "log.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        seconds = float(entry.get("seconds", seconds))
        if perplexity is not None and entry["event"] == "evaluated" and entry["scores"][0]["value"] <= perplexity:
            return seconds
    return None


def _train_ensembles(options: argparse.Namespace) -> None:
    """Several models in one step for a few epochs, beside the speed of those that were trained one after the other."""
    rows = []
    for size in options.sizes:
        runs = train_ensemble(
            "lm", options.ensemble, size=size, data=options.data, seed=1, resume=True, device=options.device,
            overrides=[*options.set, f"training.epochs={options.ensemble_epochs}"],
            out=_folder(options, size, "ensemble"), listener=lambda number, event: _say(event),
        )  # fmt: skip
        together = sum(run.result()["tokens_per_second"] for run in runs)
        alone = Run(_folder(options, size, f"s{options.seeds[0]}")).result()["tokens_per_second"]
        rows.append(
            {
                "size": size, "models": len(runs), "tokens_per_second": together,
                "tokens_per_second_one_after_the_other": alone, "ratio": together / alone,
            }
        )  # fmt: skip
        _write(options.out / "ensemble.json", rows)


PIECES: dict[str, Callable[[argparse.Namespace], None]] = {
    "suite": _run_suite,
    "speed": _measure_speed,
    "models": _train_and_average,
    "times": _time_models,
    "ensemble": _train_ensembles,
}
"""In this order: what takes minutes before what takes hours."""


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


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
