"""Rates of this machine: training, preparation, checkpoints, sums over processes, the start of a process."""

from __future__ import annotations

import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

from lstmdrop.config import TaskConfig
from lstmdrop.data.store import build_store
from lstmdrop.data.text import read_lines
from lstmdrop.data.tokenizer import train_tokenizer
from lstmdrop.nn.linear import linear
from lstmdrop.nn.rules import make_regularizer
from lstmdrop.plugin import load_plugin
from lstmdrop.settings import resolve_config
from lstmdrop.training.bench import training_step
from lstmdrop.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from lstmdrop_tasks.lm.bench import VOCABULARY_SIZE, random_windows
from lstmdrop_tasks.lm.bench import task_on_random_words as _lm_on_random_words
from lstmdrop_tasks.lm.demo import demo_folder
from lstmdrop_tasks.lm.model import LanguageModel
from lstmdrop_tasks.lm.softmax import lstm_flops, softmax_flops
from lstmdrop_tasks.mt.bench import _flops_per_token as mt_flops
from lstmdrop_tasks.mt.bench import _vocabulary_size, random_batches
from lstmdrop_tasks.mt.bench import task_on_random_words as _mt_on_random_words
from lstmdrop_tasks.mt.model import AttentionTranslator, SequenceTranslator

NETWORKS = (("lm", "small"), ("lm", "medium"), ("lm", "large"), ("mt", "small"), ("mt", "medium"), ("mt", "paper"))
TIMED = NETWORKS[:4]
"""Of the others the arithmetic is counted, and their speed is not measured here."""
STEPS = 3
KINDS: tuple[Literal["word", "bpe"], ...] = ("word", "bpe")

BUFFERS = tuple(4**power for power in range(5, 14))
"""Bytes of a sum over processes, 1 KiB to 64 MiB."""

CHECKPOINTS = (1 << 22, 1 << 25, 1 << 27, 1 << 28)
TEXT_BYTES = 1 << 22
MAX_SIZE = 8000
"""Of the vocabulary of the prepared text."""


def measured() -> dict[str, Any]:
    """All of it, in a minute or two of one core.

    Where the core is the limit, its own seconds are counted, so that others on the machine do not matter; of what waits
    for a disk or for other processes the shortest time counts.
    """
    parts: dict[str, Callable[[], Any]] = {
        "machine": machine,
        "sums": lambda: [row for processes in (2, 4) for row in sums(processes)],
        "networks": lambda: [network(task, size) for task, size in NETWORKS],
        "checkpoints": lambda: [checkpoint(size) for size in CHECKPOINTS],
        "preparation": lambda: list(preparation()),
        "start_seconds": start_seconds,
        "training": lambda: [training(task, size) for task, size in TIMED],
    }
    found = {}
    for name, part in parts.items():
        print(f"{time.strftime('%H:%M:%S')} {name}", flush=True)
        found[name] = part()
    return found


