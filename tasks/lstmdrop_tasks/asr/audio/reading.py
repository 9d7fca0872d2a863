"""Sound files as arrays of samples."""

from __future__ import annotations

import io
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from lstmdrop.data.spelling import is_file
from lstmdrop.errors import DataError, loading

VERSIONS = {0b11: 1, 0b10: 2, 0b00: 2}
"""Of the two bits: MPEG 1; 2 and its extension 2.5, which share their sizes."""

BIT_RATE_NUMBER = 9
BIT_RATES = {1: 128_000, 2: 80_000}
"""What that number means."""

SAMPLE_RATES = {0b11: (44100, 48000, 32000), 0b10: (22050, 24000, 16000), 0b00: (11025, 12000, 8000)}
LONGEST = 0x7FFFFF
"""Frames: more than any recording has; reading ends with the file."""

TAGS = (b"Xing", b"Info")
ENOUGH = 0.98
"""The share of the file that a tag must speak of: two files put together have the tag of the first."""


def with_length(content: bytes) -> bytes:
    """The same sound, under a first frame that promises more than there can be.

    Without the tag that says how long a file is (Xing's, which most encoders write), libsndfile stops where the first
    frames let it expect the end. A file whose tag is good is left as it is.
    """
    start = _first_frame(content)
    if start is None:
        return content
    header = content[start : start + 4]
    version, is_mono = VERSIONS[header[1] >> 3 & 3], header[3] >> 6 == 0b11
    before = 4 + {(1, False): 32, (1, True): 17, (2, False): 17, (2, True): 9}[version, is_mono]
    tag = content[start + before : start + before + 16]
    if tag[:4] in TAGS and _speaks_of_all(tag, len(content) - start):
        return content
    sample_rate = SAMPLE_RATES[header[1] >> 3 & 3][header[2] >> 2 & 3]
    size = (144 if version == 1 else 72) * BIT_RATES[version] // sample_rate
    # protected by no checksum, of that bit rate, not padded
    own = bytes([0xFF, header[1] | 1, BIT_RATE_NUMBER << 4 | header[2] & 0b1100, header[3]])
    frame = own.ljust(before, b"\0") + TAGS[0] + (1).to_bytes(4, "big") + LONGEST.to_bytes(4, "big")
    return frame.ljust(size, b"\0") + content[start:]


def _first_frame(content: bytes) -> int | None:
    """Where the first frame begins, behind an ID3 tag."""
    start = 0
    if content[:3] == b"ID3" and len(content) > 10:
        start = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(content[6:10], (21, 14, 7, 0), strict=True))
    while 0 <= (start := content.find(0xFF, start)) < len(content) - 4:
        second, third = content[start + 1 : start + 3]
        is_layer_3 = second >> 5 == 0b111 and second >> 1 & 3 == 0b01 and second >> 3 & 3 in VERSIONS
        if is_layer_3 and 0 < third >> 4 < 15 and third >> 2 & 3 < 3:
            return start
        start += 1
    return None


def _speaks_of_all(tag: bytes, num_bytes: int) -> bool:
    has_frames, has_bytes = tag[7] & 1, tag[7] & 2
    return bool(has_frames) and not (has_bytes and int.from_bytes(tag[12:16], "big") < ENOUGH * num_bytes)


with loading("sound needs soundfile and libsndfile", "pip install soundfile"):
    import soundfile
with loading("sound needs soxr", "pip install soxr"):
    import soxr

Samples = npt.NDArray[np.float32]

TOLERANCE = 0.05
"""Seconds by which a stretch may reach beyond its sound: times are rounded."""

BLOCK = 1 << 18
"""Samples a channel read at a time."""

MP3 = "MP3"
CUT = re.compile(r"^data : (\d+) \(should be (\d+)\)", re.MULTILINE)
OTHERS = (
    ".m4a",
    ".mp4",
    ".aac",
    ".m4b",
    ".wma",
    ".amr",
    ".webm",
    ".mkv",
    ".mov",
    ".3gp",
    ".mp2",
    ".mp3",
    ".mka",
    ".ac3",
)
"""Endings of sound and film that ffmpeg reads."""
HEADING = 64
MARKS = (b"ftyp", b"\x1aE\xdf\xa3", b"#!AMR", b"\x30\x26\xb2\x75")
"""How MP4, Matroska, AMR and Windows Media begin, whatever their ending."""
SPHERE = b"NIST_1A"
STREAMED = 0x7FFFFF00
"""Bytes from which a WAV header means that its writer could not know the length."""


