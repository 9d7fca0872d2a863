"""How long the shell waits: for ``--help``, for the import of PyTorch, for one input of a trained run.

    python tools/measure_start.py --run runs/lm-small-ptb-s1 --output docs/results/speed/start.jsonl -- --prompt "the"
    python tools/measure_start.py --run runs/mt-small-multi30k-s1 --output ... -- --text "Ein Mann schläft."

What stands after ``--`` is given to ``predict``. Each command is a process of its own, by turns; processor time (user
and system) is told beside the clock's, since it says the same on a machine that others use.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and append a line a command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path)
    parser.add_argument("given", nargs="*", help="what predict is given")
    options = parser.parse_args(arguments)
    task = json.loads((options.run / "config.json").read_text(encoding="utf-8"))["task"]
    commands = {
        "--help": ["-m", "lstmdrop", "--help"],
        "import torch": ["-c", "import torch"],
        f"predict {task}": ["-m", "lstmdrop", "predict", task, "--run", str(options.run), *options.given],
    }
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(options.rounds):
        for name, command in commands.items():
            seconds[name].append(taken([sys.executable, *command]))
    for name, found in seconds.items():
        clock, processor = (round(median(part), 3) for part in zip(*found, strict=True))
        row = {"command": name, "run": options.run.name, "seconds": clock, "processor_seconds": processor,
               "rounds": options.rounds, "machine": f"{platform.machine()}, {os.cpu_count()} cores",
               "load": round(os.getloadavg()[0], 1)}  # fmt: skip
        print(json.dumps(row))
        if options.output is not None:
            options.output.parent.mkdir(parents=True, exist_ok=True)
            with options.output.open("a", encoding="utf-8") as record:
                record.write(json.dumps(row) + "\n")


def taken(command: Sequence[str]) -> tuple[float, float]:
    """Seconds of the clock and of the processor that a command takes."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    clock, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
