"""A run's test scores again, from the predictions or log-probabilities that it kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lstmdrop.config import TaskConfig
from lstmdrop.errors import ConfigError, DataError, UsageError
from lstmdrop.metrics.perplexity import has_log_probs, read_arrays, read_log_probs
from lstmdrop.metrics.score import Score
from lstmdrop.metrics.segments import SEGMENTS, SIGNED_SEGMENTS, perplexity_segments, unit_segments
from lstmdrop.metrics.significance import Segments
from lstmdrop.metrics.text_units import UNITS, ScoredLines, unit_score
from lstmdrop.plugin import ScoredItem, load_plugin
from lstmdrop.presets import merge, nest, resolve
from lstmdrop.report.runs import RunSummary

_PERPLEXITY = "perplexity"


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
    known = {_PERPLEXITY, *SIGNED_SEGMENTS, *SEGMENTS, *load_plugin(run.task).segments(_config(run))}
    units = [] if _kept_lines(run) is None else [*UNITS]
    found = [entry.score.name for entry in run.scores if entry.split == "test" and entry.score.name in known]
    return [*found, *units]


def made_score(run: RunSummary, metric: str) -> Score | None:
    """A run's test score, or one of `lstmdrop.metrics.text_units.UNITS` made of what it kept; None where neither is."""
    score, lines = run.score("test", metric), _kept_lines(run) if metric in UNITS else None
    perplexity = run.score("test", _PERPLEXITY)
    if score is not None or lines is None or perplexity is None:
        return score
    return unit_score(metric, perplexity, float(read_log_probs(run.directory).log_probs.sum(dtype=np.float64)), lines)


def _kept_lines(run: RunSummary) -> ScoredLines | None:
    """The sizes of the lines of a text that was scored as one stream."""
    if run.score("test", _PERPLEXITY) is None or not has_log_probs(run.directory):
        return None
    return ScoredLines.kept(read_arrays(run.directory))


def rescore(run: RunSummary, metric: str, data_dir: Path | None = None) -> Segments:
    """What a test score is made of, segment by segment; it adds up to the number in ``result.json``.

    Raises:
        DataError: the outputs or the test data are missing, damaged, or give another number than the result.
        UsageError: the run has no such test score, or none can be made from what runs keep.
    """
    score = made_score(run, metric)
    if score is None or metric not in scorable(run):
        raise UsageError(f"{run.directory} has no test score {metric!r} that can be made again: {scorable(run)}")
    file = "log_probs.npz" if metric == _PERPLEXITY or metric in UNITS else "predictions.txt"
    try:
        segments = _of_log_probs(run, metric) or _of_predictions(run, score, data_dir)
    except ValueError as error:
        raise DataError(f"{run.directory}: {metric}: {error}") from None
    if not math.isclose(segments.value, score.value, rel_tol=TOLERANCE, abs_tol=1e-6):
        raise DataError(
            f"{run.directory}: its {file} gives {metric} {segments.value:.4f}, its result.json says {score.value:.4f}"
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
    if not run.settings:
        raise DataError(f"{run.directory}/config.json is missing: it says on which data the run was tested, and how")
    settings: dict[str, object] = {}
    for key, value in run.settings.items():
        settings = merge(settings, nest(key, value))
    try:
        return resolve(load_plugin(run.task).config, [settings])
    except ConfigError as error:
        raise DataError(f"{run.directory}/config.json: {error}") from None


def _of_log_probs(run: RunSummary, metric: str) -> Segments | None:
    """None where the score is made of predictions."""
    if metric == _PERPLEXITY:
        return perplexity_segments(*read_log_probs(run.directory))
    lines = _kept_lines(run) if metric in UNITS else None
    return None if lines is None else unit_segments(metric, read_log_probs(run.directory).log_probs, lines)


def _of_predictions(run: RunSummary, score: Score, data_dir: Path | None) -> Segments:
    lines, items = read_predictions(run.directory), scored_items(run, data_dir)
    if len(lines) != len(items):
        raise DataError(f"{run.directory}/predictions.txt: {len(lines)} lines for {len(items)} test items")
    references = [item.references for item in items]
    if score.name in SIGNED_SEGMENTS:
        return SIGNED_SEGMENTS[score.name](lines, references, score.signature)
    return {**SEGMENTS, **load_plugin(run.task).segments(_config(run))}[score.name](lines, references)