def read_audio(
    source: Path | BinaryIO,
    rate: int,
    *,
    start: float | None = None,
    end: float | None = None,
    channel: int | None = None,
    speed: float = 1.0,
) -> Samples:
    """One channel at ``rate`` Hz, between -1 and 1; without ``channel``, counted from 0, all are averaged.

    WAV, FLAC, Ogg Vorbis, Opus, MP3 and all else that libsndfile reads. ``speed`` above 1 plays it faster and
    higher, by resampling (Ko et al. 2015).

    Raises:
        DataError: it is missing, damaged or empty, or was recorded at less than ``rate`` Hz.
    """
    name = source if isinstance(source, Path) else "standard input"
    if isinstance(source, Path) and not is_file(source):
        raise DataError(f"{source}: no such file")
    try:
        samples, own_rate = _read(source, start, end)
    except (soundfile.SoundFileError, RuntimeError, ValueError, OSError) as error:
        raise DataError(f"{name}: not a sound file that can be read ({_reason(error)}){_conversion(source)}") from None
    except TypeError:  # soundfile asks for the sample rate
        raise DataError(
            f"{name}: raw samples do not say their rate and type; write them as WAV, with sox say"
        ) from None
    if len(samples) == 0:
        raise DataError(f"{name}: there is no sound in it")
    if own_rate < rate:
        raise DataError(
            f"{name}: recorded at {own_rate} Hz, and features.sample_rate is {rate}; "
            f"train a model for such sound: --set features.sample_rate={own_rate}"
        )
    if end is not None and len(samples) / own_rate < end - (start or 0.0) - TOLERANCE:
        ends = (start or 0.0) + len(samples) / own_rate
        raise DataError(f"{name}: from {start or 0:g} s to {end:g} s, and the sound ends at {ends:.2f} s")
    if channel is not None and not 0 <= channel < samples.shape[1]:
        raise DataError(f"{name}: there is no channel {channel}; it has {samples.shape[1]}, counted from 0")
    mono = samples.mean(axis=1) if channel is None else samples[:, channel]
    if not np.isfinite(mono).all():
        raise DataError(f"{name}: some samples are not finite numbers")
    resampled: Samples = soxr.resample(mono, own_rate * speed, rate).astype(np.float32)
    return resampled


class Heading(NamedTuple):
    """What can be known of a sound without listening to it."""

    rate: int
    """In Hz."""
    seconds: float


def heading_of(path: Path) -> Heading | None:
    """Rate and length of a sound; None where it cannot be read."""
    with suppress(soundfile.SoundFileError, RuntimeError, ValueError, OSError, TypeError), _whole(path) as file:
        frames = sum(map(len, _blocks(file, sys.maxsize))) if file.format == MP3 else file.frames
        return Heading(file.samplerate, float(frames / file.samplerate))
    return None


def sound_seconds(path: Path) -> float | None:
    """How long a sound is; None where it cannot be read."""
    heading = heading_of(path)
    return None if heading is None else heading.seconds


def _read(source: Path | BinaryIO, start: float | None, end: float | None) -> tuple[Samples, int]:
    with _whole(source) as file:
        _require_whole(file)
        return _stretch(file, start, end), file.samplerate


def _whole(source: Path | BinaryIO) -> soundfile.SoundFile:
    """A sound file that is read to its end."""
    file = soundfile.SoundFile(str(source) if isinstance(source, Path) else source)
    if file.format != MP3:
        return file
    file.close()
    if not isinstance(source, Path):
        source.seek(0)
    content = source.read_bytes() if isinstance(source, Path) else source.read()
    return soundfile.SoundFile(io.BytesIO(with_length(content)))


def _require_whole(file: soundfile.SoundFile) -> None:
    """A WAV file that was cut off is read to where it ends, without an error; its header tells."""
    told = CUT.search(file.extra_info) if file.format == "WAV" else None
    if told is not None and 0 < int(told[2]) < int(told[1]) < STREAMED:
        missing = (int(told[1]) - int(told[2])) / int(told[1])
        if missing * file.frames / (1 - missing) > TOLERANCE * file.samplerate:
            raise ValueError(f"it is cut off: {missing:.0%} of the sound is missing")


def _stretch(file: soundfile.SoundFile, start: float | None, end: float | None) -> Samples:
    """Read block by block to where it ends: in some formats the number of frames is an estimate."""
    first = round((start or 0.0) * file.samplerate)
    wanted = sys.maxsize if end is None else round(end * file.samplerate) - first
    if file.seekable() and first < file.frames:
        file.seek(first)
    else:
        for _ in _blocks(file, first):
            pass
    blocks = list(_blocks(file, wanted))
    return np.concatenate(blocks) if blocks else np.zeros((0, file.channels), np.float32)


def _blocks(file: soundfile.SoundFile, num_frames: int) -> Iterator[Samples]:
    while num_frames > 0:
        block = np.empty((min(BLOCK, num_frames), file.channels), np.float32)
        num_read = file.buffer_read_into(block, dtype="float32")
        if num_read == 0:
            return
        num_frames -= num_read
        yield block[:num_read]


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0].rpartition(": ")[2].rstrip(".") if str(error) else type(error).__name__


def _conversion(source: Path | BinaryIO) -> str:
    """The line that makes WAV of what libsndfile does not read."""
    if not isinstance(source, Path):
        return ""
    with source.open("rb") as file:
        heading = file.read(HEADING)
    name = shlex.quote(source.name)
    wav = shlex.quote(f"{source.stem}.16k.wav" if source.suffix.lower() == ".wav" else f"{source.stem}.wav")
    if heading.startswith(SPHERE):  # compressed: libsndfile reads what is not
        return f"; convert it: sph2pipe -f wav {name} {wav}"
    if source.suffix.lower() in OTHERS or any(mark in heading for mark in MARKS):
        return f"; convert it: ffmpeg -i {name} -ac 1 {wav}"
    return ""
