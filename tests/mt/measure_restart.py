"""Time and memory until a translator's first training batch, on a corpus that `generate_wmt14.py` has made.

    python tests/mt/measure_restart.py /tmp/wmt14 0.5

The first call prepares, learns the tokens and encodes; a later one is a restart. The number is how far into its
epoch the run was when it stopped.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from itertools import islice
from pathlib import Path

STARTED = time.perf_counter()
SETTINGS = ["data.pair=en-fr", "data.vocabulary_size=10000", "training.batch_tokens=4096"]


def say(what: str) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds, busy = time.perf_counter() - STARTED, time.process_time()
    print(f"{seconds:7.1f} s ({busy:5.1f} s of this process), peak {peak:,.0f} MiB: {what}", flush=True)


def measure(folder: Path, share: float, num_batches: int = 1000) -> None:
    os.environ["LSTMDROP_CACHE"] = str(folder / "cache")
    import torch

    from lstmdrop.plugin import load_plugin
    from lstmdrop.settings import resolve_config
    from lstmdrop.training.sharing import remaining_batches
    from lstmdrop.training.trainer import Trainer

    torch.set_num_threads(1)
    plugin = load_plugin("mt")
    config = resolve_config(plugin, "small", "wmt14", overrides=SETTINGS)
    say("imported")
    assets = folder / "assets"
    assets.mkdir(exist_ok=True)
    task = plugin.build(config, assets, torch.device("cpu"), folder)
    trainer = Trainer(task, config)
    say("tokens known, model built")
    trainer.task.data_sha256()
    say("texts encoded")
    task.summary()
    place = int(share * task.num_batches("train"))
    batches = remaining_batches(task, trainer.workers, 1, place)
    first = next(batches)
    say(f"first batch, number {place:,} of {task.num_batches('train'):,}")
    trainer.step([first])
    say("first step")
    for _ in islice(batches, num_batches):
        pass
    say(f"{num_batches:,} further batches")


if __name__ == "__main__":
    measure(Path(sys.argv[1]), float(sys.argv[2]))
