"""One rival in a process of its own, whose memory is then all that it takes: ``python -m lstmdrop.commands.alone``.

A request comes as JSON on standard input, and the answer goes as JSON to standard output.
"""

from __future__ import annotations

import gc
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from lstmdrop.config import TaskConfig
from lstmdrop.errors import ProcessError
from lstmdrop.parsing import to_json
from lstmdrop.plugin import TaskPlugin, load_plugin, sizes
from lstmdrop.presets import setting_names


@dataclass(frozen=True, slots=True)
class Alone:
    """What was measured."""

    seconds: float
    """Of a step, the median."""
    spread: float
    """The distance between the quartiles of these, in seconds."""
    peak_bytes: int
    """At most resident, or given out on a GPU."""
    start_bytes: int
    """Of that, what was there before the network: Python, PyTorch and the toolkit."""
    operations: float
    """Of the matrix products of a step; the words, where a corpus is read."""
    held_bytes: float
    """What a step must hold, where that is counted."""

    @property
    def taken_bytes(self) -> int:
        """By the work itself."""
        return max(0, self.peak_bytes - self.start_bytes)


def measure_alone(
    config: TaskConfig, device: str, contest: int, rival: str, seconds: float, threads: int, corpus: int | None = None
) -> Alone:
    """Time and memory of one rival (``ours`` or ``plain``) of the task's contest of that number, in a new process.

    With ``corpus`` a text of so many words is prepared and read in its place.

    Raises:
        ProcessError: it failed.
    """
    request = {
        "config": config.model_dump(mode="json"), "device": device, "contest": contest, "rival": rival,
        "seconds": seconds, "threads": threads, "corpus": corpus,
    }  # fmt: skip
    command = [sys.executable, "-m", "lstmdrop.commands.alone"]
    done = subprocess.run(command, input=to_json(request), capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]
        raise ProcessError(f"{config.task} {config.size}, measured in a process of its own: {said[:300]}")
    return Alone(**json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Answer the request."""
    request = json.load(sys.stdin)
    sys.stdout.write(to_json(asdict(_answer(**request))) + "\n")


def _answer(
    config: dict[str, Any], device: str, contest: int, rival: str, seconds: float, threads: int, corpus: int | None
) -> Alone:
    import torch

    from lstmdrop.training.bench import durations
    from lstmdrop.training.limits import forget_peak, peak_bytes, resident_bytes

    torch.set_num_threads(threads)
    plugin = load_plugin(config["task"])
    resolved, place = plugin.config.model_validate(config), torch.device(device)
    _import_all(plugin, place)
    if corpus is not None:
        return _corpus(plugin, resolved, place, corpus)
    start = resident_bytes(place)
    contests = plugin.bench(resolved, place)
    chosen = contests[contest]
    step = (chosen.ours if rival == "ours" else chosen.plain).make()
    operations = chosen.flops * (chosen.ours if rival == "ours" else chosen.plain).num_items
    held = chosen.held_bytes
    del contests, chosen
    gc.collect()  # the weights of the one that does not run
    forget_peak(place)
    (taken,) = durations([step], seconds, place)
    return Alone(median(taken), spread(taken), peak_bytes(place), start, operations, held)


TINY = {"model.hidden_size": 8, "model.embedding_size": 8, "data.vocabulary_size": 50}


def _import_all(plugin: TaskPlugin, device: Any) -> None:
    """A step of a network of no size, which loads what any step needs: that is not the network's memory."""
    from lstmdrop.settings import resolve_config

    known = setting_names(plugin.config)
    tiny = [f"{setting}={value}" for setting, value in TINY.items() if setting in known]
    plugin.bench(resolve_config(plugin, sizes(plugin)[0], overrides=tiny), device)[0].ours.make()()


def spread(values: list[float]) -> float:
    """The distance between the quartiles; 0 of one value."""
    if len(values) < 2:
        return 0.0
    low, _, high = quantiles(values, n=4, method="inclusive")
    return high - low


def _corpus(plugin: Any, config: Any, device: Any, num_words: int) -> Alone:
    """A text is made ready and read once as training reads it."""
    from lstmdrop.training.limits import forget_peak, peak_bytes, resident_bytes

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["LSTMDROP_CACHE"] = str(folder / "cache")
        generator = random.Random(config.seed)
        words = [f"w{number}" for number in range(1000)]
        for split, size in (("train", num_words), ("valid", 2000), ("test", 2000)):
            with (folder / f"{split}.txt").open("w", encoding="utf-8") as file:
                for _ in range(size // 20):
                    file.write(" ".join(generator.choices(words, k=19)) + "\n")
        (folder / "assets").mkdir()
        named = config.model_copy(update={"data": config.data.model_copy(update={"name": str(folder)})})
        start = resident_bytes(device)
        forget_peak(device)
        begun = time.perf_counter()
        task = plugin.build(named, folder / "assets", device, None)
        for _ in task.batches("train"):
            pass
        taken = time.perf_counter() - begun
        return Alone(taken, 0.0, peak_bytes(device), start, float(num_words), 0.0)


if __name__ == "__main__":
    main()
