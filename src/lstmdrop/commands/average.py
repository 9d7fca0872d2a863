"""The average of several runs as a result of its own, which a report reads like a run's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lstmdrop.commands.device import choose_device
from lstmdrop.commands.evaluate import load_tasks, open_runs
from lstmdrop.commands.provenance import provenance
from lstmdrop.commands.result import SCORED_SPLITS, score_rows
from lstmdrop.commands.settings import AnyPath, resolve_config
from lstmdrop.data.atomic import new_folder
from lstmdrop.discovery import load_plugin
from lstmdrop.errors import UsageError
from lstmdrop.layers import flatten
from lstmdrop.metrics.score import Score
from lstmdrop.report.run_files import read_summary
from lstmdrop.run import Run


def average(
    task: str,
    out: AnyPath,
    *,
    runs: Sequence[AnyPath],
    data: AnyPath | None = None,
    device: str = "auto",
    data_dir: Path | None = None,
) -> dict[str, Sequence[Score]]:
    """Score finished runs as one model on the validation and test splits, and write ``result.json`` into ``out``.

    Raises:
        UsageError: ``out`` is in use, or the runs are fewer than two, of another task or twice the same.
        DataError: a run, its result, its checkpoint or the data is missing or damaged.
    """
    out = Path(out)
    Run(out).require_empty()
    plugin = load_plugin(task)
    members = open_runs(task, runs)
    result = _result(members, [resolve_config(plugin, data=data, stored=run.config()).data.name for run in members])
    with new_folder(out) as unfinished:
        outputs = {"test": unfinished}
        scores: dict[str, Sequence[Score]] = {
            split: plugin.evaluate(
                load_tasks(plugin, members, device, data, data_dir, scored=SCORED_SPLITS), split, outputs.get(split)
            )
            for split in SCORED_SPLITS
        }
        Run(unfinished).finish({**result, "scores": score_rows(scores), **provenance(choose_device(device))})
    return scores


def _result(members: Sequence[Run], scored_data: Sequence[str]) -> dict[str, Any]:
    """What the members were, as far as they are alike."""
    results = [run.result() for run in members]
    for run in members:
        read_summary(run.directory)  # names what is not as a run writes it
    if len({result.get("config_sha256") for result in results}) < max(2, len(results)):
        raise UsageError("--out takes the average of two or more --run, which differ at least in their seed")
    common = _common(results)
    return {
        **{name: _joined(result[name] for result in results) for name in ("task", "size", "regularizer")},
        "data": _joined([*(result["data"] for result in results), *scored_data]),
        "seed": min(result["seed"] for result in results),
        "num_models": len(results),
        "runs": [str(run.directory) for run in members],
        "num_parameters": common.get("num_parameters"),
        "epochs": common.get("epochs"),
        "settings": _common([flatten(run.config()) for run in members]),
    }


def _joined(names: Iterable[str]) -> str:
    """The name that all have, else each of them: ``medium+large``, which is no recipe's."""
    return "+".join(dict.fromkeys(names))


def _common(mappings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What all of them say."""
    first, *others = mappings
    return {key: value for key, value in first.items() if all(key in it and it[key] == value for it in others)}
