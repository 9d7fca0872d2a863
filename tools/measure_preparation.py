"""How fast a large text is made ready for training, and in how much memory; the same by any number of processes.

    python tools/measure_preparation.py --megabytes 250 500 1000 --output docs/results/scaling/preparation.json

It writes a synthetic text (words of a Zipf-Mandelbrot distribution, rare ones among them) into a folder of its own,
and prepares it in processes of their own: read, split, vocabulary, tokens. What is resident is summed over all
processes, each shared page once. On a machine that others use too, seconds say little: the speed-up on free cores is
therefore also computed from the processor time of the first process, which works alone, and of those beside it.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

MEGABYTE = 1_000_000
WORDS_A_LINE = 20
NUM_WORDS = 1_000_000
"""Different ones that may come."""
LOOK_EVERY = 0.2
"""Seconds."""

PREPARE = """
import json, resource, sys, time
from pathlib import Path
from lstmdrop.data.registry import cache_dir
from lstmdrop.data.store import build_store
from lstmdrop.data.tokenizer import train_tokenizer
from lstmdrop_tasks.lm.corpora import find_corpus

data, settings = sys.argv[1], json.loads(sys.argv[2])
kind = settings.pop("kind")
seconds, start = {}, time.perf_counter()

def lap(name):
    global start
    seconds[name], start = time.perf_counter() - start, time.perf_counter()

corpus = find_corpus(data)
texts = {split: corpus.text(split) for split in ("train", "valid", "test")}
lap("read and split")
tokenizer = train_tokenizer(kind, texts["train"], **settings)
lap("vocabulary")
stores = {split: build_store(text, tokenizer, cache_dir() / "tokens") for split, text in texts.items()}
lap("tokens")
used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(json.dumps({
    "seconds": seconds,
    "cpu_seconds": [round(each.ru_utime + each.ru_stime, 1) for each in used],
    "num_tokens": sum(store.num_tokens for store in stores.values()),
    "files": {split: str(store.folder / "tokens.bin") for split, store in stores.items()},
    "vocabulary": len(tokenizer.vocabulary),
}))
"""

KINDS: Mapping[str, Mapping[str, Any]] = {
    "word": {"kind": "word", "max_size": 50_000},
    "bpe, 8,000 pieces learnt from 50 MB": {"kind": "bpe", "max_size": 8_000, "megabytes": 50},
}


def main() -> None:
    """Measure, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, nargs="+", default=[125, 250, 500])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--shards", type=int, default=0, help="write .jsonl.gz in so many files, not one plain text")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--into", type=Path, help="measure nothing: put all that lies beside OUTPUT into a document")
    options = parser.parse_args()
    if options.into:
        into(options.into, options.output.parent)
        return
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        rows = list(measured(Path(folder), options))
    about = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "load_at_the_end": round(os.getloadavg()[0], 1),
        "text": f"{options.shards} files of JSON lines, packed by gzip" if options.shards else "one plain file",
        "rows": rows,
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


BEGIN, END = "<!-- measured: tools/measure_preparation.py -->", "<!-- end -->"


