"""The average of several runs, or one run under settings of scoring, as a run of its own."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lstmdrop.commands.evaluate import load_tasks, marked, open_runs
from lstmdrop.config import Split
from lstmdrop.data.atomic import new_folder
from lstmdrop.errors import DataError, UsageError
from lstmdrop.metrics.perplexity import has_log_probs
from lstmdrop.metrics.score import Score
from lstmdrop.plugin import load_plugin
from lstmdrop.presets import flatten
from lstmdrop.report.runs import RunSummary, read_summary
from lstmdrop.result import SCORED_SPLITS, provenance, score_rows
from lstmdrop.run import Run
from lstmdrop.settings import AnyPath, require_taken, resolve_config
from lstmdrop.training.device import choose_device, switches_kept

log = logging.getLogger("lstmdrop.average")


@switches_kept()
def average(
    task: str,
    out: AnyPath,
    *,
    runs: Sequence[AnyPath],
    data: AnyPath | None = None,
    device: str = "auto",
    data_dir: Path | None = None,
    overrides: Sequence[str] = (),
    tuned_on: str | None = None,
) -> dict[str, Sequence[Score]]:
    """Score finished runs as one model on the validation and test splits, and write ``result.json`` into ``out``.

    One run alone is an average only with ``overrides``, which are as those of `evaluate`. A run without weights, as
    results are kept for the record, stands with the outputs that it kept; a split of which one of them kept none is
    left out.

    Raises:
        UsageError: ``out`` is in use, or the runs are too few, of another task or twice the same.
        ConfigError: as `evaluate`.
        DataError: a run, its result, its checkpoint or the data is missing or damaged.
    """
    out = Path(out)
    Run(out).require_empty()
    plugin = load_plugin(task)
    given = require_taken(plugin, "eval", overrides, plugin.scoring_settings)
    members = open_runs(task, runs)
    data_names = [resolve_config(plugin, data=data, stored=run.config()).data.name for run in members]
    result = _result(members, data_names, given)
    scores: dict[str, Sequence[Score]] = {}
    with new_folder(out) as unfinished:
        for split in _scorable_splits(members):
            outputs = Run(unfinished).outputs(split)
            outputs.mkdir(exist_ok=True)
            tasks = load_tasks(plugin, members, device, data, data_dir, overrides, SCORED_SPLITS, may_recall=True)
            scores[split] = marked(plugin.evaluate(tasks, split, outputs), tuned_on)
        Run(unfinished).finish({**result, "scores": score_rows(scores), **provenance(choose_device(device))})
    return scores


def _scorable_splits(members: Sequence[Run]) -> list[Split]:
    """The splits on which every member can be scored, by its weights or by what it kept.

    Raises:
        DataError: there is none.
    """
    splits: list[Split] = [*SCORED_SPLITS]
    for run in (run for run in members if not run.has_best()):
        for split in (split for split in SCORED_SPLITS if not has_log_probs(run.outputs(split))):
            log.warning("%s has no weights, and kept no outputs of %s: that split is left out", run.directory, split)
            splits = [one for one in splits if one != split]
    if not splits:
        named = ", ".join(str(run.directory) for run in members if not run.has_best())
        raise DataError(f"{named} without weights (best.safetensors) and kept no outputs: there is nothing to average")
    return splits


def _result(members: Sequence[Run], scored_data: Sequence[str], given: Mapping[str, object]) -> dict[str, Any]:
    """What the members were, as far as they are alike, scored under the settings that were ``given``."""
    results = [run.result() for run in members]
    summaries = [read_summary(run.directory) for run in members]  # it names what is not as a run writes it
    if len({result.get("config_sha256") for result in results}) < max(1 if given else 2, len(results)):
        raise UsageError("--out takes two or more --run, which differ at least in their seed, or one with --set")
    common = _common(results)
    return {
        **{name: _joined(result[name] for result in results) for name in ("task", "size", "regularizer")},
        "data": _joined([*(result["data"] for result in results), *scored_data]),
        "seed": min(result["seed"] for result in results),
        "num_models": len(results),
        "runs": [str(run.directory) for run in members],
        "members": sorted(str(result.get("config_sha256")) for result in results),
        "num_parameters": common.get("num_parameters"),
        "epochs": common.get("epochs"),
        "settings": {**_common([flatten(run.config()) for run in members]), **_begun(summaries), **given},
    }


def _begun(members: Sequence[RunSummary]) -> dict[str, str]:
    """What they began with and how they went on, where one is no plain run of its settings."""
    told = {"start.name": [run.start for run in members], "changes": [run.changes for run in members]}
    return {key: _joined(value or "no" for value in values) for key, values in told.items() if any(values)}


def _joined(names: Iterable[str]) -> str:
    """The name that all have, else each of them: ``medium+large``, which is no recipe's."""
    return "+".join(dict.fromkeys(names))


def _common(mappings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What all of them say."""
    first, *others = mappings
    return {key: value for key, value in first.items() if all(key in it and it[key] == value for it in others)}
