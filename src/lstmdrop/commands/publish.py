"""A trained model as a folder for others, and on the Hugging Face Hub."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

from lstmdrop.commands.evaluate import open_runs
from lstmdrop.data.atomic import new_folder
from lstmdrop.data.json_file import write_json, write_text
from lstmdrop.errors import DataError
from lstmdrop.hub import is_address, send
from lstmdrop.plugin import TaskPlugin, load_plugin
from lstmdrop.presets import flatten, merge, nest
from lstmdrop.report.model_card import ModelCard, as_yaml
from lstmdrop.run import Run
from lstmdrop.settings import AnyPath

SAFE = frozenset({"", ".json", ".jsonl", ".txt", ".model", ".vocab", ".safetensors"})
"""Endings of assets that hold text, JSON, tensors or pieces of words: nothing of them is run when it is read."""

log = logging.getLogger("lstmdrop.publish")


def publish(
    run: AnyPath,
    *,
    to: AnyPath | None = None,
    licence: str | None = None,
    languages: Sequence[str] = (),
    benchmark: str | None = None,
    private: bool = False,
) -> str:
    """Write a finished run as a model folder as the Hugging Face Hub expects it; the folder, or the Hub's address.

    ``to`` is a folder (default: ``published`` in the run's) or ``hf:OWNER/NAME``. The folder holds weights, settings,
    scores, assets and a card, and is taken wherever a run's folder is.

    Raises:
        UsageError: ``to`` is in use, or no address.
        DataError: the run is not finished or damaged, an asset is of a kind that might run code, or the Hub refuses.
        MissingPartError: the Hub is named and huggingface_hub is not installed.
    """
    source = Run.open(Path(run))
    task = str(source.config().get("task"))
    plugin = load_plugin(task)
    open_runs(task, [source.directory])
    target = str(source.directory / "published" if to is None else to)
    card = _card(plugin, source, target, licence, languages, benchmark)
    with _folder(target) as folder:
        _write(plugin, source, card, folder)
        return send(folder, target, private=private) if is_address(target) else target


@contextmanager
def _folder(target: str) -> Iterator[Path]:
    """Where to write: in the place itself, or on the way to the Hub."""
    if is_address(target):
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
    else:
        Run(target).require_empty()
        with new_folder(Path(target)) as folder:
            yield folder


def _card(
    plugin: TaskPlugin, run: Run, target: str, licence: str | None, languages: Sequence[str], benchmark: str | None
) -> ModelCard:
    result = run.result()
    name = str(result["data"])
    known = {dataset.name: dataset.hub for dataset in plugin.datasets}
    return ModelCard(
        name=PurePath(target).name if is_address(target) else run.directory.resolve().name,
        address=target if is_address(target) else ".",
        summary=plugin.summary.partition(":")[0],
        pipeline=plugin.pipeline,
        result={**result, "data": _last_part(name)},
        licence=licence,
        languages=languages or plugin.languages(run.assets),
        benchmark=benchmark or known.get(name),
    )


def _write(plugin: TaskPlugin, source: Run, card: ModelCard, folder: Path) -> None:
    target = Run(folder)
    source.require_assets()
    target.write_config(_without_places(source.config()))
    target.publish(source.load_best())
    shutil.copytree(source.assets, target.assets, ignore=shutil.ignore_patterns(*plugin.assets_for_training))
    for path in target.assets.rglob("*"):
        if path.is_file() and path.suffix not in SAFE:
            name = path.relative_to(target.directory).as_posix()
            raise DataError(
                f"{source.directory / name}: a {path.suffix} file may run code when it is read: not published"
            )
    write_json(folder / "scores.json", card.scores())
    write_text(folder / "README.md", card.text())
    if results := card.eval_results():
        (folder / ".eval_results").mkdir()
        write_text(
            folder / ".eval_results" / f"{results[0]['dataset']['id'].replace('/', '--')}.yaml", as_yaml(results)
        )


def _without_places(config: dict[str, Any]) -> dict[str, Any]:
    """The settings without where things lie on this machine; what that was is said."""
    for key, value in flatten(config).items():
        if isinstance(value, str) and (short := _last_part(value)) != value:
            log.warning("%s is published as %r, without the place on this machine", key, short)
            config = merge(config, nest(key, short))
    return config


def _last_part(value: str) -> str:
    return PurePath(value).name if PurePath(value).is_absolute() else value