def into(document: Path, results: Path) -> None:
    """Put the table into a document, between its two marks."""
    text = document.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    document.write_text(f"{before}{BEGIN}\n{table(results)}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


def table(results: Path) -> str:
    """All that was measured, in Markdown."""
    lines = [
        "| text | tokens | processes | MB a second of a core | on free cores, times as fast as one | most memory, MB |",
        "|---|---|--:|--:|--:|--:|",
    ]
    found = [json.loads(path.read_bytes()) for path in sorted(results.glob("preparation*.json"))]
    rows = [{"text": each["text"], **row} for each in found for row in each["rows"]]
    for row in sorted(rows, key=lambda row: [row[key] for key in ("text", "tokens", "megabytes", "processes")]):
        lines.append(
            f"| {row['megabytes']:,} MB, {row['text']} | {row['tokens']} | {row['processes']} | "
            f"{row['mb_a_cpu_second']} | {row['speed_up_on_free_cores']} | {row['most_resident_mb']:,} |"
        )
    return "\n".join(lines)


def measured(folder: Path, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A row for each size, kind of tokens and number of processes."""
    for megabytes in options.megabytes:
        data = write_text(folder / f"{megabytes}", megabytes, options.shards)
        for kind in options.kinds:
            hashes = set()
            for processes in options.processes:
                row, tokens = prepared(data, folder / "cache", KINDS[kind], processes)
                hashes.add(tokens)
                rate = megabytes / sum(row["seconds"].values())
                yield {"megabytes": megabytes, "tokens": kind, "processes": processes, "mb_a_second": round(rate, 1),
                       "mb_a_cpu_second": round(megabytes / sum(row["cpu_seconds"]), 1), **row,
                       "tokens_sha256": tokens}  # fmt: skip
                print(megabytes, kind, processes, round(rate, 1), row, flush=True)
            if len(hashes) > 1:
                raise SystemExit(f"{megabytes} MB, {kind}: the tokens differ by the number of processes")
        subprocess.run(["rm", "-rf", str(folder / f"{megabytes}")], check=True)


def write_text(folder: Path, megabytes: int, num_shards: int) -> str:
    """Lines of words, in one file or in shards; what names them as data."""
    folder.mkdir()
    lines = generated_lines(megabytes * MEGABYTE)
    if not num_shards:
        with (folder / "text.txt").open("wb") as text:
            text.writelines(lines)
        return str(folder / "text.txt")
    with ExitStack() as stack:
        names = [folder / f"{number:04}.jsonl.gz" for number in range(num_shards)]
        files = [stack.enter_context(gzip.open(name, "wt", 1, encoding="utf-8")) for name in names]
        for number, block in enumerate(lines):
            rows = (json.dumps({"text": line}) + "\n" for line in block.decode().splitlines())
            files[number % num_shards].writelines(rows)
    return f"{folder}/*.jsonl.gz"


def generated_lines(num_bytes: int) -> Iterator[bytes]:
    """Blocks of lines of about so many bytes in all."""
    generator = np.random.default_rng(1)
    letters = np.frombuffer(b"etaoinshrdlucmfwypvbgkjqxz", np.uint8)
    ranks = np.arange(NUM_WORDS, dtype=np.int64)
    lengths = 1 + np.minimum(2 + np.log2(ranks + 2) / 2, 12).astype(int)
    spelt = letters[generator.integers(0, len(letters), (NUM_WORDS, int(lengths.max())))]
    words = np.array([bytes(row[:length]) for row, length in zip(spelt, lengths, strict=True)], dtype=object)
    cumulative = np.cumsum(1 / (ranks + 2.7))
    cumulative /= cumulative[-1]
    done = 0
    while done < num_bytes:
        drawn = words[np.searchsorted(cumulative, generator.random(WORDS_A_LINE * 1_000))]
        block = b"".join(b" ".join(line) + b"\n" for line in drawn.reshape(-1, WORDS_A_LINE))
        done += len(block)
        yield block


def prepared(data: str, cache: Path, settings: Mapping[str, Any], processes: int) -> tuple[dict[str, Any], str]:
    """Seconds of each stage and most memory of a preparation from nothing, and the hash of all its tokens."""
    environment = {
        **os.environ, "LSTMDROP_CACHE": str(cache), "LSTMDROP_PROCESSES": str(processes),
        "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    command = [sys.executable, "-c", PREPARE, data, json.dumps(settings)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        most = 0
        while process.poll() is None:
            most = max(most, resident(process.pid))
            time.sleep(LOOK_EVERY)
        assert process.stdout is not None
        answer = process.stdout.read()
    if process.returncode:
        raise SystemExit(f"the preparation of {data} failed with {process.returncode}")
    said = json.loads(answer)
    tokens = hashed(said.pop("files").values())
    subprocess.run(["rm", "-rf", str(cache)], check=True)
    said["seconds"] = {stage: round(seconds, 1) for stage, seconds in said["seconds"].items()}
    first, others = said["cpu_seconds"]
    on_free_cores = (first + others) / (first + others / processes)
    return {
        **said,
        "speed_up_on_free_cores": round(on_free_cores, 2),
        "most_resident_mb": round(most / MEGABYTE),
    }, tokens


def hashed(files: Iterable[str]) -> str:
    """Over the contents of all of them."""
    digest = hashlib.sha256()
    for file in files:
        with Path(file).open("rb") as tokens:
            while block := tokens.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:16]


def resident(process: int) -> int:
    """Bytes of memory of a process and all that it has started, each page of several processes shared out."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text(encoding="utf-8").rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
    family, total = {process}, 0
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    for each in family:
        try:
            rollup = Path(f"/proc/{each}/smaps_rollup").read_text(encoding="utf-8")
            total += 1024 * next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        except (OSError, StopIteration):
            continue
    return total


if __name__ == "__main__":
    main()
