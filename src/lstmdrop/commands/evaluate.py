"""Score runs: one, or several as an ensemble."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lstmdrop.config import SPLITS, Split
from lstmdrop.errors import BoundMissedError, DataError, UsageError
from lstmdrop.metrics.perplexity import has_log_probs
from lstmdrop.metrics.score import Score
from lstmdrop.plugin import TaskPlugin, load_plugin
from lstmdrop.presets import differences, without
from lstmdrop.result import SCORED_SPLITS
from lstmdrop.run import Run
from lstmdrop.settings import (
    AnyPath,
    as_paths,
    naming_moved_data,
    require_readable,
    require_taken,
    resolve_config,
)
from lstmdrop.task import GoesBack, RecallsOutputs, Task
from lstmdrop.training.device import choose_device, set_switches, switches_kept

log = logging.getLogger("lstmdrop.evaluate")


@switches_kept()
def evaluate(
    task: str,
    *,
    runs: Sequence[AnyPath] = (),
    data: AnyPath | None = None,
    split: str = "test",
    device: str = "auto",
    data_dir: Path | None = None,
    overrides: Sequence[str] = (),
    tuned_on: str | None = None,
) -> Sequence[Score]:
    """Scores of a run, or of several as an ensemble; without ``runs``, of the newest finished one.

    ``data`` in one piece (a text, a table, a manifest) is the split, whole; of a folder only the split need be there.
    ``overrides`` are laid over the runs' settings of decoding and scoring; those that `tune` chose on the split
    ``tuned_on`` are marked so in the signatures.

    Raises:
        UsageError: there is no such split, or a run is of another task.
        ConfigError: an override does not fit, or is not about scoring.
        DataError: a run, its checkpoint or the data is missing or damaged.
    """
    chosen = _split(split)
    plugin = load_plugin(task)
    require_taken(plugin, "eval", overrides, plugin.scoring_settings)
    members = open_runs(task, runs)
    _warn_of_own_data(plugin, members, data)
    with naming_moved_data(run.config()["data"]["name"] for run in members):
        tasks = load_tasks(plugin, members, device, data, data_dir, overrides, [chosen], may_recall=True)
        scores = plugin.evaluate(tasks, chosen)
    return marked(scores, tuned_on)


def marked(scores: Sequence[Score], tuned_on: str | None) -> Sequence[Score]:
    """The scores, with the split that their settings were tuned on in their signatures, if there is one."""
    if tuned_on is None:
        return scores
    return [replace(score, signature=f"{score.signature}|tuned:{_split(tuned_on)}") for score in scores]


@switches_kept()
def tune(
    task: str,
    *,
    runs: Sequence[AnyPath] = (),
    data: AnyPath | None = None,
    split: str = "valid",
    scored: str | None = None,
    device: str = "auto",
    data_dir: Path | None = None,
    overrides: Sequence[str] = (),
) -> list[str]:
    """The decoding settings that are best on ``split``, as overrides for `evaluate`.

    Raises:
        UsageError: the task has nothing to tune, an override is what is chosen here, ``data`` is in one piece and
            ``scored`` after is another split, or as `evaluate`.
        DataError: as `evaluate`.
    """
    plugin = load_plugin(task)
    if plugin.tune is None:
        raise UsageError(f"{task} has no settings to tune")
    given = require_taken(plugin, "eval", overrides, plugin.scoring_settings)
    splits: list[Split] = [_split(name) for name in (split, scored) if name is not None]
    models = list(load_tasks(plugin, open_runs(task, runs), device, data, data_dir, overrides, splits))
    found = plugin.tune(models, splits[0])
    for key, value in found.items():
        if given.get(key, value) != value:
            raise UsageError(f"--tune-on chooses {key}: leave it out of --set, or leave --tune-on out")
    return [f"{key}={value}" for key, value in found.items()]


def _warn_of_own_data(plugin: TaskPlugin, runs: Sequence[Run], data: AnyPath | None) -> None:
    path = Path(data or "").expanduser().resolve()
    if path.is_file() and any(resolve_config(plugin, stored=run.config()).data.name == str(path) for run in runs):
        log.warning(
            "%s is what was trained on, and its training part is scored too, unless the file itself names splits; "
            "leave --data out for the test split that the run had",
            path,
        )


def _has_moved(run: Run, data: AnyPath) -> bool:
    """Whether a file is the run's own, in another place: then its splits are those of the run."""
    path, old = Path(data), Path(str(run.config()["data"]["name"]))
    moved = path.is_file() and old.is_absolute() and old.name == path.name and not old.exists()
    if moved:
        log.warning("%s is taken for %s, moved: it is split as in training", path, old)
    return moved


def _split(name: str) -> Split:
    for split in SPLITS:
        if split == name:
            return split
    raise UsageError(f"no split {name!r}: one of {', '.join(SPLITS)}")


