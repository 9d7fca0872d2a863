"""What the page's script draws: runs, their curves and the rules that are compared, as plain values."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lstmdrop.report.curves import Curves
from lstmdrop.report.runs import RunSummary
from lstmdrop.report.scores import Pooled, pool_score
from lstmdrop.report.tables import Group, Line, grouped, line_name, lines_of

DIGITS = 6
"""Of a number that is drawn; tables hold every digit."""


def page_data(runs: Sequence[RunSummary], curves: Mapping[Path, Curves]) -> dict[str, Any]:
    """Runs by number, and the groups whose rules are compared."""
    numbers = {run.directory: number for number, run in enumerate(runs)}
    return {
        "runs": [_run(run, curves.get(run.directory)) for run in runs],
        "groups": [_group(key, group, numbers) for key, group in grouped(runs).items()],
    }


def as_script(data: Mapping[str, Any]) -> str:
    """JSON that no HTML parser mistakes for a tag."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _run(run: RunSummary, curves: Curves | None) -> dict[str, Any]:
    return {
        "name": str(run.directory),
        "seed": run.seed,
        "scores": {f"{entry.split} {entry.score.name}": _number(entry.score.value) for entry in run.scores},
        "settings": {key: _setting(value) for key, value in run.settings.items() if value is not None},
        "provenance": dict(run.provenance),
        "curves": None if curves is None else _curves(curves),
    }


def _curves(curves: Curves) -> dict[str, Any]:
    return {
        "metric": curves.metric,
        "withDropout": curves.with_dropout,
        "epochs": curves.epochs,
        "kept": curves.best_epoch or curves.epochs[-1],
        "training": [_number(value) for value in curves.training],
        "validation": [_number(value) for value in curves.validation],
    }


def _group(key: Group, group: Sequence[RunSummary], numbers: Mapping[Path, int]) -> dict[str, Any]:
    split = "test" if any(run.score("test", key.metric) for run in group) else "valid"
    return {
        "name": f"{key.task}, {key.data}, {key.size}",
        "metric": key.metric,
        "split": split,
        "higherIsBetter": group[0].scores[0].score.higher_is_better,
        "lines": _lines(lines_of(group), numbers, split, key.metric),
    }


def _lines(
    lines: Mapping[Line, Sequence[RunSummary]], numbers: Mapping[Path, int], split: str, metric: str
) -> list[dict[str, Any]]:
    places = {line: place for place, line in enumerate(lines)}
    return [
        {
            "name": line_name(line),
            "plain": places.get(line.without_dropout),  # the line that it is compared with
            "runs": [numbers[run.directory] for run in runs],
            **_pooled(pool_score(runs, split, metric)),
        }
        for line, runs in lines.items()
    ]


def _pooled(pooled: Pooled | None) -> dict[str, Any]:
    if pooled is None:
        return {"values": [], "mean": None, "margin": None}
    margin = None if pooled.margin is None else _number(pooled.margin)
    return {"values": [_number(value) for value in pooled.values], "mean": _number(pooled.mean), "margin": margin}


def _setting(value: object) -> object:
    """As JSON can hold it."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _number(value: float) -> float | None:
    """As JSON can hold it; a number that is not finite is drawn as a gap."""
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
