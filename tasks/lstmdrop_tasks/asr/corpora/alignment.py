"""Which phone is spoken when: from a TextGrid or TIMIT's ``.phn`` (of one utterance), or a CTM file (of many)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lstmdrop.data.spelling import is_file
from lstmdrop.data.text import read_lines
from lstmdrop.errors import DataError
from lstmdrop_tasks.asr.corpora.utterances import Utterance

TOLERANCE = 0.05
"""Seconds by which an alignment and its sound may differ in length."""

TOKEN = re.compile(r'"((?:[^"]|"")*)"|(?<!\S)([+-]?[\d.][\d.eE+-]*)(?!\S)')
"""Praat reads texts and free-standing numbers, in the long format and in the short one; all else is for people."""

BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")
STRESS = re.compile(r"(?<=[A-Z])[0-2]$")
SILENCE = "sil"

Heading = Callable[[Path], "tuple[int, float] | None"]


class Interval(NamedTuple):
    """A labelled stretch of time, in seconds."""

    start: float
    end: float
    label: str


class Alignment(NamedTuple):
    """The phones of an utterance, in order, without stress marks."""

    intervals: Sequence[Interval]
    end: float | None
    """How long the aligned sound was, where the file says so."""


def read_alignment(utterance: Utterance, heading_of: Heading = lambda sound: None) -> Alignment:
    """The phones of an utterance; ``heading_of`` gives the sample rate of a sound and its seconds.

    Raises:
        DataError: there are none, or the file is missing or damaged.
    """
    if utterance.alignment is None:
        raise DataError(f"{utterance.id}: no alignment, and the frames objective needs one")
    if utterance.alignment.suffix.lower() == ".phn":
        rate, seconds = heading_of(utterance.source) or (0, 0.0)
        return _read_phn(utterance.alignment, rate, seconds)
    if utterance.alignment.suffix.lower() != ".textgrid":
        found = _ctm_of(utterance.alignment).get(utterance.id)
        if found is None:
            raise DataError(f"{utterance.alignment}: nothing about {utterance.id}")
        return found
    return read_textgrid(utterance.alignment)


def read_textgrid(path: Path, tier: str = "phones") -> Alignment:
    """One tier of intervals of a TextGrid in Praat's long or short text format, in UTF-8 or UTF-16.

    Raises:
        DataError: the file is missing or damaged, or has no such tier.
    """
    try:
        tiers = _tiers(iter(TOKEN.findall(_text(path))))
    except (StopIteration, ValueError, OverflowError) as error:
        raise DataError(f"{path}: not a TextGrid, or a damaged one ({str(error) or 'it ends too early'})") from None
    if tier not in tiers:
        raise DataError(f"{path}: no tier {tier!r} in this TextGrid; it has {', '.join(tiers) or 'none'}")
    if not tiers[tier]:
        raise DataError(f"{path}: the tier {tier!r} is empty")
    return Alignment(tiers[tier], tiers[tier][-1].end)


def _text(path: Path) -> str:
    if is_file(path) and (content := path.read_bytes()).startswith(BYTE_ORDER_MARKS):
        return content.decode("utf-16")
    return "\n".join(read_lines(path))


def _tiers(tokens: Iterator[tuple[str, str]]) -> dict[str, list[Interval]]:
    """The intervals of each tier of intervals; tokens are texts or numbers."""

    def text() -> str:
        return next(tokens)[0].replace('""', '"')

    def number() -> float:
        return float(next(tokens)[1])

    if not text().startswith("ooTextFile") or text() != "TextGrid":
        raise ValueError("it does not begin as one")
    number(), number()
    tiers: dict[str, list[Interval]] = {}
    for _ in range(int(number())):
        kind, name, _, _, size = text(), text(), number(), number(), int(number())
        if kind == "IntervalTier":
            found = [Interval(number(), number(), _plain(text())) for _ in range(size)]
            in_order = all(before.start <= after.start for before, after in pairwise(found))
            if not in_order or any(interval.end < interval.start for interval in found):
                raise ValueError(f"the intervals of {name!r} are not in order")
            tiers[name] = found
        else:
            for _ in range(size):
                number(), text()
    return tiers


def _read_phn(path: Path, rate: int, seconds: float) -> Alignment:
    """Lines ``first-sample last-sample phone``, counted in samples of the sound; the last phone lasts to its end."""
    if not rate:
        raise DataError(f"{path}: it counts samples of a sound that cannot be read")
    intervals: list[Interval] = []
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        try:
            first, last, label = line.split()
            interval = Interval(int(first) / rate, int(last) / rate, label)
        except ValueError:
            raise DataError(f"{path}:{number}: not 'first-sample last-sample phone'") from None
        if not (intervals[-1].end if intervals else 0.0) <= interval.start <= interval.end:
            raise DataError(f"{path}:{number}: {label} from {first} to {last} does not follow what is before it")
        intervals.append(interval)
    if not intervals:
        raise DataError(f"{path}: there is no phone in it")
    intervals[-1] = intervals[-1]._replace(end=max(intervals[-1].end, seconds))
    return Alignment(intervals, None)


def _ctm_of(path: Path) -> Mapping[str, Alignment]:
    status = path.stat() if is_file(path) else None
    return _read_ctm(path, status and (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino))


@lru_cache(maxsize=4)
def _read_ctm(path: Path, state: object) -> Mapping[str, Alignment]:
    """Lines ``utterance channel start duration label [confidence]``; one is read once in each of its states."""
    intervals: dict[str, list[Interval]] = {}
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip() or line.lstrip().startswith((";;", "#")):
            continue
        try:
            name, _, start, duration, label, *_ = line.split()
            interval = Interval(float(start), float(start) + float(duration), _plain(label))
        except ValueError:
            raise DataError(f"{path}:{number}: not 'utterance channel start duration label'") from None
        if not 0 <= interval.start <= interval.end < math.inf:
            raise DataError(f"{path}:{number}: {label} from {start} s, {duration} s long, is no stretch of time")
        intervals.setdefault(name, []).append(interval)
    return {name: Alignment(sorted(found), None) for name, found in intervals.items()}


def frame_labels(alignment: Alignment, num_frames: int, seconds: float, frame_shift: float) -> list[str]:
    """The phone at the middle of each frame; `SILENCE` where none is.

    Raises:
        DataError: the alignment is not as long as the sound.
    """
    end = alignment.intervals[-1].end if alignment.end is None else alignment.end
    if end > seconds + TOLERANCE or (alignment.end is not None and end < seconds - TOLERANCE):
        raise DataError(f"the alignment is {end:.2f} s long, the sound {seconds:.2f} s")
    starts = np.array([interval.start for interval in alignment.intervals])
    middles: npt.NDArray[np.floating] = (np.arange(num_frames) + 0.5) * frame_shift
    numbers = np.searchsorted(starts, middles, side="right") - 1
    return [_label_at(alignment, int(number), middle) for number, middle in zip(numbers, middles, strict=True)]


def _label_at(alignment: Alignment, number: int, time: float) -> str:
    if number < 0:
        return SILENCE
    interval = alignment.intervals[number]
    is_last = number == len(alignment.intervals) - 1
    return interval.label if time < interval.end or (is_last and alignment.end is not None) else SILENCE


def _plain(label: str) -> str:
    return STRESS.sub("", label.strip())
