"""One life of a process: the commands of a user one after the other, on built-in data that is made small.

A server imports this module and forks lives (see `faults.lives`), so that few of them import torch; ``python -m
faults.life FOLDER TASK`` is one in a process of its own.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch

import lstmdrop
import lstmdrop_tasks
from faults.notes import share
from lstmdrop.cli import main
from lstmdrop_tasks.asr.corpora import demo as digits
from lstmdrop_tasks.caption.corpora.demo import corpus as scenes
from lstmdrop_tasks.lm import demo as prose
from lstmdrop_tasks.mt.corpora.demo import sentences

TASKS = ("lm", "mt", "asr", "caption")
TRIED = TASKS if share() else TASKS[:1]
"""The short form has one, for a life takes a second or two."""

EPOCHS = 3

SETTINGS = (
    f"training.epochs={EPOCHS}", "training.save_minutes=0", "training.log_every=2", "training.average_from=2",
    "training.average_over=steps", "training.kernel=native", "model.hidden_size=8",
)  # fmt: skip
"""Of every task; the kernel is named, not measured, so that fresh processes round alike."""

OWN_SETTINGS = {
    "lm": ("data.min_count=1", "training.batch_size=4", "training.num_steps=10", "training.optimizer=adamw",
           "training.rate=0.01"),
    "mt": ("model.embedding_size=8", "data.vocabulary_size=80", "training.batch_tokens=400", "decoding.beam_size=1"),
    "asr": ("features.num_filters=8", "training.batch_frames=400"),
    "caption": ("images.size=32", "training.batch_tokens=200", "decoding.beam_size=1"),
}  # fmt: skip

SCORED_WITH = {
    "lm": ["--temperature", "1.1"], "mt": ["--set", "decoding.beam_size=2"], "asr": ["--set", "decoding.beam_size=2"],
    "caption": ["--set", "decoding.beam_size=2"],
}  # fmt: skip


USED_LATER = (
    "torch._dynamo", "rich.progress", "sacrebleu", "jiwer", "soundfile", "kaldi_native_fbank", "sentencepiece",
    "efficientnet_lite_pytorch", "pycocoevalcap.cider.cider_scorer",
)  # fmt: skip
"""What is imported where it is first needed."""


def make_demos_small() -> None:
    """The built-in data of every task, cut so that a life takes a second."""
    topics = prose._topics()[:3]
    prose._topics = lambda: topics
    sentences.SIZES = {"train": 60, "valid": 4, "test": 4}
    digits.NUM_VOICES, digits.UTTERANCES_A_VOICE = {"train": 2, "valid": 1, "test": 1}, 4
    scenes.SIZES = {"test": 3, "valid": 3, "train": 12}


def commands(task: str) -> list[list[str]]:
    """Preparation, encoding, training and scoring; scoring again; a folder for others; a report."""
    settings = [part for setting in (*SETTINGS, *OWN_SETTINGS[task]) for part in ("--set", setting)]
    run = ["--run", "run"]
    return [
        ["train", task, "--size", "tiny", "--data", "demo", "--out", "run", "--resume", "--device", "cpu", *settings],
        ["eval", task, *run, "--split", "valid", "--json"],
        ["eval", task, *run, *SCORED_WITH[task], "--out", "scored"],
        ["publish", *run, "--to", "published"],
        ["report", "run", "--format", "json", "--output", "report.json"],
    ]


def live(folder: Path, given: Sequence[Sequence[str]], cache: Path | None = None) -> None:
    """Run the commands there, with a cache of its own if no other is named; what they say goes into files.

    What a command was to make is taken for whole where it is there, as its user would.

    Raises:
        SystemExit: a command has failed, with its exit code.
    """
    make_demos_small()
    os.chdir(folder)
    os.environ.update(
        LSTMDROP_CACHE=str(cache or folder / "cache"), PATH=""
    )  # no other programs: they would outlive it
    os.environ.pop("LSTMDROP_DATA", None)
    torch.set_num_threads(1)
    with Path("messages.txt").open("ab", buffering=0) as messages:
        os.dup2(messages.fileno(), sys.stderr.fileno())
    for number, command in enumerate(given):
        made = [Path(value) for option, value in pairwise(command) if option in ("--out", "--to")]
        is_made = command[0] != "train" and any(path.exists() for path in made)
        if not is_made:
            with Path(f"output-{number}.txt" if not made else os.devnull).open("wb", buffering=0) as output:
                os.dup2(output.fileno(), sys.stdout.fileno())
            _run(command)
            sys.stdout.flush()


def _run(command: Sequence[str]) -> None:
    try:
        main(command)
    except SystemExit as end:
        if end.code:
            raise


def import_all() -> None:
    """All that a life would import."""
    for package in (lstmdrop, lstmdrop_tasks):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    for name in USED_LATER:
        importlib.import_module(name)


if __name__ == "__main__":
    live(Path(sys.argv[1]), commands(sys.argv[2]))
else:
    import_all()
