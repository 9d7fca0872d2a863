"""Laws of sound that still comes."""

from __future__ import annotations

import io
import os
import signal
import struct
import sys
import threading
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from lstmdrop.errors import DataError, UsageError
from lstmdrop_tasks.asr.audio.features import compute_features
from lstmdrop_tasks.asr.audio.live import LiveSound
from lstmdrop_tasks.asr.audio.reading import read_audio
from lstmdrop_tasks.asr.config import ASRPrediction
from lstmdrop_tasks.asr.decoder import Decoder
from lstmdrop_tasks.asr.predict import predict

RATE = 16000


def noise(num_samples: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(channels).uniform(-0.9, 0.9, (num_samples, channels)).astype(np.float32)


def wav(samples: np.ndarray, rate: int = RATE, subtype: str = "PCM_16", form: str = "WAV") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=form, subtype=subtype)
    return file.getvalue()


def raw(samples: np.ndarray, rate: int = RATE) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="RAW", subtype="PCM_16", endian="LITTLE")
    return file.getvalue()


class Slow(io.RawIOBase):
    """Gives a few bytes at a time, and then does something else."""

    def __init__(self, content: bytes, size: int = 777, at_end: Callable[[], object] = bytes) -> None:
        self.content, self.size, self.at_end = content, size, at_end

    def read(self, size: int = -1) -> bytes:
        part, self.content = self.content[: self.size], self.content[self.size :]
        return part or bytes(self.at_end() or b"")  # type: ignore[call-overload, no-any-return]


def heard(source: Any, rate: int = RATE, raw_rate: int | None = None, seconds: float = 0.1) -> np.ndarray:
    blocks = list(LiveSound(source, raw_rate).blocks(seconds, rate))
    assert [is_last for _, is_last in blocks] == [False] * (len(blocks) - 1) + [True]
    return np.concatenate([samples for samples, _ in blocks])


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ALAW", "ULAW"])
@pytest.mark.parametrize(("form", "channels"), [("WAV", 1), ("WAV", 2), ("WAVEX", 2)])
def test_a_wav_that_comes_piece_by_piece_is_what_the_whole_is(subtype: str, form: str, channels: int) -> None:
    content = wav(noise(5001, channels), RATE, subtype, form)
    assert np.allclose(heard(Slow(content)), read_audio(io.BytesIO(content), RATE), atol=1e-6)


@pytest.mark.parametrize("own_rate", [22050, 48000])
def test_other_rates_are_resampled_as_the_whole_is(own_rate: int) -> None:
    content = wav(noise(own_rate), own_rate)
    whole, found = read_audio(io.BytesIO(content), RATE), heard(Slow(content))
    assert len(found) == pytest.approx(len(whole), abs=1)
    assert np.abs(found[: len(whole)] - whole[: len(found)]).max() < 1e-3


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_a_length_that_nobody_knew_yet_is_none(size: int) -> None:
    content = bytearray(wav(noise(3000)))
    content[40:44] = struct.pack("<I", size)
    assert len(heard(Slow(bytes(content)))) == 3000


def test_what_follows_the_sound_is_not_sound() -> None:
    content = wav(noise(3000)) + b"LIST" + struct.pack("<I", 1000) + bytes(1000)
    assert len(heard(Slow(content))) == 3000


def test_raw_samples_are_those_of_a_wav_and_half_a_one_is_none() -> None:
    samples = noise(3000)
    assert np.array_equal(heard(Slow(raw(samples) + b"\1"), raw_rate=RATE), heard(Slow(wav(samples))))
    whole = read_audio(LiveSound(Slow(raw(samples)), RATE).whole(), RATE)
    assert np.array_equal(whole, heard(Slow(wav(samples))))


def test_what_is_no_wav_is_read_to_its_end(caplog: pytest.LogCaptureFixture) -> None:
    content = wav(noise(5000), form="FLAC")
    assert np.array_equal(heard(Slow(content)), read_audio(io.BytesIO(content), RATE))
    assert "nothing is said before it has ended" in caplog.text
    with pytest.raises(DataError, match="standard input: not a sound file"):
        heard(Slow(b"RIFF1234WAVEfmt "))


