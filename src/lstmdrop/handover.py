"""What the first of several workers hands the others, so that they need neither the run's directory nor its options."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lstmdrop.config import TaskConfig
from lstmdrop.plugin import TaskPlugin
from lstmdrop.presets import resolve
from lstmdrop.run import Run
from lstmdrop.training.changes import require_same_data
from lstmdrop.training.checkpoint import Checkpoint
from lstmdrop.training.sharing import require_shareable
from lstmdrop.training.trainer import Trainer
from lstmdrop.training.workers import Workers


@dataclass(frozen=True, slots=True)
class Handover:
    """A training that is about to begin, or to go on."""

    directory: Path
    config: Mapping[str, Any]
    assets: Mapping[str, bytes]
    """By their names in the run's folder."""
    state: Checkpoint
    """The one to go on from; of a new run the weights alone."""
    data_sha256: str


def hand_over(run: Run, trainer: Trainer[Any], config: TaskConfig, state: Checkpoint | None) -> None:
    """Let the other workers, if there are any, stand where the first one's trainer does.

    Raises:
        LstmdropError: one of them cannot.
    """
    workers = trainer.workers
    if workers.count == 1:
        return
    require_shareable(trainer.task, workers)
    weights = {f"model.{name}": value for name, value in trainer.task.model.state_dict().items()}
    files = [path for path in run.assets.rglob("*") if path.is_file()]
    workers.from_first(
        Handover(
            run.directory,
            config.model_dump(mode="json"),
            {path.relative_to(run.assets).as_posix(): path.read_bytes() for path in files},
            state or Checkpoint({name: value.cpu() for name, value in weights.items()}),
            trainer.task.data_sha256(),
        )
    )
    for _ in workers.turns():
        with workers.together():
            pass


@contextmanager
def taken_over(
    plugin: TaskPlugin, workers: Workers, data_dir: Path | None
) -> Iterator[tuple[Path, Trainer[Any] | None]]:
    """The run's directory, which is the first worker's, and a trainer; None where nothing is to be done any more.

    Raises:
        LstmdropError: the task cannot be built here, or its data is not the first worker's.
    """
    given: Handover | Path = workers.from_first(Path())
    if isinstance(given, Path):
        yield given, None
        return
    with tempfile.TemporaryDirectory(prefix="lstmdrop-") as folder:
        for name, content in given.assets.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        trainer: Trainer[Any] | None = None
        for is_turn in workers.turns():
            with workers.together():
                if is_turn:
                    trainer = _trainer(given, plugin, workers, Path(folder), data_dir)
        yield given.directory, trainer


def _trainer(
    given: Handover, plugin: TaskPlugin, workers: Workers, assets: Path, data_dir: Path | None
) -> Trainer[Any]:
    config = resolve(plugin.config, [given.config])
    task = plugin.build(config, assets, workers.device, data_dir)
    require_same_data(given.data_sha256, task)
    trainer = Trainer(task, config, workers)
    if given.state.values:
        trainer.load_state_dict(given.state)
    else:
        task.model.load_state_dict(given.state.part("model"))
    return trainer
