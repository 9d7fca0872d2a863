"""A run directory: configuration, log, checkpoints, result."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

from lstmdrop.data.atomic import atomic_file
from lstmdrop.errors import DataError, UsageError
from lstmdrop.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint

DEFAULT_ROOT = Path("runs")


class Run:
    """The files of one run; nothing else in the toolkit knows their names."""

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)

    @classmethod
    def create(cls, directory: Path, config: Mapping[str, Any]) -> Run:
        """Start a run in an empty or absent directory.

        Raises:
            UsageError: the directory holds a run already, or other files.
        """
        run = cls(directory)
        if run.exists():
            raise UsageError(f"{directory} holds a run already: --resume goes on with it, --out chooses another place")
        run.require_empty()
        run.write_config(config)
        run.assets.mkdir()
        return run

    @classmethod
    def open(cls, directory: Path) -> Run:
        """An existing run.

        Raises:
            DataError: there is none.
        """
        run = cls(directory)
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
        """Make sure that a trained model is used with what it was trained with.

        Raises:
            DataError: there are no assets.
        """
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

        Where the system or the file system has no locks, nothing is claimed.

        Raises:
            UsageError: one does.
        """
        if fcntl is None:
            yield
            return
        directory = os.open(self.directory, os.O_RDONLY)
        try:
            try:
                fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UsageError(f"another process is training in {self.directory}") from None
            except OSError:
                pass  # some network file systems
            yield
        finally:
            os.close(directory)

    def has_checkpoint(self) -> bool:
        """Whether a state to resume from was ever saved."""
        return self._path("last.safetensors").exists() or self._path("previous.safetensors").exists()

    def discard_if_unused(self) -> None:
        """Remove the directory again unless something has been trained in it."""
        if not self.has_checkpoint() and not self._path("log.jsonl").exists():
            shutil.rmtree(self.directory)

    def require_empty(self) -> None:
        """Make sure that nothing is overwritten.

        Raises:
            UsageError: the directory holds something, or is a file.
        """
        if self.directory.exists() and (not self.directory.is_dir() or any(self.directory.iterdir())):
            raise UsageError(f"{self.directory} is not an empty folder: --out chooses another place")

    def exists(self) -> bool:
        """Whether the directory holds a run."""
        return self._path("config.json").is_file()

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write the whole resolved configuration."""
        _write(self._path("config.json"), _pretty(config))

    def config(self) -> dict[str, Any]:
        """The configuration that the run was started with."""
        return self._read_json("config.json")

    def result(self) -> dict[str, Any]:
        """The result of a finished run."""
        return self._read_json("result.json")

    def is_finished(self) -> bool:
        """Whether the result has been written."""
        return self._path("result.json").is_file()

    def finish(self, result: Mapping[str, Any]) -> None:
        """Write the result, whole or not at all."""
        _write(self._path("result.json"), _pretty(result))

    def keep_examples(self, examples: Iterable[Mapping[str, Any]]) -> None:
        """Write what the model made of a few inputs, one object a line."""
        lines = [json.dumps(example, ensure_ascii=False) for example in examples]
        _write(self._path("examples.jsonl"), "".join(f"{line}\n" for line in lines))

    def record(self, event: Mapping[str, Any]) -> None:
        """Append one object to the log."""
        with self._path("log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(event) + "\n")

    def rewind_log(self, keep: Callable[[Mapping[str, Any]], bool]) -> None:
        """Forget the entries that ``keep`` refuses, and a line that a crash cut short."""
        path = self._path("log.jsonl")
        if path.exists():
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            kept = [line for line in lines if (entry := _entry(line)) is not None and keep(entry)]
            _write(path, "".join(f"{line}\n" for line in kept))

    def save_last(self, checkpoint: Checkpoint) -> None:
        """Save the state to resume from; the one before it stays beside it, in case this one is damaged."""
        last = self._path("last.safetensors")
        if last.exists():
            _duplicate(last, self._path("previous.safetensors"))
        write_checkpoint(last, checkpoint)
        _write(self._path("last.json"), _pretty(checkpoint.values))

    def load_last(self) -> tuple[Checkpoint | None, list[str]]:
        """The newest undamaged state, None if nothing was saved yet, and a line about each damaged one.

        Raises:
            DataError: something was saved and none of it can be read.
        """
        last, previous = self._path("last.safetensors"), self._path("previous.safetensors")
        problems: list[str] = []
        for path in (path for path in (last, previous) if path.exists()):
            try:
                checkpoint = read_checkpoint(path)
            except DataError as error:
                problems.append(str(error))
                continue
            if problems:  # out of the way, or the next save would put it in the sound one's place
                last.replace(self._path("damaged.safetensors"))
            return checkpoint, problems
        if problems:
            raise DataError("\n".join(problems))
        return None, []

    def save_best(self, checkpoint: Checkpoint) -> None:
        """Save the weights with the best validation score so far."""
        write_checkpoint(self._path("best.safetensors"), checkpoint)

    def load_best(self) -> Checkpoint:
        """The weights with the best validation score.

        Raises:
            DataError: there are none, or they are damaged.
        """
        return read_checkpoint(self._path("best.safetensors"))

    def _path(self, name: str) -> Path:
        return self.directory / name

    def _read_json(self, name: str) -> dict[str, Any]:
        path = self._path(name)
        try:
            return dict(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise DataError(f"{path} does not exist: the run has not got so far, or is damaged") from None
        except (ValueError, TypeError, OSError) as error:
            raise DataError(f"{path} cannot be read: {error}") from None


def default_name(config: Mapping[str, Any]) -> str:
    """``task-size-data-sSEED``, with the rule where it is not the default; safe as a folder's name."""
    data = Path(str(config["data"]["name"])).name
    rule = config["regularizer"]["rule"]
    parts = [config["task"], config["size"], data, *([] if rule == "zaremba" else [rule]), f"s{config['seed']}"]
    return "-".join(str(part) for part in parts)


def _write(path: Path, text: str) -> None:
    with atomic_file(path) as file:
        file.write(text.encode())


def _pretty(values: Mapping[str, Any]) -> str:
    return json.dumps(values, indent=2) + "\n"


def _entry(line: str) -> dict[str, Any] | None:
    try:
        return dict(json.loads(line))
    except (ValueError, TypeError):
        return None


def _duplicate(source: Path, target: Path) -> None:
    temporary = target.with_name(f"{target.name}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        os.link(source, temporary)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, temporary)
    temporary.replace(target)
