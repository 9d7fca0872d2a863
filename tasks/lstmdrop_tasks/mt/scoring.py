"""Scoring translations that are given: pairs of lines, and lists of the n best."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from lstmdrop.data.lines import as_they_come
from lstmdrop.data.spelling import first_oddity
from lstmdrop.data.text import read_lines
from lstmdrop.decoding.beam import BeamSettings
from lstmdrop.decoding.forced import scored_json
from lstmdrop.errors import DataError
from lstmdrop.metrics.perplexity import warn_of_unknown
from lstmdrop_tasks.mt.task import MachineTranslation
from lstmdrop_tasks.mt.translate import score_translations

TAB = "\t"
BAR, SOURCE = "|||", re.compile(r"\s*(\d{1,9})\s*")
"""A line of a list of the n best, as Moses and its like write it: sources are counted from 0."""

log = logging.getLogger("lstmdrop.mt")


class Given(NamedTuple):
    """A source and a translation of it."""

    source: str
    target: str
    line: int
    """Of the input, counted from 1."""
    where: str
    """Of the translation, for messages."""
    is_listed: bool = False
    """Among the n best, whose list counts sources from 0."""


def score(
    tasks: Sequence[MachineTranslation],
    inputs: Iterable[str],
    against: Path | None,
    settings: BeamSettings,
    batch_size: int,
) -> Iterator[Mapping[str, Any]]:
    """The log-probability of each given translation in nats, its end included; several models are averaged.

    Without ``against``, a line is a source, a tab and its translation. With it the inputs are the sources, and the file
    has their translations line by line, or is a list of the n best, which is answered in its order.

    Raises:
        DataError: a line is no pair, the file has fewer or more lines, or names a source that there is not.
    """
    target = tasks[0].tokenizers.target
    num_tokens = num_unknown = 0
    told = False
    for batch in as_they_come(given(inputs, against), batch_size):
        for about in () if told else _oddities(tasks[0], batch):
            log.warning(about)
            told = True
        encoded = [target.encode(one.target) for one in batch]
        scored = score_translations(tasks, [one.source for one in batch], encoded, settings, batch_size)
        for one, own in zip(batch, scored, strict=True):
            output = scored_json(own, target.vocabulary.tokens, target.unk)
            num_tokens += output["num_tokens"]
            num_unknown += output["num_unknown"]
            number = {"line": one.line, **({"id": one.line - 1} if one.is_listed else {})}
            text = output.pop("text") if own.tokens else ""
            yield {"text": text, **number, "source": one.source, "target": one.target, **output}
    warn_of_unknown(num_unknown, num_tokens, "the translations")


def _oddities(task: MachineTranslation, batch: Sequence[Given]) -> list[str]:
    source, target = (side.vocabulary.letters for side in (task.tokenizers.source, task.tokenizers.target))
    return [
        *first_oddity(((one.source, f"the source of {one.where}") for one in batch), source),
        *first_oddity(((one.target, one.where) for one in batch), target),
    ]


def given(inputs: Iterable[str], against: Path | None) -> Iterable[Given]:
    """What is to be scored: of each line the two sides, or the lines beside those of ``against`` or its n best.

    Raises:
        DataError: a line is none, or there are not as many of both.
    """
    if against is None:
        return _pairs(inputs)
    if of_the_best(next(read_lines(against))):
        return _n_best(list(inputs), against)
    return _line_by_line(inputs, against)


def _pairs(lines: Iterable[str]) -> Iterator[Given]:
    for number, line in enumerate(lines, 1):
        source, *targets = line.split(TAB)
        if len(targets) != 1 and line.strip():
            raise DataError(
                f"line {number}: {len(targets)} tabs in {line[:60]!r}: a line is a source, a tab and its translation\n"
                "or give the sources as INPUT and their translations with --against FILE"
            )
        yield Given(source, (targets or [""])[0], number, f"line {number}")


def _line_by_line(inputs: Iterable[str], path: Path) -> Iterator[Given]:
    for number, (source, target) in enumerate(zip_longest(inputs, read_lines(path)), 1):
        if source is None or target is None:
            short, other = (path, "the input") if target is None else ("the input", path)
            raise DataError(f"{short} ends before line {number:,}, which {other} has: a translation a line is needed")
        yield Given(source, target, number, f"{path}:{number}")


def of_the_best(line: str) -> tuple[int, str] | None:
    """The number of the source and the translation, if this is a line of a list of the n best."""
    source, *rest = line.split(BAR)
    number = SOURCE.fullmatch(source)
    return (int(number[1]), re.sub(r"^\s", "", rest[0]).rstrip()) if number and rest else None


def _n_best(sources: Sequence[str], path: Path) -> Iterator[Given]:
    for number, line in enumerate(read_lines(path), 1):
        found = of_the_best(line)
        if found is None:
            raise DataError(f"{path}:{number}: {line[:60]!r} is not as the first line: 0 ||| a translation ||| ...")
        own, target = found
        if own >= len(sources):
            raise DataError(
                f"{path}:{number}: source {own:,} of {len(sources):,}: lists of the n best count sources from 0"
            )
        yield Given(sources[own], target, own + 1, f"{path}:{number}", is_listed=True)