def test_a_rate_that_is_too_low_is_refused() -> None:
    with pytest.raises(DataError, match=r"standard input: recorded at 8000 Hz, and features.sample_rate is 16000"):
        heard(Slow(wav(noise(3000), 8000)))


def test_a_block_is_there_before_the_next_one_has_come() -> None:
    read_end, write_end = os.pipe()
    content = wav(noise(RATE))
    with os.fdopen(read_end, "rb") as source, os.fdopen(write_end, "wb", buffering=0) as sink:
        sink.write(content[: 44 + 2 * 1600])
        timer = threading.Timer(20, sink.close)  # so that a failure does not hang
        timer.start()
        blocks = LiveSound(source).blocks(0.1, RATE)
        samples, is_last = next(blocks)
        assert (len(samples), is_last, sink.closed) == (1600, False, False)
        timer.cancel()
        sink.close()
        rest = list(blocks)
    assert [is_last for _, is_last in rest] == [True]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_while_nothing_comes_is_the_end(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    found = heard(Slow(wav(noise(RATE))[:20044], at_end=lambda: signal.raise_signal(number)))
    assert len(found) == 10000
    assert signal.getsignal(number) == before


def test_an_interruption_between_two_blocks_is_the_end_and_a_second_one_is_at_once() -> None:
    blocks = LiveSound(Slow(wav(noise(RATE)))).blocks(0.1, RATE)
    next(blocks)
    signal.raise_signal(signal.SIGINT)
    assert [is_last for _, is_last in blocks] == [True]
    blocks = LiveSound(Slow(wav(noise(RATE)))).blocks(0.1, RATE)
    next(blocks)
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    blocks.close()  # type: ignore[attr-defined]


@pytest.fixture
def build_live(build_spoken: Callable[..., Any]) -> Callable[..., Any]:
    """A recogniser in one direction that says something of sound and nothing of silence."""
    return partial(build_spoken, "model.bidirectional=false", "model.stack=1", "model.stride=1")


def spoken_twice(spoken: Path) -> np.ndarray:
    one = read_audio(spoken / "test-00-00.flac", RATE)
    return np.concatenate([one, np.zeros(2 * RATE, np.float32), one])


def silence(task: Any, path: Path) -> None:
    """Let one token win where there is sound, the blank elsewhere; an untrained network does not know."""
    features = task.normalisation(compute_features(read_audio(path, RATE), task.config.features))
    quiet = slice(len(features) * 4 // 10, len(features) // 2)
    with torch.no_grad():
        logits = task.model(torch.from_numpy(features)[:, None], torch.tensor([len(features)]))[:, 0]
        above = logits - logits[:, [task.targets.blank]]
        third = len(above) // 3
        loud, low = torch.minimum(above[:third].amax(0), above[-third:].amax(0)), above[quiet].amax(0)
        names = task.targets.tokenizer.vocabulary.tokens
        gaps = {n: float(loud[n] - low[n]) for n, name in enumerate(names) if name.isalpha()}
        best = max(gaps, key=lambda n: gaps[n])
        task.model.softmax.bias -= 1e3
        task.model.softmax.bias[task.targets.blank] += 1e3
        task.model.softmax.bias[best] += 1e3 - (loud[best] + low[best]) / 2


def test_what_is_said_live_is_what_is_said_of_the_file_with_its_pauses(
    build_live: Callable[..., Any], spoken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, path = build_live(), tmp_path / "twice.wav"
    path.write_bytes(wav(spoken_twice(spoken)))
    silence(task, path)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=Slow(path.read_bytes())))
    live = list(predict([task], ["-"], ASRPrediction(streaming=True, pause=0.8)))
    (whole,) = predict([task], [str(path)], ASRPrediction(pause=0.8))
    finals = [part for part in live if part["final"]]
    assert [word for part in finals for word in part["words"]] == whole["words"]
    assert sum(part["text"] != "" for part in finals) > 1, "it is said in parts"
    assert " ".join(part["text"] for part in finals if part["text"]) == whole["text"]
    assert live[-1]["seconds"] == whole["seconds"]
    assert all("real_time_factor" in part for part in finals)
    printed = [line for part in live if (line := part.get("plain", part["text"])) is not None]
    assert all(one != other for one, other in pairwise(printed)), "a line says something new"
    blocks = "\n".join(printed).removesuffix("\n").split("\n\n")
    assert [block.split("\n")[-1] for block in blocks] == [one["text"] for one in finals if one["text"]]


def test_silence_is_not_kept(build_live: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    task = build_live("decoding.beam_size=2")
    with torch.no_grad():
        task.model.softmax.bias[task.targets.blank] += 1e3
    monkeypatch.setattr("lstmdrop_tasks.asr.predict.LONGEST_SILENCE", 1.0)
    lengths: list[int] = []
    describe = Decoder.describe

    def counting(self: Decoder, log_probs: np.ndarray, *rest: Any) -> dict[str, Any]:
        lengths.append(len(log_probs))
        return describe(self, log_probs, *rest)

    monkeypatch.setattr(Decoder, "describe", counting)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=Slow(wav(noise(4 * RATE)))))
    found = list(predict([task], ["-"], ASRPrediction(streaming=True)))
    assert [(part["text"], part["final"]) for part in found] == [("", False)] * (len(found) - 1) + [("", True)]
    assert found[-1]["seconds"] == 4.0
    assert 1.0 <= max(lengths) * task.config.features.frame_shift / 1000 <= 1.0 + 0.32


