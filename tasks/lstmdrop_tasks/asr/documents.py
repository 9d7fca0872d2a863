"""Transcripts as documents: SubRip and WebVTT subtitles, and NIST's CTM of words with times and confidences."""

from __future__ import annotations

import html
import math
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, NamedTuple

from lstmdrop.data.atomic import atomic_file
from lstmdrop.errors import UsageError
from lstmdrop.parsing import to_json
from lstmdrop_tasks.asr.config import PAUSE, SUBTITLES, ASRPrediction
from lstmdrop_tasks.asr.recordings import Recording

NUM_LINES = 2
"""Of a subtitle."""
MOST_SECONDS, LEAST_SECONDS = 7.0, 5 / 6
"""That a subtitle stands: what broadcasters and Netflix ask for."""
ENDINGS = {"text": "txt"}
"""Of files whose format has another name."""

Words = Sequence[Mapping[str, Any]]
"""Each with ``word``, ``start``, ``end`` and ``confidence``."""


class Cue(NamedTuple):
    """A subtitle."""

    start: float
    """In seconds."""
    end: float
    lines: list[str]


def spoken(found: Mapping[str, Any]) -> Words:
    """The words of an output of ``predict``, or its phones without silence."""
    if "words" in found:
        words: Words = found["words"]
        return words
    return [{**phone, "word": phone["phone"]} for phone in found["phones"] if phone["phone"]]


def cues(words: Words, pause: float, line_length: int) -> Iterator[Cue]:
    """Subtitles of two lines at most, parted at pauses of so many seconds, else where the longest breath is taken.

    Each stands long enough to be read, unless the next one comes.
    """
    groups = list(chain.from_iterable(_readable(group, line_length) for group in _between_pauses(words, pause)))
    next_starts = [*(group[0]["start"] for group in groups[1:]), math.inf]
    for group, next_start in zip(groups, next_starts, strict=False):
        start, end = group[0]["start"], group[-1]["end"]
        yield Cue(start, max(end, min(start + LEAST_SECONDS, next_start)), _lines(group, line_length))


def _between_pauses(words: Words, pause: float) -> list[Words]:
    cuts = [n for n, (one, other) in enumerate(pairwise(words), 1) if other["start"] - one["end"] >= pause]
    return [words[start:end] for start, end in pairwise([0, *cuts, len(words)]) if start < end]


