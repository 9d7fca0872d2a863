"""What the page's script draws and compares: runs and their curves, as plain values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lstmdrop.metrics.score import metric_title
from lstmdrop.parsing import to_json
from lstmdrop.report.curves import Curves
from lstmdrop.report.runs import RunSummary, names_below, shown_path

DIGITS = 6
"""Of a number that is drawn; tables hold every digit."""


def page_data(runs: Sequence[RunSummary], curves: Mapping[Path, Curves]) -> dict[str, Any]:
    """Runs by number."""
    _, names = names_below(runs)
    return {"runs": [_run(run, names[run.directory], curves.get(run.directory)) for run in runs]}


def as_script(data: Mapping[str, Any]) -> str:
    """JSON that no HTML parser mistakes for a tag."""
    text = to_json(data, separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _run(run: RunSummary, name: str, curves: Curves | None) -> dict[str, Any]:
    return {
        "name": name,
        "seed": run.seed,
        "scores": {f"{entry.split} {entry.score.name}": _number(entry.score.value) for entry in run.scores},
        "settings": {key: _setting(value) for key, value in run.settings.items() if value is not None},
        "provenance": dict(run.provenance),
        "curves": None if curves is None else _curves(curves),
    }


def _curves(curves: Curves) -> dict[str, Any]:
    return {
        "metric": curves.metric,
        "title": metric_title(curves.metric),
        "withDropout": curves.with_dropout,
        "epochs": curves.epochs,
        "kept": curves.best_epoch or curves.epochs[-1],
        "training": [_number(value) for value in curves.training],
        "validation": [_number(value) for value in curves.validation],
    }


def _setting(value: object) -> object:
    """As JSON can hold it, and as a reader needs it."""
    if isinstance(value, str):
        return shown_path(value)
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _number(value: float) -> float | None:
    """As JSON can hold it; a number that is not finite is drawn as a gap."""
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
