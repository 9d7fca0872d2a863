"""A run directory: configuration, log, checkpoints, result."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lstmdrop.config import Split
from lstmdrop.data.atomic import TakenError, claimed, duplicate
from lstmdrop.data.json_file import append_line, keep_lines, read_json, write_json, write_text
from lstmdrop.data.text import content_sha256
from lstmdrop.errors import DataError, UsageError
from lstmdrop.hub import fetched
from lstmdrop.parsing import to_json
from lstmdrop.training.checkpoint import Checkpoint, read_checkpoint, require_settings, write_checkpoint

DEFAULT_ROOT = Path("runs")

FAILED_BATCH = "failed-batch.safetensors"

BEFORE_TRAINING = (FAILED_BATCH, "tensorboard", "log.jsonl", "assets", "config.json")
"""What a run has made by the time that training begins, ``config.json`` first: what has it is a run."""

PUBLISHED = "model.safetensors"


class Run:
    """The files of one run; nothing else in the toolkit knows their names."""

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)
        self.settings: Mapping[str, Any] = {}
        """What weights that are saved from now on are trained with, by dotted key: see `lasting_settings`."""
        self._trained_with: dict[str, str] | None = None

    @classmethod
    def create(cls, directory: Path, config: Mapping[str, Any]) -> Run:
        """Start a run in an empty or absent directory, or in the place of one that never trained.

        Raises:
            UsageError: the directory holds a run already, or other files, or its name is not UTF-8.
        """
        run = cls(directory)
        if run.never_trained():
            run.discard()
        if run.exists():
            raise UsageError(f"{directory} holds a run already: --resume goes on with it, --out chooses another place")
        run.require_empty()
        if os.fsencode(directory).decode("utf-8", "replace") != str(directory):  # safetensors cannot read it
            raise UsageError(f"{directory}: the name is not UTF-8, and a checkpoint needs one that is; see --out")
        run.write_config(config)
        run.assets.mkdir()
        return run

    @classmethod
    def open(cls, directory: Path) -> Run:
        """An existing run, or one that was published: a folder, or ``hf:NAME`` on the Hugging Face Hub.

        Raises:
            DataError: there is none.
        """
        run = cls(fetched(directory))
        if not run.exists():
            raise DataError(f"{directory} is not a run: it has no config.json")
        return run

    @classmethod
    def newest(cls, task: str, root: Path = DEFAULT_ROOT) -> Run:
        """The run of ``task`` anywhere under ``root`` that finished last.

        Raises:
            DataError: there is none.
        """
        runs = [cls(path.parent) for path in root.rglob("result.json")]
        finished = [run for run in runs if run.exists() and run.config().get("task") == task]
        if not finished:
            raise DataError(f"no finished run of {task} under {root}/: train one with 'lstmdrop train {task}'")
        return max(finished, key=lambda run: run._path("result.json").stat().st_mtime)

    @property
    def assets(self) -> Path:
        """The folder for what `eval` and `predict` need beside the weights, such as a vocabulary."""
        return self._path("assets")

    def require_assets(self) -> None:
        """Make sure that a trained model is used with what it was trained with, or raise `DataError`."""
        if not self.assets.is_dir() or not any(self.assets.iterdir()):
            raise DataError(f"{self.assets} is empty: the run was stopped before it began, or is damaged")

    def start_over(self) -> None:
        """Drop half-made assets and log lines of a run that was stopped before its first checkpoint."""
        shutil.rmtree(self.assets, ignore_errors=True)
        self.assets.mkdir(exist_ok=True)
        self._path("log.jsonl").unlink(missing_ok=True)

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """No other process of this machine trains in the directory meanwhile; the claim ends with the process.

        What is made for it, the folders above among it, and stays empty goes again.

        Raises:
            UsageError: one does, or the directory is a file.
        """
        missing = [folder for folder in (self.directory, *self.directory.parents) if not folder.exists()]
        if missing:
            self.directory.mkdir(parents=True, exist_ok=True)
        elif not self.directory.is_dir():
            self.require_empty()
        try:
            with claimed(self.directory):
                yield
        except TakenError:
            raise UsageError(f"another process is training in {self.directory}") from None
        finally:
            with suppress(OSError):  # the first that holds something, of another process perhaps, stays
                for folder in missing:
                    folder.rmdir()

    def has_checkpoint(self) -> bool:
        """Whether a state to resume from was ever saved."""
        return bool(self.states)

    @property
    def states(self) -> list[Path]:
        """The saved states to go on from, the newest first."""
        return [path for path in map(self._path, ("last.safetensors", "previous.safetensors")) if path.exists()]

    def never_trained(self) -> bool:
        """Whether this is a run that ended, in whatever way, before there was anything to keep.

        The directory has nothing but what was made before training began, and ``config.json`` is ours.
        """
        log = self._path("log.jsonl")
        if not self.exists() or (log.exists() and log.stat().st_size):
            return False
        if any(not path.name.lstrip(".").startswith(BEFORE_TRAINING) for path in self.directory.iterdir()):
            return False
        try:
            return {"task", "data", "regularizer", "training"} <= self.config().keys()
        except DataError:
            return False

    def discard(self) -> None:
        """Remove what was made before training began."""
        for name in BEFORE_TRAINING:
            for path in (self._path(name), *self.directory.glob(f".{name}.*")):
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)

    def require_empty(self) -> None:
        """Make sure that nothing is overwritten.

        Raises:
            UsageError: the directory holds something, or is a file.
        """
        if self.directory.exists() and (not self.directory.is_dir() or any(map(_is_kept, self.directory.iterdir()))):
            raise UsageError(f"{self.directory} is not an empty folder: --out chooses another place")

    def exists(self) -> bool:
        """Whether the directory holds a run."""
        return self._path("config.json").is_file()

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write the whole resolved configuration."""
        write_json(self._path("config.json"), config)

    def config(self) -> dict[str, Any]:
        """The configuration that the run was started with."""
        return read_json(self._path("config.json"))

    def result(self) -> dict[str, Any]:
        """The result of a finished run."""
        return read_json(self._path("result.json"))

    def is_finished(self) -> bool:
        """Whether the result has been written."""
        return self._path("result.json").is_file()

    def reopen(self) -> None:
        """Take back that the run is finished: it goes on."""
        self._path("result.json").unlink(missing_ok=True)

    def finish(self, result: Mapping[str, Any]) -> None:
        """Write the result, whole or not at all."""
        write_json(self._path("result.json"), result)

    def outputs(self, split: Split) -> Path:
        """Where is kept what was answered on a split: for test beside the result, else in a folder of its own."""
        return self.directory if split == "test" else self._path(split)

    def keep_examples(self, examples: Iterable[Mapping[str, Any]]) -> None:
        """Write what the model made of a few inputs, one object a line."""
        lines = [to_json(example, ensure_ascii=False) for example in examples]
        write_text(self._path("examples.jsonl"), "".join(f"{line}\n" for line in lines))

    def record(self, event: Mapping[str, Any]) -> None:
        """Append one object to the log."""
        append_line(self._path("log.jsonl"), event)

    def rewind_log(self, keep: Callable[[Mapping[str, Any]], bool]) -> None:
        """Forget the entries that ``keep`` refuses, and a line that a crash cut short."""
        path = self._path("log.jsonl")
        if path.exists():
            keep_lines(path, keep)

    @property
    def failed_batch(self) -> Path:
        """The batch with which the numbers of the last attempt failed, for a look; there is none where they did not."""
        return self._path(FAILED_BATCH)

    def save_last(self, checkpoint: Checkpoint) -> None:
        """Save the state to resume from; the one before it stays beside it, in case this one is damaged."""
        last = self._path("last.safetensors")
        if last.exists():
            duplicate(last, self._path("previous.safetensors"))
        write_checkpoint(last, self._with_what_belongs(checkpoint))
        write_json(self._path("last.json"), checkpoint.values)

    def load_last(self) -> tuple[Checkpoint | None, list[str]]:
        """The newest undamaged state, None if nothing was saved yet, and a line about each damaged one.

        Raises:
            DataError: something was saved and none of it can be read, or an asset is not what was trained with.
        """
        problems: list[str] = []
        for path in self.states:
            try:
                checkpoint = read_checkpoint(path)
            except DataError as error:
                problems.append(str(error))
                continue
            if problems:  # out of the way, or the next save would put it in the sound one's place
                self._path("last.safetensors").replace(self._path("damaged.safetensors"))
            self._require_own(path, checkpoint)
            return checkpoint, problems
        if problems:
            raise DataError("\n".join(problems))
        return None, []

    def save_best(self, checkpoint: Checkpoint) -> None:
        """Save the weights with the best validation score so far, and which assets they were trained with."""
        write_checkpoint(self._path("best.safetensors"), self._with_what_belongs(checkpoint))

    def has_best(self) -> bool:
        """Whether there are weights: of results that are kept for the record there are none."""
        return self._weights().exists()

    def load_best(self) -> Checkpoint:
        """The weights with the best validation score.

        Raises:
            DataError: there are none, or they are damaged, or an asset is not the one that they were trained with.
        """
        best = read_checkpoint(self._weights())
        self._require_own(self._weights(), best)
        return best

    def publish(self, best: Checkpoint) -> None:
        """Save the weights of `load_best` under the name by which they are known outside."""
        write_checkpoint(self._path(PUBLISHED), best)

    def _weights(self) -> Path:
        """Of a run or, where it was published, of the folder that came of it."""
        own, published = self._path("best.safetensors"), self._path(PUBLISHED)
        return published if published.exists() and not own.exists() else own

    def _with_what_belongs(self, checkpoint: Checkpoint) -> Checkpoint:
        """The state, and what belongs to it: the assets that were there when this process began to use them."""
        if self._trained_with is None:
            self._trained_with = self._assets_sha256()
        belonging = {"assets": self._trained_with, "settings": dict(self.settings)}
        return Checkpoint(checkpoint.tensors, {**checkpoint.values, **belonging})

    def _require_own(self, path: Path, checkpoint: Checkpoint) -> None:
        require_settings(path, checkpoint, self._path("config.json"), self.config())
        now = self._assets_sha256()
        for name, digest in checkpoint.values.get("assets", {}).items():
            if now.get(name, digest) != digest:
                raise DataError(f"{self.assets / name} is damaged: it is not what the weights were trained with")

    def _assets_sha256(self) -> dict[str, str]:
        files = sorted(path for path in self.assets.rglob("*") if path.is_file())
        return {path.relative_to(self.assets).as_posix(): content_sha256(path) for path in files}

    def _path(self, name: str) -> Path:
        return self.directory / name


def _is_kept(path: Path) -> bool:
    """Whether it is more than a ``config.json`` that was only half written."""
    return not path.name.startswith(".config.json.")
