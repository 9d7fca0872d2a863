"""Copies of finished runs without what only the machine that trained them needs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from lstmdrop.commands.reproduction.plan import Planned
from lstmdrop.run import Run

KEPT = ("config.json", "log.jsonl", "predictions.txt", "log_probs.npz", "result.json")
"""All that a report reads; the result comes last, so that a copy that has it is whole."""
OWN = ("text", "prompt")
"""What of an example is the model's own: the rest may be data that cannot be passed on."""


def collect(planned: Iterable[Planned], archive: Path) -> list[Path]:
    """Copy each finished run into ``archive``, checkpoints and assets left out; returns the copies that are new."""
    made: list[Path] = []
    for one in planned:
        target = archive / one.cell.name
        is_there = one.directory.resolve().is_relative_to(archive.resolve()) or (target / "result.json").exists()
        if one.state == "done" and not is_there:
            target.mkdir(parents=True, exist_ok=True)
            _copy_examples(one.directory, target)
            for name in KEPT:
                if (one.directory / name).exists():
                    shutil.copyfile(one.directory / name, target / name)
            made.append(target)
    return made


def _copy_examples(source: Path, target: Path) -> None:
    path = source / "examples.jsonl"
    if path.exists():
        examples = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
        Run(target).keep_examples([{key: one[key] for key in OWN if key in one} for one in examples])