def require_bound(score: Score, bound: float) -> None:
    """Check a score against a bound.

    Raises:
        UsageError: the bound is no number.
        BoundMissedError: the score is worse, or no number.
    """
    if math.isnan(bound):
        raise UsageError("the bound of --fail-under is not a number")
    if math.isnan(score.value):
        raise BoundMissedError(f"{score.name} is not a number, and the bound is {bound:g}")
    missed = score.value < bound if score.higher_is_better else score.value > bound
    if missed:
        relation = "under" if score.higher_is_better else "over"
        raise BoundMissedError(f"{score.name} {score.value:.4g} is {relation} the bound {bound:g}")


def open_runs(task: str, directories: Sequence[AnyPath] | AnyPath) -> list[Run]:
    """The runs in ``directories``, or the newest finished run of the task, which the log then names.

    Raises:
        UsageError: a run is of another task, or there twice.
        DataError: there is no such run.
    """
    runs = [Run.open(directory) for directory in as_paths(directories)]
    _require_different([run.directory for run in runs])
    if not runs:
        runs = [Run.newest(task)]
        log.warning("%s: the newest finished run of %s; --run names another", runs[0].directory, task)
    for run in runs:
        if run.config().get("task") != task:
            raise UsageError(f"{run.directory} is a run of {run.config().get('task')}, not of {task}")
        require_readable(load_plugin(task), run.directory, run.config())
    return runs


def _require_different(directories: Sequence[Path]) -> None:
    """Refuse a folder that is there twice, in whatever spelling: it would count as two models.

    Raises:
        UsageError: one is.
    """
    for number, directory in enumerate(directories):
        for other in directories[:number]:
            if directory.exists() and other.exists() and directory.samefile(other):
                spelling = "" if directory == other else f", as {other} too"
                raise UsageError(
                    f"{directory} is given twice{spelling}: an ensemble is of two or more --run that differ"
                )


def load_tasks(
    plugin: TaskPlugin,
    runs: Sequence[Run],
    device: str,
    data: AnyPath | None,
    data_dir: Path | None,
    overrides: Sequence[str] = (),
    scored: Sequence[Split] = (),
    *,
    may_recall: bool = False,
) -> Iterator[Task[Any]]:
    """Each run's task with its best weights, built one at a time.

    With ``may_recall`` a run without weights stands with the outputs that it kept, which can be scored and no more.
    ``data`` in place of the run's own is there to be ``scored`` on these splits (see `Build`).
    """
    _warn_of_other_searches(plugin, runs, overrides)
    for run in runs:
        is_other = data is not None and not _has_moved(run, data)
        can_recall = may_recall and data is None and not overrides
        if can_recall and not run.has_best() and any(has_log_probs(run.outputs(split)) for split in SCORED_SPLITS):
            task = _recalled(plugin, run, device, data_dir)
        else:
            task = _load_task(plugin, run, device, data, data_dir, overrides, scored if is_other else ())
        if is_other and isinstance(task, GoesBack):
            task.trained_on = resolve_config(plugin, stored=run.config()).data.name
        yield task
        del task  # the next one is built only after whoever asked has let this one go


def _warn_of_other_searches(plugin: TaskPlugin, runs: Sequence[Run], overrides: Sequence[str]) -> None:
    """Several models search as one, and in whose way would else depend on their order without a word."""
    first, *others = (resolve_config(plugin, stored=run.config(), overrides=overrides) for run in runs)
    changed = {line.partition(":")[0] for other in others for line in differences(first, other)}
    keys = sorted(key for key in changed if key.startswith(("decoding.", "scoring.")) and "batch_size" not in key)
    if keys:
        log.warning("these runs differ in %s: it is as in %s", ", ".join(keys), runs[0].directory)


def _load_task(
    plugin: TaskPlugin, run: Run, device: str, data: AnyPath | None, data_dir: Path | None, overrides: Sequence[str],
    scored: Sequence[Split],
) -> Task[Any]:  # fmt: skip
    stored = without(run.config(), plugin.of_own_data if scored else ())
    config = resolve_config(plugin, data=data, stored=stored, overrides=overrides)
    set_switches(config.training)
    run.require_assets()
    best = run.load_best()  # first: weights of other settings are refused before a network of these takes its memory
    task = plugin.build(config, run.assets, choose_device(device), data_dir, scored)
    try:
        task.model.load_state_dict(best.tensors)
    except RuntimeError:
        raise DataError(f"{run.directory}: its weights are not of the network that its config.json describes") from None
    task.model.eval()
    return task


def _recalled(plugin: TaskPlugin, run: Run, device: str, data_dir: Path | None) -> Task[Any]:
    """The task with what the run answered in place of its weights, which were not kept.

    Raises:
        DataError: the data is not what the run was trained on, or such answers cannot stand for a model of the task.
    """
    config = resolve_config(plugin, stored=run.config())
    with TemporaryDirectory() as assets:  # made of the data again
        task = plugin.build(config, Path(assets), choose_device(device), data_dir)
    if not isinstance(task, RecallsOutputs):
        raise DataError(f"{run.directory} has no weights")
    if run.result().get("data_sha256") != task.data_sha256():
        raise DataError(f"{run.directory} has no weights, and its outputs are of other data than {config.data.name}")
    task.recall({split: run.outputs(split) for split in SPLITS})
    return task