def machine() -> dict[str, Any]:
    """Where and under which load."""
    return {
        "when": datetime.now(timezone.utc).isoformat(timespec="minutes"),
        "processor": platform.machine(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "load_at_the_start": os.getloadavg()[0],
    }


def network(task: str, size: str) -> dict[str, Any]:
    """Its parameters, and the arithmetic of one token of training, at the vocabulary of its speed measurement."""
    config: Any = resolve_config(load_plugin(task), size)
    if task == "lm":
        vocabulary_size = VOCABULARY_SIZE
        rule = make_regularizer(
            config.regularizer.rule, config.regularizer.dropout, config.regularizer.recurrent_dropout
        )
        model: nn.Module = LanguageModel(config.model, vocabulary_size, rule, torch.Generator().manual_seed(1))
        flops = lstm_flops(config) + softmax_flops(config, vocabulary_size)
    else:
        vocabulary_size = _vocabulary_size(config)
        model = translator(config, vocabulary_size)
        flops = 3 * sum(mt_flops(config, vocabulary_size))
    return {
        "task": task,
        "size": size,
        "vocabulary": vocabulary_size,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "flops_per_token": flops,
        "tokens_per_step": tokens_per_step(config),
        "optimizer": config.training.optimizer,
        "save_minutes": config.training.save_minutes,
    }


def translator(config: Any, vocabulary_size: int) -> nn.Module:
    """The network without its weights, which may be gigabytes."""
    source_size = vocabulary_size if config.data.joint else config.data.vocabulary_size or vocabulary_size
    kind = AttentionTranslator if config.model.architecture == "attention" else SequenceTranslator
    rule = make_regularizer(config.regularizer.rule, config.regularizer.dropout, config.regularizer.recurrent_dropout)
    with torch.device("meta"):
        return kind(config.model, source_size, vocabulary_size, rule)


def tokens_per_step(config: TaskConfig) -> int:
    """Target tokens of one step as the preset has them."""
    training: Any = config.training
    return int(training.batch_size * training.num_steps if config.task == "lm" else training.batch_tokens)


def training(task: str, size: str) -> dict[str, Any]:
    """Tokens for each second of one core, and the share of what a large matrix product reaches in the same measure."""
    config: Any = resolve_config(load_plugin(task), size)
    if task == "lm":
        made: Any = _lm_on_random_words(config, torch.device("cpu"))
        windows = random_windows(made, config.training.batch_size, config.training.num_steps)
        batches: list[Any] = list(islice(windows, STEPS))
        num_tokens = batches[0].targets.numel()
    else:
        made = _mt_on_random_words(config, torch.device("cpu"))
        batches = list(islice(random_batches(made), STEPS))
        num_tokens = batches[0].num_targets
    step = training_step(made, batches)
    step()  # measures the kernels
    seconds = min(_core_seconds(step) for _ in range(STEPS))
    left, right = torch.rand(1024, 1024), torch.rand(1024, 1024)
    product = min(_core_seconds(lambda: linear(left, right)) for _ in range(2 * STEPS))
    rate = num_tokens / seconds
    return {
        "task": task,
        "size": size,
        "tokens_per_second": rate,
        "share_of_matrix_rate": rate * network(task, size)["flops_per_token"] / (2 * 1024**3 / product),
        "load": os.getloadavg()[0],
    }


def preparation() -> Iterator[dict[str, Any]]:
    """Seconds of one core until a text is tokens on the disk, in words and in subwords."""
    os.environ["LSTMDROP_PROCESSES"] = "1"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = folder / "text.txt"
        num_words = write_text(text)
        for kind in KINDS:
            tokenizer = train_tokenizer(kind, text, max_size=MAX_SIZE)
            started = time.process_time()
            tokens = build_store(text, tokenizer, folder / f"cache-{kind}").tokens
            yield {
                "tokens_are": kind,
                "bytes": text.stat().st_size,
                "words": num_words,
                "tokens": len(tokens),
                "bytes_per_token_on_disk": tokens.itemsize,
                "seconds": time.process_time() - started,
                "load": os.getloadavg()[0],
            }


def write_text(path: Path) -> int:
    """Lines of the demo's words, one word in twenty a rare one, as long as `TEXT_BYTES`; the number of words."""
    generator = random.Random(1)
    words = [word for line in read_lines(demo_folder() / "train.txt") for word in line.split()]
    total = num_bytes = 0
    with path.open("w", encoding="utf-8") as file:
        while num_bytes < TEXT_BYTES:
            line = generator.choices(words, k=25)
            line[generator.randrange(25)] = f"{generator.choice(words)}{generator.randrange(10**6)}"
            total += len(line)
            num_bytes += file.write(" ".join(line) + "\n")
    return total


def checkpoint(num_bytes: int) -> dict[str, Any]:
    """Seconds to write one of this size, digest and disk included, and to read it; the shortest of three times."""
    state = Checkpoint({"weights": torch.rand(num_bytes // 4)})
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "last.safetensors"
        written = [_seconds(lambda: write_checkpoint(path, state)) for _ in range(3)]
        read = [_seconds(lambda: read_checkpoint(path)) for _ in range(3)]
    return {"bytes": num_bytes, "write_seconds": min(written), "read_seconds": min(read), "load": os.getloadavg()[0]}


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _core_seconds(work: Callable[[], object]) -> float:
    """Of the one core that the work has: what others take of it is not counted."""
    started = time.process_time()
    work()
    return time.process_time() - started


def sums(processes: int) -> list[dict[str, Any]]:
    """Seconds of a sum over processes of this machine by gloo, the shortest of several, for each size of its buffer."""
    with tempfile.TemporaryDirectory() as name:
        report = Path(name) / "report.json"
        # Forked: nothing has been computed yet, and imports would take longer than all the rest.
        words = (processes, f"file://{name}/meet", report)
        mp.start_processes(_sum_in_turn, words, nprocs=processes, start_method="fork")  # type: ignore[attr-defined, no-untyped-call]
        rows: list[dict[str, Any]] = json.loads(report.read_text(encoding="utf-8"))
    return rows


def _sum_in_turn(rank: int, processes: int, meeting: str, report: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=processes)
    rows = []
    for num_bytes in BUFFERS:
        buffer = torch.ones(num_bytes // 4)
        taken = []
        for _ in range(max(3, min(20, (1 << 24) // num_bytes))):
            taken.append(_seconds(lambda buffer=buffer: dist.all_reduce(buffer)))  # type: ignore[misc]
        rows.append({"processes": processes, "bytes": num_bytes, "seconds": min(taken), "load": os.getloadavg()[0]})
    if rank == 0:
        report.write_text(json.dumps(rows), encoding="utf-8")
    dist.destroy_process_group()


def start_seconds() -> float:
    """Of one core, until a new process has imported what it trains with."""
    before = os.times()
    subprocess.run([sys.executable, "-c", "import lstmdrop.commands.train, lstmdrop_tasks.lm.task"], check=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system
