"""A run's test scores again, from the predictions or log-probabilities that it kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from lstmdrop.config import TaskConfig
from lstmdrop.errors import DataError, UsageError
from lstmdrop.metrics.perplexity import read_log_probs
from lstmdrop.metrics.score import Score
from lstmdrop.metrics.segments import SEGMENTS, SIGNED_SEGMENTS, perplexity_segments
from lstmdrop.metrics.significance import Segments
from lstmdrop.plugin import ScoredItem, load_plugin
from lstmdrop.presets import merge, nest, resolve
from lstmdrop.report.runs import RunSummary


def read_predictions(directory: Path) -> list[str]:
    """The lines of ``predictions.txt``.

    Raises:
        DataError: it is missing or not UTF-8.
    """
    path = directory / "predictions.txt"
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise DataError(f"{path} does not exist: the run kept no predictions") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    return text.removesuffix("\n").split("\n")  # not splitlines, which breaks at more than line ends


TOLERANCE = 1e-4
"""Relative; log-probabilities are kept in 32 bits."""


def scorable(run: RunSummary) -> list[str]:
    """The test scores that can be made again."""
    known = {"perplexity", *SIGNED_SEGMENTS, *SEGMENTS, *load_plugin(run.task).segments(_config(run))}
    return [entry.score.name for entry in run.scores if entry.split == "test" and entry.score.name in known]


def rescore(run: RunSummary, metric: str, data_dir: Path | None = None) -> Segments:
    """What a test score is made of, segment by segment; it adds up to the number in ``result.json``.

    Raises:
        DataError: the outputs or the test data are missing, damaged, or give another number than the result.
        UsageError: the run has no such test score, or none can be made from what runs keep.
    """
    score = run.score("test", metric)
    if score is None or metric not in scorable(run):
        raise UsageError(f"{run.directory} has no test score {metric!r} that can be made again: {scorable(run)}")
    try:
        segments = _perplexity(run) if metric == "perplexity" else _of_predictions(run, score, data_dir)
    except ValueError as error:
        raise DataError(f"{run.directory}: {metric}: {error}") from None
    if not math.isclose(segments.value, score.value, rel_tol=TOLERANCE, abs_tol=1e-6):
        raise DataError(
            f"{run.directory}: its outputs give {metric} {segments.value:.4f}, its result.json says {score.value:.4f}"
        )
    return segments


def scored_items(run: RunSummary, data_dir: Path | None = None) -> Sequence[ScoredItem]:
    """What the lines of a run's predictions were made from, and what they should be.

    Raises:
        UsageError: the task keeps no predictions.
        DataError: the data is missing or damaged.
    """
    plugin = load_plugin(run.task)
    if plugin.references is None:
        raise UsageError(f"task {run.task!r} says no references for its predictions")
    return plugin.references(_config(run), data_dir)


def _config(run: RunSummary) -> TaskConfig:
    settings: dict[str, object] = {}
    for key, value in run.settings.items():
        settings = merge(settings, nest(key, value))
    return resolve(load_plugin(run.task).config, [settings])


def _perplexity(run: RunSummary) -> Segments:
    return perplexity_segments(*read_log_probs(run.directory))


def _of_predictions(run: RunSummary, score: Score, data_dir: Path | None) -> Segments:
    lines, items = read_predictions(run.directory), scored_items(run, data_dir)
    if len(lines) != len(items):
        raise DataError(f"{run.directory}/predictions.txt: {len(lines)} lines for {len(items)} test items")
    references = [item.references for item in items]
    if score.name in SIGNED_SEGMENTS:
        return SIGNED_SEGMENTS[score.name](lines, references, score.signature)
    return {**SEGMENTS, **load_plugin(run.task).segments(_config(run))}[score.name](lines, references)
