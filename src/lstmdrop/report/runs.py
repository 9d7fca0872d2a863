"""Finished runs, read from their directories."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, TypeAdapter, ValidationError
from typing_extensions import NotRequired, TypedDict

from lstmdrop.config import Change
from lstmdrop.errors import DataError
from lstmdrop.metrics.score import Score
from lstmdrop.parsing import as_number, read_json_document
from lstmdrop.plugin import installed_tasks, load_plugin
from lstmdrop.presets import every_setting, flatten


@dataclass(frozen=True, slots=True)
class SplitScore:
    """A score and the split it was made on."""

    split: str
    score: Score


@dataclass(frozen=True, slots=True)
class Gap:
    """How much better a model does on what it was trained on."""

    metric: str
    training: float
    validation: float
    with_dropout: bool
    """Whether dropout was on for the training score, as it is while the epoch runs."""

    @property
    def value(self) -> float:
        """Training minus validation."""
        return self.training - self.validation


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One finished run; None stands for what its directory does not say."""

    directory: Path
    task: str
    data: str
    size: str
    regularizer: str
    seed: int
    scores: tuple[SplitScore, ...]
    num_models: int = 1
    """Above 1 where the probabilities of so many models were averaged."""
    has_log: bool = True
    """False for what ``eval --out`` wrote, which is of runs that have logs."""
    dropout: float | None = None
    """p on the non-recurrent connections; None under the rule ``none``, whatever its configuration says."""
    recurrent_dropout: float | None = None
    num_parameters: int | None = None
    train_seconds: float | None = None
    tokens_per_second: float | None = None
    epochs: int | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
    """Versions, device and hashes, as ``result.json`` gives them."""
    gap: Gap | None = None
    """The generalisation gap at the epoch that was kept."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """The configuration by dotted key (``training.epochs``)."""
    defaults: Mapping[str, object] = field(default_factory=dict)
    """Those of its task: a run from before there was a setting was trained as its default says."""

    @property
    def start(self) -> str | None:
        """What the run was that this one began with; None of one that began from scratch."""
        return _text(self.settings.get("start.name"))

    @property
    def changes(self) -> str | None:
        """The settings that it went on with from some epoch on; None where they stayed as they were."""
        found = self.settings.get("changes")
        return "; ".join(map(_change, found)) if isinstance(found, list) and found else _text(found)

    @property
    def adaptation(self) -> Mapping[str, str]:
        """What the model learnt from the text as it was scored: see `lstmdrop.metrics.score.ADAPTED`."""
        return self.scores[0].score.adaptation if self.scores else {}

    def score(self, split: str, name: str) -> Score | None:
        """The score of that name on that split, None if the run has none."""
        found = (entry.score for entry in self.scores if entry.split == split and entry.score.name == name)
        return next(found, None)


Number = Annotated[float, BeforeValidator(as_number)]
"""Of a file of ours, where one that is not finite is a string."""


class _ScoreRow(TypedDict):
    split: str
    name: str
    value: Number
    higher_is_better: bool
    signature: str


class _Result(TypedDict):
    task: str
    data: str
    size: str
    regularizer: str
    seed: int
    scores: list[_ScoreRow]
    num_models: NotRequired[int]
    runs: NotRequired[list[str]]
    settings: NotRequired[dict[str, object]]
    num_parameters: NotRequired[int | None]
    train_seconds: NotRequired[float | None]
    tokens_per_second: NotRequired[float | None]
    epochs: NotRequired[int | None]
    version: NotRequired[object]
    git: NotRequired[object]
    torch: NotRequired[object]
    device: NotRequired[object]
    config_sha256: NotRequired[object]
    data_sha256: NotRequired[object]


TRIES = "tries"
"""The folder of runs that are there to choose settings, and stand in no table."""

T = TypeVar("T")
_RESULT = TypeAdapter(_Result)
_OBJECT = TypeAdapter(dict[str, Any])
_PROVENANCE = ("version", "git", "torch", "device", "config_sha256", "data_sha256")


def read_summaries(directories: Iterable[Path]) -> tuple[tuple[RunSummary, ...], tuple[str, ...]]:
    """The finished runs in ``directories``, and one line about each that cannot be shown.

    A directory is a run or a folder that is searched, however deep; a run that is reached twice counts once. Runs in a
    folder ``tries`` below it, which chose settings, are left out with a word: a chosen one would stand for more than
    it is.
    """
    runs, problems = _find(directories)
    summaries: list[RunSummary] = []
    for run in runs:
        try:
            summaries.append(read_summary(run))
        except DataError as error:
            problems.append(str(error))
    return tuple(summaries), tuple(problems)


def read_summary(directory: Path) -> RunSummary:
    """One finished run.

    Raises:
        DataError: it is not finished, or a file of it cannot be read.
    """
    if not (directory / "result.json").exists():
        raise DataError(f"{directory}: not finished, it has no result.json")
    result = _parse(directory / "result.json", _RESULT)
    path = directory / "config.json"
    config: dict[str, Any] = _parse(path, _OBJECT) if path.exists() else {}
    _require_one_run(result, config, directory)
    settings = flatten(config) or result.get("settings", {})
    is_dropped = result["regularizer"] != "none"
    return RunSummary(
        directory=directory,
        task=result["task"],
        data=result["data"],
        size=result["size"],
        regularizer=result["regularizer"],
        seed=result["seed"],
        scores=tuple(_split_score(row) for row in result["scores"]),
        num_models=result.get("num_models", 1),
        has_log="runs" not in result,
        dropout=_number(settings.get("regularizer.dropout")) if is_dropped else None,
        recurrent_dropout=_number(settings.get("regularizer.recurrent_dropout")) if is_dropped else None,
        num_parameters=result.get("num_parameters"),
        train_seconds=result.get("train_seconds"),
        tokens_per_second=result.get("tokens_per_second"),
        epochs=result.get("epochs"),
        provenance=_provenance(result),
        settings=settings,
        defaults=_defaults(result["task"]) if settings else {},
    )


def _require_one_run(result: _Result, config: Mapping[str, object], directory: Path) -> None:
    said = {"task": result["task"], "size": result["size"], "seed": result["seed"]}
    for key, value in said.items():
        if config.get(key, value) != value:
            raise DataError(
                f"{directory}: result.json has {key} {value}, and config.json {config[key]}: one is of another run"
            )


def shown_path(text: str) -> str:
    """A path as a reader needs it: below the working folder without that, below the home folder with ``~``."""
    path = Path(text)
    if not path.is_absolute():
        return text
    for folder, short in ((Path.cwd(), Path()), (Path("~").expanduser(), Path("~"))):
        if path.is_relative_to(folder):
            return str(short / path.relative_to(folder))
    return text


def names_below(runs: Sequence[RunSummary]) -> tuple[str, dict[Path, str]]:
    """The folder that all runs are in, and by directory the rest of the path: what tells the runs apart."""
    folder = Path(os.path.commonpath([run.directory.absolute().parent for run in runs])) if runs else Path()
    names = {run.directory: str(run.directory.absolute().relative_to(folder)) for run in runs}
    return shown_path(str(folder)), names


def _find(directories: Iterable[Path]) -> tuple[list[Path], list[str]]:
    runs: dict[Path, Path] = {}
    problems: list[str] = []
    given: set[Path] = set()
    for directory in directories:
        if directory.resolve() in given:
            problems.append(f"{directory}: named twice, counted once")
        given.add(directory.resolve())
        files = [path for name in ("result.json", "config.json") for path in directory.rglob(name)]
        tries = {path.parent for path in files if TRIES in path.relative_to(directory).parts}
        if tries:
            problems.append(f"{directory}: {len(tries)} runs in folders {TRIES!r}, which are there to choose settings")
        found = {path.parent for path in files} - tries
        for run in sorted(found):
            runs.setdefault(run.resolve(), run)
        if not found:
            problems.append(f"{directory}: {'no run in it' if directory.is_dir() else 'no such directory'}")
    return list(runs.values()), problems


def _parse(path: Path, adapter: TypeAdapter[T]) -> T:
    try:
        # Python's own parser, since pydantic's refuses the names of files that are not UTF-8.
        return adapter.validate_python(read_json_document(path), strict=True)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in problem["loc"])
        raise DataError(f"{path}: {key}{': ' if key else ''}{problem['msg'].lower()}") from None
    except ValueError as error:
        raise DataError(f"{path}: invalid json: {error}") from None


def _split_score(row: _ScoreRow) -> SplitScore:
    score = Score(row["name"], row["value"], row["higher_is_better"], row["signature"])
    return SplitScore(row["split"], score)


def _provenance(result: Mapping[str, object]) -> dict[str, str]:
    return {name: str(result[name]) for name in _PROVENANCE if result.get(name) is not None}


@cache
def _defaults(task: str) -> Mapping[str, object]:
    if task not in installed_tasks():
        return {}
    return every_setting(load_plugin(task).config(task=task))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _change(entry: object) -> str:
    try:
        return str(Change.model_validate(entry))
    except ValidationError:  # changed by hand
        return str(entry)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
