"""Copies of finished runs without what only the machine that trained them needs."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from lstmdrop.commands.reproduction.plan import Planned

KEPT = ("config.json", "log.jsonl", "predictions.txt", "log_probs.npz", "examples.jsonl", "result.json")
"""All that a report reads; the result comes last, so that a copy that has it is whole."""


def collect(planned: Iterable[Planned], archive: Path) -> list[Path]:
    """Copy each finished run into ``archive``, checkpoints and assets left out; returns the copies that are new."""
    made: list[Path] = []
    for one in planned:
        target = archive / one.cell.name
        is_there = one.directory.resolve().is_relative_to(archive.resolve()) or (target / "result.json").exists()
        if one.state == "done" and not is_there:
            target.mkdir(parents=True, exist_ok=True)
            for name in KEPT:
                if (one.directory / name).exists():
                    shutil.copyfile(one.directory / name, target / name)
            made.append(target)
    return made
