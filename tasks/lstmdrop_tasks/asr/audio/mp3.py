"""MPEG layer III files that do not say how long they are."""

from __future__ import annotations

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
