"""Laws of transcribing files, whole and in a stream."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from lstmdrop.data.tokenizer import train_tokenizer
from lstmdrop.errors import DataError, UsageError
from lstmdrop_tasks.asr.audio.features import compute_features
from lstmdrop_tasks.asr.audio.reading import read_audio
from lstmdrop_tasks.asr.config import ASRDecodingConfig, ASRPrediction
from lstmdrop_tasks.asr.decoder import Decoder
from lstmdrop_tasks.asr.objectives.frames import PhoneSegments
from lstmdrop_tasks.asr.predict import predict
from lstmdrop_tasks.asr.streaming import GreedyFollower, Stream

Build = Callable[..., Any]
RATE = 16000


def offline(task: Any, path: Path) -> np.ndarray:
    features = task.normalisation(compute_features(read_audio(path, RATE), task.config.features))
    with torch.no_grad():
        logits = task.model(torch.from_numpy(features)[:, None], torch.tensor([len(features)]))
    return task.targets.log_probs(logits)[:, 0].numpy()


@pytest.mark.parametrize("objective", ["ctc", "frames"])
@pytest.mark.parametrize(("stack", "stride"), [(1, 1), (3, 1), (3, 3), (8, 3), (4, 2)])
@pytest.mark.parametrize("size", [160, 1111, 5000])
def test_a_stream_gives_what_the_whole_gives(
    build_spoken: Build, spoken: Path, objective: str, stack: int, stride: int, size: int
) -> None:
    settings = ("model.bidirectional=false", f"model.stack={stack}", f"model.stride={stride}")
    task = build_spoken(f"objective={objective}", *settings)
    path = spoken / "test-00-00.flac"
    samples = read_audio(path, RATE)
    stream = Stream(task)
    parts = [stream.accept(samples[start : start + size]) for start in range(0, len(samples), size)]
    found = np.concatenate([*parts, stream.finish()])
    assert found.shape == offline(task, path).shape
    assert np.abs(found - offline(task, path)).max() < 1e-5 * max(1.0, np.abs(found).max())


def test_a_chunk_that_completes_no_step_says_nothing_yet(build_spoken: Build, spoken: Path) -> None:
    settings = ("model.bidirectional=false", "model.stack=3", "model.stride=3")
    task = build_spoken("objective=frames", *settings)
    stream, samples = Stream(task), read_audio(spoken / "test-00-00.flac", RATE)
    assert len(stream.accept(samples[: RATE // 100])) == 0


def test_a_stream_says_what_it_can_as_it_can(build_spoken: Build, spoken: Path) -> None:
    task = build_spoken("model.bidirectional=false", "model.stack=3", "model.stride=3")
    samples = read_audio(spoken / "test-00-00.flac", RATE)
    assert len(Stream(task).accept(samples[:RATE])) >= 100 // 3 - 2


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("model.bidirectional=true", "needs the whole recording"),
        ("features.normalisation=speaker", "streaming needs features.normalisation"),
        ("features.deltas=1", "streaming needs features.normalisation"),
    ],
)
def test_what_cannot_stream_says_why(build_spoken: Build, override: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        Stream(build_spoken("model.bidirectional=false", override))


@pytest.mark.parametrize("beam_size", [1, 4])
def test_streamed_predictions_end_with_the_whole_one(build_spoken: Build, spoken: Path, beam_size: int) -> None:
    task, path = build_spoken("model.bidirectional=false"), str(spoken / "test-00-00.flac")
    streamed = list(predict([task], [path], ASRPrediction(streaming=True, chunk=0.2, beam_size=beam_size)))
    (whole,) = predict([task], [path], ASRPrediction(beam_size=beam_size))
    assert [part["final"] for part in streamed] == [False] * (len(streamed) - 1) + [True]
    assert streamed[-1]["text"] == whole["text"]
    assert streamed[-1]["words"] == whole["words"]
    assert ["real_time_factor" in part for part in streamed] == [part["final"] for part in streamed]


@pytest.mark.parametrize("streaming", [False, True])
def test_the_log_says_how_fast_it_was(
    build_spoken: Build, spoken: Path, caplog: pytest.LogCaptureFixture, streaming: bool
) -> None:
    task, paths = build_spoken("model.bidirectional=false"), [str(spoken / f"test-00-0{n}.flac") for n in (0, 1)]
    outputs = list(predict([task], paths, ASRPrediction(streaming=streaming)))
    found = re.search(r"([\d.]+) s of sound in ([\d.]+) s: real-time factor ([\d.]+) on 1 thread$", caplog.text, re.M)
    assert found is not None
    heard, _, factor = map(float, found.groups())
    factors = [part["real_time_factor"] for part in outputs if "real_time_factor" in part]
    assert heard == pytest.approx(sum(len(read_audio(Path(path), RATE)) for path in paths) / RATE, abs=0.01)
    assert min(factors) - 1e-4 <= factor <= max(factors) + 1e-4


def test_words_come_with_times_and_confidences(build_spoken: Build, spoken: Path) -> None:
    (found,) = predict([build_spoken()], [str(spoken / "test-01-01.flac")], ASRPrediction())
    again = json.loads(json.dumps(found))
    assert " ".join(word["word"] for word in again["words"]) == again["text"] != ""
    times = [time for word in again["words"] for time in (word["start"], word["end"])]
    assert times == sorted(times)
    assert 0 <= times[0] < times[-1] <= again["seconds"] + 0.02
    assert all(0 < word["confidence"] <= 1 for word in again["words"])
    assert again["real_time_factor"] > 0


def test_the_n_best_are_different_and_in_order(build_spoken: Build, spoken: Path) -> None:
    (found,) = predict([build_spoken()], [str(spoken / "test-01-01.flac")], ASRPrediction(num_best=4))
    scores = [hypothesis["score"] for hypothesis in found["hypotheses"]]
    assert len({hypothesis["text"] for hypothesis in found["hypotheses"]}) > 1
    assert scores == sorted(scores, reverse=True)
    assert found["text"] == found["hypotheses"][0]["text"]


def test_phones_of_frames_follow_each_other_without_gaps(build_spoken: Build, spoken: Path) -> None:
    (found,) = predict([build_spoken("objective=frames")], [str(spoken / "test-01-01.flac")], ASRPrediction())
    phones = found["phones"]
    assert phones[0]["start"] == 0
    assert [phone["start"] for phone in phones[1:]] == [phone["end"] for phone in phones[:-1]]
    assert phones[-1]["end"] == pytest.approx(found["seconds"], abs=0.011)
    assert all(one["phone"] != other["phone"] for one, other in pairwise(phones))


def test_standard_input_may_be_the_sound(build_spoken: Build, spoken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = spoken / "test-00-01.flac"
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(path.read_bytes())))
    task = build_spoken()
    (piped,) = predict([task], ["-"], ASRPrediction())
    (named,) = predict([task], [str(path)], ASRPrediction())
    assert (piped["text"], piped["words"]) == (named["text"], named["words"])


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(("num_samples", "reason"), [(0, "not a sound file"), (20, "shorter than one frame")])
def test_standard_input_is_called_so_in_errors(
    build_spoken: Build,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    streaming: bool,
    num_samples: int,
    reason: str,
) -> None:
    sound = io.BytesIO()
    if num_samples:
        soundfile.write(sound, np.zeros(num_samples, np.float32), RATE, format="WAV")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(sound.getvalue() or b"no sound")))
    with pytest.raises(DataError, match="such as standard input"):
        list(predict([build_spoken("model.bidirectional=false")], ["-"], ASRPrediction(streaming=streaming)))
    assert f"standard input: {reason}" in caplog.text


def test_a_bad_file_stops_no_other_but_is_an_error_in_the_end(
    build_spoken: Build, spoken: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = str(spoken / "test-00-00.flac")
    found = predict([build_spoken()], ["absent.wav", good, "", good], ASRPrediction())
    assert [next(found)["audio"], next(found)["audio"]] == [good, good]
    assert "absent.wav: no such file" in caplog.text
    with pytest.raises(DataError, match=r"1 of the files could not be transcribed, such as absent\.wav"):
        next(found)


def test_precomputed_features_are_transcribed_like_those_of_a_split(build_asr: Build, toy_speech: Path) -> None:
    task = build_asr()
    task.model.eval()
    with torch.no_grad():
        task.model.softmax.weight *= 20
    (found,) = predict([task], [str(toy_speech / "test0.npy")], ASRPrediction())
    assert found["seconds"] == pytest.approx(len(np.load(toy_speech / "test0.npy")) / 100)
    np.save(toy_speech.parent / "wide.npy", np.zeros((5, 9), np.float32))
    with pytest.raises(DataError):
        list(predict([task], [str(toy_speech.parent / "wide.npy")], ASRPrediction()))


@pytest.mark.parametrize("form", ["manifest", "kaldi"])
def test_by_speaker_a_manifest_is_transcribed_as_it_is_scored(
    build_spoken: Build, spoken: Path, tmp_path: Path, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    task = build_spoken("features.normalisation=speaker")
    task.evaluate("test", outputs=tmp_path)
    scored = (tmp_path / "predictions.txt").read_text().splitlines()
    source = spoken / "test.jsonl"
    if form == "kaldi":
        entries = [json.loads(line) for line in source.read_text().splitlines()]
        source = tmp_path / "data"
        source.mkdir()
        for name, key in (("utt2spk", "speaker"), ("text", "text")):
            (source / name).write_text("".join(f"{entry['id']} {entry[key]}\n" for entry in entries))
        (source / "wav.scp").write_text("".join(f"{entry['id']} {spoken / entry['audio']}\n" for entry in entries))
    found = list(predict([task], [str(source)], ASRPrediction()))
    assert [one["text"] for one in found] == scored
    assert [one["id"] for one in found] == [utterance.id for utterance in task.speech.utterances("test")]
    assert "by speaker" not in caplog.text
    files = [one["audio"] for one in found]
    list(predict([task], files, ASRPrediction()))
    assert caplog.text.count("the run's score does not hold for it") == 1


def test_a_manifest_has_its_times_and_what_is_wrong_takes_its_own_place_alone(
    build_spoken: Build, spoken: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    task, sound = build_spoken(), str(spoken / "test-00-00.flac")
    times = {"first": (0.0, 0.4), "swapped": (0.4, 0.1), "second": (0.1, 0.4)}
    lines = [{"id": name, "audio": sound, "start": start, "end": end} for name, (start, end) in times.items()]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "a.raw").write_bytes(bytes(999))
    found: list[Any] = []
    with pytest.raises(DataError, match="2 of the files could not be transcribed"):
        found.extend(predict([task], [str(tmp_path / "a.raw"), str(tmp_path / "a.jsonl"), sound], ASRPrediction()))
    assert [one.get("id") for one in found] == ["first", "second", None]
    assert [one["seconds"] for one in found[:2]] == pytest.approx([0.4, 0.3])
    assert "a.jsonl:2: swapped: it ends before it starts: from 0.4 s to 0.1 s" in caplog.text


@pytest.mark.parametrize("tokens", ["character", "bpe"])
@pytest.mark.parametrize("size", [1, 7, 50])
def test_what_is_said_so_far_is_what_the_outputs_so_far_say(tmp_path: Path, tokens: Any, size: int) -> None:
    (tmp_path / "text").write_text("ab cd\nab ab\ndc ba\n a b c d\n" * 3)
    tokenizer = train_tokenizer(tokens, tmp_path / "text")
    decoder = Decoder(tokenizer, ASRDecodingConfig())
    draws = np.random.default_rng(size).gumbel(size=(300, len(tokenizer.vocabulary))).astype(np.float32)
    draws = np.repeat(draws[:100], 3, 0)  # runs, as networks give them
    log_probs = draws - np.logaddexp.reduce(draws, 1, keepdims=True)
    follow, asked = GreedyFollower(decoder, 0.01), 0

    def counting(said: Any) -> Any:
        nonlocal asked
        asked += len(said)
        return Decoder.spoken(decoder, said)

    for start in range(0, len(log_probs), size):
        so_far = log_probs[: start + size]
        expected = decoder.describe(so_far, decoder.decode(so_far), 0.01)
        decoder.spoken = counting  # type: ignore[method-assign]
        found = follow(log_probs[start : start + size])
        del decoder.spoken  # type: ignore[misc]
        assert (found["text"], found["words"]) == (expected["text"], expected["words"])
        assert found["hypotheses"][0]["log_prob"] == pytest.approx(expected["hypotheses"][0]["log_prob"])
    assert len(found["words"]) > 5
    assert asked < 20 * len(log_probs)  # not the whole of it each time


def test_phones_so_far_are_those_of_the_frames_so_far(build_spoken: Build, spoken: Path) -> None:
    task = build_spoken("objective=frames", "model.bidirectional=false")
    log_probs = offline(task, spoken / "test-00-00.flac")
    pieces, stride = PhoneSegments(task.targets, 0.01), task.config.model.stride
    for start in range(0, len(log_probs), 7):
        new, so_far = log_probs[start : start + 7], log_probs[: start + 7]
        found = pieces.add(new, stride * len(new))
        assert found == PhoneSegments(task.targets, 0.01).add(so_far, stride * len(so_far))
