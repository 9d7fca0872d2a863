"""Sound on standard input that still comes: WAV, as ``arecord`` writes it, or raw samples."""

from __future__ import annotations

import io
import logging
import struct
import sys
import time
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

import numpy as np
import soundfile
import soxr

from lstmdrop.errors import DataError
from lstmdrop.training.interruption import Interruption
from lstmdrop_tasks.asr.audio.reading import STREAMED, Samples, read_audio

PCM, FLOAT, A_LAW, MU_LAW, EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
SUBTYPES = {
    (PCM, 8): "PCM_U8", (PCM, 16): "PCM_16", (PCM, 24): "PCM_24", (PCM, 32): "PCM_32",
    (FLOAT, 32): "FLOAT", (FLOAT, 64): "DOUBLE", (A_LAW, 8): "ALAW", (MU_LAW, 8): "ULAW",
}  # fmt: skip
"""What libsndfile calls the forms of samples, by WAV's number and bits."""
AT_ONCE = 1 << 16
"""Bytes asked for."""

log = logging.getLogger("lstmdrop.asr")


class Layout(NamedTuple):
    """How bytes are samples."""

    rate: int
    """In Hz."""
    channels: int
    subtype: str
    frame_bytes: int
    """Of one sample of each channel."""
    num_bytes: int = sys.maxsize
    """Of all the sound, where that is known."""


class LiveSound:
    """Standard input, read as far as it has come."""

    def __init__(self, source: BinaryIO, raw_rate: int | None = None) -> None:
        self._source: BinaryIO = getattr(source, "raw", source)  # gives what is there, without waiting for more
        self._bytes = bytearray()
        self._is_over = False
        self._raw = None if raw_rate is None else Layout(raw_rate, 1, "PCM_16", 2)
        self.waited = 0.0
        """Seconds in which there was nothing to do."""

    def whole(self) -> io.BytesIO:
        """All of it, as a file; raw samples under a WAV header."""
        while not self._is_over:
            self._read()
        content = bytes(self._bytes)
        if self._raw is None:
            return io.BytesIO(content)
        file = io.BytesIO()
        soundfile.write(file, _samples(content, self._raw), self._raw.rate, format="WAV", subtype=self._raw.subtype)
        return io.BytesIO(file.getvalue())

    def blocks(self, seconds: float, rate: int) -> Iterator[tuple[Samples, bool]]:
        """One channel at ``rate`` Hz, in pieces of so many seconds, each with whether it is the last.

        The last one may be empty. SIGINT and SIGTERM are an end like any other; a second one ends the process. What is
        no WAV that can be read as it comes (FLAC, say) is read to its end first.

        Raises:
            DataError: it is no sound that can be read, or was recorded at less than ``rate`` Hz.
        """
        with Interruption() as interruption:
            layout = self._raw or self._header(interruption)
            if layout is None:
                log.warning("standard input is neither WAV nor said to be raw: nothing is said before it has ended")
                yield from pieces(read_audio(self.whole(), rate), round(seconds * rate))
                return
            if layout.rate < rate:
                raise DataError(
                    f"standard input: recorded at {layout.rate} Hz, and features.sample_rate is {rate}: record at more"
                )
            yield from self._decoded(layout, max(1, round(seconds * layout.rate)), rate, interruption)

    def _decoded(
        self, layout: Layout, num_samples: int, rate: int, interruption: Interruption
    ) -> Iterator[tuple[Samples, bool]]:
        resample = _resampler(layout.rate, rate)
        left = layout.num_bytes
        is_last = False
        while not is_last:
            size = min(num_samples * layout.frame_bytes, left)
            self._fill(size, interruption)
            content = bytes(self._bytes[:size])
            del self._bytes[:size]
            left -= size
            is_last = left == 0 or (self._is_over and len(self._bytes) < layout.frame_bytes)
            yield resample(_samples(content, layout).mean(axis=1), is_last), is_last

    def _header(self, interruption: Interruption) -> Layout | None:
        """What a WAV's says, taken off the bytes; of all else nothing is taken off."""
        self._fill(12, interruption)
        place, form = 12, b""
        is_wav = self._bytes[:4] == b"RIFF" and self._bytes[8:12] == b"WAVE"
        while is_wav:
            self._fill(place + 8, interruption)
            if len(self._bytes) < place + 8:
                return None
            name, size = struct.unpack_from("<4sI", self._bytes, place)
            place += 8
            if name == b"data":
                layout = _layout(form, size)
                if layout is not None:
                    del self._bytes[:place]
                return layout
            self._fill(place + size, interruption)
            if name == b"fmt ":
                form = bytes(self._bytes[place : place + size])
            place += size + size % 2
        return None

    def _fill(self, num_bytes: float, interruption: Interruption) -> None:
        """Wait for so many bytes, the end of the stream or that of the user's patience."""
        interruption.at_once = True
        try:
            while len(self._bytes) < num_bytes and not (self._is_over or interruption.requested):
                self._read()
        except KeyboardInterrupt:
            interruption.requested = True
        interruption.at_once = False
        self._is_over = self._is_over or interruption.requested

    def _read(self) -> None:
        started = time.perf_counter()
        content = self._source.read(AT_ONCE)
        self._bytes += content
        self._is_over = not content
        self.waited += time.perf_counter() - started


def pieces(samples: Samples, size: int) -> Iterator[tuple[Samples, bool]]:
    """A sound in pieces of ``size`` samples, each with whether it is the last."""
    size = max(1, size)
    for start in range(0, len(samples), size):
        yield samples[start : start + size], start + size >= len(samples)


def _layout(form: bytes, size: int) -> Layout | None:
    """What WAV's chunk ``fmt`` says; None where it is something else than samples one by one."""
    if len(form) < 16:
        return None
    number, channels, rate, _, frame_bytes, bits = struct.unpack_from("<HHIIHH", form)
    if number == EXTENSIBLE and len(form) >= 26:
        (number,) = struct.unpack_from("<H", form, 24)
    subtype = SUBTYPES.get((number, bits))
    if subtype is None or channels * bits != 8 * frame_bytes or not channels or not rate:
        return None
    is_known = 0 < size < STREAMED
    return Layout(rate, channels, subtype, frame_bytes, size - size % frame_bytes if is_known else sys.maxsize)


def _samples(content: bytes, layout: Layout) -> Samples:
    """``(samples, channels)``; a part of a sample at the end is dropped."""
    whole = content[: len(content) - len(content) % layout.frame_bytes]
    if not whole:
        return np.zeros((0, layout.channels), np.float32)
    samples, _ = soundfile.read(
        io.BytesIO(whole), format="RAW", samplerate=layout.rate, channels=layout.channels, subtype=layout.subtype,
        endian="LITTLE", dtype="float32", always_2d=True,
    )  # fmt: skip
    return np.asarray(samples, np.float32)


def _resampler(own_rate: int, rate: int) -> Callable[[Samples, bool], Samples]:
    if own_rate == rate:
        return lambda samples, is_last: samples
    stream = soxr.ResampleStream(own_rate, rate, 1, dtype="float32")
    return lambda samples, is_last: stream.resample_chunk(samples, last=is_last)
