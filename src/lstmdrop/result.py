"""What ``result.json`` says of a run that was trained: its scores, and what made them."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from lstmdrop.config import Split, TaskConfig
from lstmdrop.data.atomic import naming
from lstmdrop.errors import DataError
from lstmdrop.metrics.score import Score
from lstmdrop.run import Run
from lstmdrop.task import ScoresSplits, Task
from lstmdrop.training.trainer import Trainer


def provenance(device: torch.device) -> dict[str, Any]:
    """The fields of ``result.json`` that say what made it."""
    return {
        "version": version("lstmdrop"),
        "git": git_commit(),
        "torch": torch.__version__,
        "device": device_name(device),
    }


def git_commit() -> str | None:
    """The toolkit's commit, ``-dirty`` with local changes; None outside a checkout of its own."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        found = subprocess.run(command, capture_output=True, check=True, timeout=10).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return found.decode("ascii", errors="replace").strip() or None


def device_name(device: torch.device) -> str:
    """The name of the GPU, or ``cpu`` with the number of threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} ({torch.get_num_threads()} threads)"


SCORED_SPLITS: tuple[Split, ...] = ("valid", "test")


def run_result(run: Run, built: Task[Any], trainer: Trainer[Any], config: TaskConfig) -> dict[str, Any]:
    """The scores of the best checkpoint, what was trained and what made it.

    Raises:
        DataError: the best checkpoint is damaged.
    """
    try:
        built.model.load_state_dict(run.load_best().tensors)
    except DataError as error:
        raise DataError(f"{error}; the test split cannot be scored") from None
    built.model.eval()
    splits = built.scored_splits if isinstance(built, ScoresSplits) else SCORED_SPLITS
    scores: dict[str, Sequence[Score]] = {}
    for split in splits:
        outputs = run.outputs(split)
        outputs.mkdir(exist_ok=True)
        with naming(outputs):
            scores[split] = built.evaluate(split, outputs=outputs)
    progress = trainer.progress
    return {
        "task": config.task,
        "data": config.data.name,
        "size": config.size,
        "regularizer": config.regularizer.rule,
        "seed": config.seed,
        "scores": score_rows(scores),
        "num_parameters": sum(parameter.numel() for parameter in trainer.parameters),
        "train_seconds": round(progress.seconds, 3),
        "world_size": trainer.workers.count,
        "tokens_per_second": round(progress.items / progress.seconds, 1) if progress.seconds else 0.0,
        "epochs": progress.epoch - 1,
        **provenance(trainer.device),
        "config_sha256": config.sha256(),
        "data_sha256": built.data_sha256(),
        **({"start": config.start.name} if config.start else {}),
        **({"changes": [str(change) for change in config.changes]} if config.changes else {}),
    }


def score_rows(scores: Mapping[str, Sequence[Score]]) -> list[dict[str, Any]]:
    """Scores by split as the rows of ``result.json``."""
    return [
        {"split": split, **asdict(score), "counts": score.counts} for split, found in scores.items() for score in found
    ]