def _readable(words: Words, line_length: int) -> list[Words]:
    """As they are if they fit, else in two parts of at least a quarter each, and so on."""
    is_short = words[-1]["end"] - words[0]["start"] <= MOST_SECONDS and len(_lines(words, line_length)) <= NUM_LINES
    if is_short or len(words) == 1:
        return [words]
    edge = max(1, len(words) // 4)
    cut = max(
        range(edge, len(words) - edge + 1),
        key=lambda n: (round(words[n]["start"] - words[n - 1]["end"], 3), -abs(2 * n - len(words))),
    )
    return [*_readable(words[:cut], line_length), *_readable(words[cut:], line_length)]


def _lines(words: Words, line_length: int) -> list[str]:
    """As few as hold them, of like length."""
    text = " ".join(word["word"] for word in words)
    wrapper = textwrap.TextWrapper(line_length, break_long_words=False, break_on_hyphens=False)
    lines = wrapper.wrap(text)
    for wrapper.width in range(len(text) // len(lines), line_length):
        if len(even := wrapper.wrap(text)) <= len(lines):
            return even
    return lines


class Document:
    """What one recording becomes in a format, as its words come."""

    def __init__(self, recording: Recording, options: ASRPrediction) -> None:
        self._recording = recording
        self._options = options
        self._num_cues = 0
        self._head = ["WEBVTT\n"] if options.format == "vtt" else []

    def add(self, found: Mapping[str, Any]) -> str:
        """The part of it that these words are; it ends without a line end."""
        words, options = spoken(found), self._options
        if options.format == "ctm":
            return "\n".join(self._ctm(word) for word in words)
        parts, self._head = self._head, []
        for cue in cues(words, options.pause or PAUSE, options.line_length):
            self._num_cues += 1
            parts.append(self._cue(cue))
        return "\n".join(parts)

    def _cue(self, cue: Cue) -> str:
        text = "\n".join(cue.lines)
        if self._options.format == "vtt":
            return f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n{html.escape(text, quote=False)}\n"
        return f"{self._num_cues}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n{text}\n"

    def _ctm(self, word: Mapping[str, Any]) -> str:
        """Name, channel from 1, start, length, word and confidence, with blanks between, so that none may have any."""
        name, channel = re.sub(r"\s", "_", self._recording.stem), (self._recording.channel or 0) + 1
        seconds = f"{word['start']:.3f} {word['end'] - word['start']:.3f}"
        return f"{name} {channel} {seconds} {word['word']} {word['confidence']:.4f}"


def _clock(seconds: float, point: str) -> str:
    thousandths = round(seconds * 1000)
    return (
        f"{thousandths // 3_600_000:02}:{thousandths // 60_000 % 60:02}:{thousandths // 1000 % 60:02}"
        f"{point}{thousandths % 1000:03}"
    )


class Output:
    """Gives what ``predict`` has found its plain form, or writes that into a file for each recording."""

    def __init__(self, options: ASRPrediction, inputs: object) -> None:
        """Get ready for these options.

        Raises:
            UsageError: documents that stand alone would be printed one after the other.
        """
        self._options = options
        self._is_one = isinstance(inputs, Sequence) and len(inputs) == 1
        self._written: dict[Path, str] = {}
        self._said = ""
        if not self._is_one:
            self._require_folder("several inputs")
        if options.out is not None:
            options.out.mkdir(parents=True, exist_ok=True)

    def begin(self, recording: Recording) -> None:
        """Go on to a recording.

        Raises:
            UsageError: as at the beginning, or its file is one that was written already.
        """
        self._recording = recording
        self._document = Document(recording, self._options)
        self._said = ""
        if recording.label != recording.name:
            self._require_folder(recording.title)

    def _require_folder(self, what: str) -> None:
        if self._options.format in SUBTITLES and self._options.out is None:
            raise UsageError(
                f"{what}: {self._options.format} is a document for each; say --out FOLDER for a file of each"
            )

    def of(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """With ``plain``, where it is not the text, and with the document under the name of its format."""
        options = self._options
        is_final = found.get("final", True)
        if options.format == "json":
            plain: str | None = to_json(found, ensure_ascii=False)
        elif options.format != "text":
            plain = self._document.add(found) or None if is_final else None
            found = {**found, options.format: plain or ""} if is_final else found
        else:
            plain = self._line(found, is_final)
        if options.out is not None:
            plain = self._write(options.out, f"{plain or ''}\n" if plain else "")
        return dict(found) if plain == found["text"] else {**found, "plain": plain}

    def _line(self, found: Mapping[str, Any], is_final: bool) -> str | None:
        text: str = found["text"]
        if self._options.out is not None:
            return text
        if self._recording.live is not None:
            new, self._said = text if text != self._said else "", "" if is_final else text
            if is_final and text:
                return f"{new}\n" if new else ""  # a blank line after what stands
            return new or None
        is_alone = self._is_one and self._recording.label == self._recording.name
        return text if is_alone else f"{self._recording.label}\t{text}"

    def _write(self, folder: Path, content: str) -> str:
        path = folder / f"{self._recording.stem}.{ENDINGS.get(self._options.format, self._options.format)}"
        other = self._written.setdefault(path, self._recording.label)
        if other != self._recording.label:
            raise UsageError(f"{path}: for {other} and for {self._recording.label}; give each a --out of its own")
        with atomic_file(path) as handle:
            handle.write(content.encode())
        return str(path)
