"""Utterances that are not trained on or cannot be scored, and why."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lstmdrop.task import SPLITS
from lstmdrop_tasks.asr.objectives.objective import Objective
from lstmdrop_tasks.asr.speech import Speech

LEFT_OUT = "left_out.txt"
NUM_NAMED = 5
"""Utterances that are named on the screen."""


def save_left_out(speech: Speech, objective: Objective, assets: Path) -> None:
    """Write a line for each: split, id and reason, a tab between them; without any there is no file."""
    lines = [
        f"{split}\t{name}\t{' '.join(reason.split())}\n"
        for split in SPLITS
        for name, reason in speech.left_out(split, objective).items()
    ]
    if lines:
        (assets / LEFT_OUT).write_text("".join(lines), encoding="utf-8", errors="backslashreplace")


def listed(left_out: Mapping[str, str]) -> str:
    """How many there are, and the first of them."""
    named = [f"{name} ({reason})" for name, reason in list(left_out.items())[:NUM_NAMED]]
    more = f", and {len(left_out) - NUM_NAMED:,} more: assets/{LEFT_OUT} in the run names all"
    return f"{len(left_out):,}: {', '.join(named)}{more if len(left_out) > NUM_NAMED else ''}"
