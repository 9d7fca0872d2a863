"""Coverage-guided fuzzing of every parser that reads what somebody else has written: ``make fuzz INPUTS=1000000``.

Each target of `fuzz_targets.TARGETS` gets its share of the inputs in a process of its own, mutated by atheris from the
seeds that the repository keeps. What breaks the law (`held`) is written to the folder of findings, one file for each
place where it broke, and is for a test: put it among the seeds of its target.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import re
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

SEEDS = Path(__file__).parents[1] / "tests" / "fuzz" / "seeds"
LONGEST = 4096
"""Bytes of an input."""
SECONDS = 5.0
"""That an input of this length may take, on a machine that does other things too."""
MEMORY = 2048
"""MiB that a process with all of PyTorch in it may take."""
MOST_LINES = 60
"""Of an error."""


def held(name: str, data: bytes, folder: Path) -> str:
    """Give a target an input: "result" or "error", which are all that there may be.

    Raises:
        AssertionError: it took too long, or the error says nothing or too much.
        Exception: whatever else came out of the parser, which breaks the law.
    """
    from fuzz_targets import TARGETS
    from lstmdrop.errors import LstmdropError

    target = TARGETS[name]
    path = folder / target.file
    path.parent.mkdir(parents=True, exist_ok=True)
    for beside, content in target.beside.items():
        if beside != target.file and not (folder / beside).exists():
            (folder / beside).parent.mkdir(parents=True, exist_ok=True)
            (folder / beside).write_bytes(content)
    path.write_bytes(data)
    start, said = time.process_time(), None  # what others do on this machine does not count
    try:
        target.read(path)
    except LstmdropError as error:
        said = str(error)
    took = time.process_time() - start
    assert took < SECONDS, f"it took {took:.1f} s"
    assert said is None or said.strip(), "the error says nothing"
    assert said is None or said.count("\n") < MOST_LINES, "the error is longer than a screen"
    return "result" if said is None else "error"


def run_target(name: str, inputs: int, findings: Path, seed: int) -> None:
    """Fuzz one target in this process, which ends with it."""
    import atheris

    import fuzz_targets

    seen: set[str] = set()
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))

    def one_input(data: bytes) -> None:
        try:
            held(name, data, folder)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            kind = f"{type(error).__name__}-{Path(place.filename).stem}-{place.lineno}"
            if kind not in seen:
                seen.add(kind)
                (findings / f"{name}--{kind}").write_bytes(data)
                (findings / f"{name}--{kind}.txt").write_text(traceback.format_exc(), encoding="utf-8")

    corpus = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-corpus-"))
    for number, content in enumerate(fuzz_targets.seeds(name, SEEDS)):
        (corpus / str(number)).write_bytes(content)
    options = {
        "runs": inputs, "seed": seed, "max_len": LONGEST, "timeout": int(4 * SECONDS), "rss_limit_mb": MEMORY,
        "artifact_prefix": f"{findings}/{name}--", "report_slow_units": 10_000,
    }  # fmt: skip
    atheris.Setup([sys.argv[0], *(f"-{key}={value}" for key, value in options.items()), str(corpus)], one_input)
    atheris.Fuzz()


def run_all(names: Sequence[str], inputs: int, findings: Path, seed: int, minutes: float) -> Iterator[dict[str, Any]]:
    """Fuzz the targets one after the other; of each, how many inputs it got and what they found."""
    each = max(1, inputs // len(names))
    deadline = time.monotonic() + 60 * minutes
    for number, name in enumerate(names):
        start = time.monotonic()
        if start >= deadline:
            return
        said = _said(name, each, findings, seed, timeout=max(60.0, 3 * (deadline - start) / (len(names) - number)))
        tried = re.findall(r"Done (\d+) runs|^#(\d+)", said, re.MULTILINE)
        found = sorted(path.name.partition("--")[2] for path in findings.glob(f"{name}--*") if path.suffix != ".txt")
        yield {
            "target": name, "inputs": max((int(a or b) for a, b in tried), default=0), "findings": found,
            "seconds": round(time.monotonic() - start, 1),
        }  # fmt: skip


def _said(name: str, inputs: int, findings: Path, seed: int, timeout: float) -> str:
    """What a process for one target says, a copy of this one, in which everything is imported and instrumented."""
    with tempfile.TemporaryFile() as output:
        child = os.fork()
        if child == 0:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
            run_target(name, inputs, findings, seed)
            os._exit(0)
        end = time.monotonic() + timeout
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            if time.monotonic() > end:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                break
            time.sleep(0.05)
        output.seek(0)
        return output.read().decode(errors="replace")


def machine() -> dict[str, str | int | None]:
    """What the run was made on."""
    system = f"{platform.system()} {platform.machine()}"
    return {"machine": system, "cores": os.cpu_count(), "python": platform.python_version()}


def with_runs(text: str, runs: Sequence[dict[str, Any]]) -> str:
    """A document, with a table of runs between ``<!-- fuzz -->`` and ``<!-- end of fuzz -->``."""
    rows = ["| seed | parsers | inputs | minutes | machine | found |", "|---|---|---|---|---|---|"]
    for run in runs:
        minutes = sum(target["seconds"] for target in run["targets"]) / 60
        place = f"{run['machine']}, {run['cores']} cores, Python {run['python']}"
        found = [f"{target['target']}: {kind}" for target in run["targets"] for kind in target["findings"]]
        cells = [run["seed"], len(run["targets"]), f"{run['inputs']:,}", f"{minutes:.0f}", place]
        rows.append(f"| {' | '.join(map(str, cells))} | {'; '.join(found) or 'nothing'} |")
    total = sum(run["inputs"] for run in runs)
    rows.append(f"\n{total:,} inputs over all; each finding is mended and kept as a seed, which `make test` reads.")
    start, _, rest = text.partition("<!-- fuzz -->\n")
    _, end, after = rest.partition("<!-- end of fuzz -->")
    table = "\n".join(rows)
    return f"{start}<!-- fuzz -->\n\n{table}\n\n{end}{after}" if end else text


def main() -> int:
    """Parse the command line; the exit code is 1 where something was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=100_000, help="over all targets")
    parser.add_argument("--minutes", type=float, default=600.0, help="after which no further target is begun")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--findings", type=Path, default=Path("build/fuzz"))
    parser.add_argument("--only", nargs="*", help="targets, in place of all")
    parser.add_argument("--record", type=Path, help="a JSON file to which the run is added")
    parser.add_argument("--into", type=Path, help="a document that has a place for the table of all runs of --record")
    given = parser.parse_args()
    try:
        import atheris
    except ImportError:
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        print(f"atheris is not installed: pip install atheris (for Python {python}, where it has a wheel)")
        return 5
    with atheris.instrument_imports(include=["lstmdrop", "lstmdrop_tasks", "fuzz_targets"]):
        from fuzz_targets import TARGETS

    logging.disable(logging.CRITICAL)
    given.findings.mkdir(parents=True, exist_ok=True)
    done = []
    for result in run_all(
        given.only or list(TARGETS), given.inputs, given.findings.absolute(), given.seed, given.minutes
    ):
        done.append(result)
        print(
            f"{result['target']:20} {result['inputs']:>9,} inputs  {result['seconds']:>7.1f} s  {result['findings']}",
            flush=True,
        )
    total = sum(result["inputs"] for result in done)
    number = sum(len(result["findings"]) for result in done)
    print(f"{total:,} inputs, {number} findings")
    if given.record:
        run = {"seed": given.seed, "inputs": total, "findings": number, **machine(), "targets": done}
        runs = [*(json.loads(given.record.read_text("utf-8")) if given.record.exists() else []), run]
        given.record.parent.mkdir(parents=True, exist_ok=True)
        given.record.write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")
        if given.into:
            given.into.write_text(with_runs(given.into.read_text("utf-8"), runs), encoding="utf-8")
    return 1 if number else 0


if __name__ == "__main__":
    sys.exit(main())