def test_live_subtitles_come_pause_by_pause_as_one_document(
    build_live: Callable[..., Any], spoken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = build_live("objective=frames")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=Slow(wav(spoken_twice(spoken)))))
    found = list(predict([task], ["-"], ASRPrediction(streaming=True, format="vtt")))
    printed = [part["plain"] for part in found if part.get("plain") is not None]
    assert all(part["final"] for part in found if part.get("plain") is not None)
    assert "\n".join(printed).count("WEBVTT") == 1
    assert printed[0].startswith("WEBVTT\n")


@pytest.mark.parametrize("overrides", [(), ("model.bidirectional=true",)])
def test_what_cannot_be_live_is_refused_before_anything_is_read(
    build_live: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, overrides: tuple[str, ...]
) -> None:
    task = build_live(*overrides)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=None))
    models = [task] if overrides else [task, task]
    with pytest.raises(UsageError, match="leave --streaming out" if overrides else "--streaming takes one run"):
        next(predict(models, ["-"], ASRPrediction(streaming=True)))
    with pytest.raises(UsageError, match="--raw-rate has an effect only with -"):
        next(predict([task], ["a.wav"], ASRPrediction(raw_rate=RATE)))


def test_each_channel_has_a_transcript_of_its_own(build_live: Callable[..., Any], spoken: Path, tmp_path: Path) -> None:
    task = build_live()
    alone = [read_audio(spoken / f"test-00-0{n}.flac", RATE) for n in (0, 1)]
    length = min(map(len, alone))
    stereo, mono = tmp_path / "stereo.wav", tmp_path / "mono.wav"
    soundfile.write(stereo, np.stack([one[:length] for one in alone], 1), RATE)
    soundfile.write(mono, alone[1][:length], RATE)
    first, second, single = predict([task], [str(stereo), str(mono)], ASRPrediction(by_channel=True))
    assert [one.get("channel") for one in (first, second, single)] == [0, 1, None]
    scores = [one["hypotheses"][0]["log_prob"] for one in (first, second, single)]
    assert scores[0] != scores[1] == scores[2]
    assert second["words"] == single["words"]
    assert second["plain"] == f"{stereo}:1\t{second['text']}"
    (mixed,) = predict([task], [str(stereo)], ASRPrediction())
    assert "channel" not in mixed
