"""Laws of reading sound and of features."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
from pydantic import ValidationError

from lstmdrop.errors import DataError
from lstmdrop_tasks.asr.audio.features import (
    FeatureStream,
    Normalisation,
    blanked,
    compute_features,
    draw_blanks,
    read_features,
    with_deltas,
)
from lstmdrop_tasks.asr.audio.reading import read_audio, sound_seconds
from lstmdrop_tasks.asr.config import AugmentationConfig, FeatureConfig

Write = Callable[..., Path]
RATE = 16000


def blank_out(features: Any, config: AugmentationConfig, rng: Any) -> Any:
    return blanked(features, draw_blanks(*features.shape, config, rng))


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "opus", "mp3"])
def test_every_format_gives_the_sound(write_tone: Write, suffix: str) -> None:
    samples = read_audio(write_tone(f"tone.{suffix}", 0.5), RATE)
    assert samples.dtype == np.float32
    assert len(samples) == pytest.approx(RATE / 2, abs=RATE * 0.08)  # lossy formats pad
    spectrum = np.abs(np.fft.rfft(samples))
    assert spectrum.argmax() * RATE / len(samples) == pytest.approx(440, abs=5)


def test_channels_are_averaged_and_a_higher_rate_is_resampled(write_tone: Write) -> None:
    mono = read_audio(write_tone("mono.wav"), RATE)
    assert np.allclose(read_audio(write_tone("two.wav", channels=2), RATE), mono, atol=1e-4)
    high = read_audio(write_tone("high.wav", rate=44100), RATE)
    assert len(high) == len(mono)
    assert np.abs(np.fft.rfft(high)).argmax() == np.abs(np.fft.rfft(mono)).argmax()


def test_a_part_is_a_part_of_the_whole(write_tone: Write) -> None:
    path = write_tone("whole.wav")
    whole, part = read_audio(path, RATE), read_audio(path, RATE, start=0.1, end=0.2)
    assert np.array_equal(part, whole[1600:3200])


def test_faster_is_shorter_and_higher(write_tone: Write) -> None:
    path = write_tone("tone.wav", 0.5)
    fast = read_audio(path, RATE, speed=1.25)
    assert len(fast) == pytest.approx(RATE * 0.4, abs=2)
    assert np.abs(np.fft.rfft(fast)).argmax() * RATE / len(fast) == pytest.approx(550, abs=5)


def test_sound_that_cannot_be_used_is_named(write_tone: Write, tmp_path: Path) -> None:
    (tmp_path / "zero.wav").write_bytes(b"")
    (tmp_path / "noise.flac").write_bytes(b"fLaC but not really")
    soundfile.write(tmp_path / "silent.wav", np.zeros(0), RATE)
    cases = {
        tmp_path / "absent.wav": "no such file",
        tmp_path / "zero.wav": "not a sound file",
        tmp_path / "noise.flac": "not a sound file",
        tmp_path / "silent.wav": "no sound in it",
        write_tone("low.wav", rate=8000): "recorded at 8000 Hz",
    }
    for path, reason in cases.items():
        with pytest.raises(DataError, match=reason) as error:
            read_audio(path, RATE)
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)
    with pytest.raises(DataError, match="standard input: not a sound file"):
        read_audio(io.BytesIO(b"nothing"), RATE)


@pytest.mark.parametrize("kind", ["fbank", "mfcc"])
@pytest.mark.parametrize("size", [1, 160, 777, 5000])
def test_features_do_not_depend_on_how_the_sound_is_cut(kind: str, size: int) -> None:
    config = FeatureConfig(kind=kind, num_filters=20)  # type: ignore[arg-type]
    samples = np.random.default_rng(0).standard_normal(4000).astype(np.float32) * 0.1
    stream = FeatureStream(config)
    parts = [stream.accept(samples[start : start + size]) for start in range(0, len(samples), size)]
    assert np.array_equal(np.concatenate([*parts, stream.finish()]), compute_features(samples, config))
    with pytest.raises(RuntimeError, match="already removed"):  # a microphone may be on for days
        stream._computer.get_frame(len(np.concatenate(parts)) - 1)


@pytest.mark.parametrize(("num_samples", "num_frames"), [(16000, 100), (1600, 10), (1690, 11), (160, 1)])
def test_there_is_a_frame_for_every_shift(num_samples: int, num_frames: int) -> None:
    assert compute_features(np.ones(num_samples, np.float32) / 9, FeatureConfig()).shape == (num_frames, 40)


def test_the_loudest_filter_is_at_the_tone() -> None:
    """Mel filters as O'Shaughnessy's formula places them between 20 Hz and half the rate."""
    times = np.arange(RATE) / RATE

    def mel(frequency: float) -> float:
        return 1127 * np.log(1 + frequency / 700)

    for frequency in (300, 1000, 3000):
        features = compute_features(np.sin(2 * np.pi * frequency * times).astype(np.float32), FeatureConfig())
        width = (mel(8000) - mel(20)) / 41
        assert features.mean(0).argmax() == pytest.approx((mel(frequency) - mel(20)) / width - 1, abs=1)


def test_deltas_are_slopes() -> None:
    ramp = np.arange(10, dtype=np.float32)[:, None] * np.array([[1.0, -2.0]], np.float32)
    features = with_deltas(ramp, 2)
    assert features.shape == (10, 6)
    assert np.allclose(features[4:-4, 2:4], [1.0, -2.0])
    assert np.allclose(features[4:-4, 4:], 0.0)


def test_precomputed_features_are_checked(tmp_path: Path) -> None:
    cases = {"flat": np.zeros(3, np.float32), "whole": np.zeros((3, 2), int)}
    for name, array in cases.items():
        np.save(tmp_path / f"{name}.npy", array)
        with pytest.raises(DataError, match=r"an array \(frames, features\) of floats"):
            read_features(tmp_path / f"{name}.npy", FeatureConfig())
    np.save(tmp_path / "empty.npy", np.zeros((0, 2), np.float32))
    with pytest.raises(DataError, match="it is empty"):
        read_features(tmp_path / "empty.npy", FeatureConfig())
    np.save(tmp_path / "nan.npy", np.full((3, 2), np.nan))
    with pytest.raises(DataError, match="not finite"):
        read_features(tmp_path / "nan.npy", FeatureConfig())
    (tmp_path / "text.npy").write_text("hello")
    with pytest.raises(DataError, match=r"not an \.npy file"):
        read_features(tmp_path / "text.npy", FeatureConfig())


def test_normalised_features_have_mean_0_and_variance_1(tmp_path: Path) -> None:
    parts = [np.random.default_rng(n).normal(5, 3, (50 + n, 4)).astype(np.float32) for n in range(3)]
    parts = [np.concatenate([part, np.ones((len(part), 1), np.float32)], 1) for part in parts]
    Normalisation.of(*parts).save(tmp_path / "statistics.json")
    normalised = Normalisation.load(tmp_path / "statistics.json")(np.concatenate(parts))
    assert np.allclose(normalised.mean(0), 0, atol=1e-5)
    assert np.allclose(normalised.std(0), [1, 1, 1, 1, 0], atol=1e-4)  # what never changes stays 0
    (tmp_path / "statistics.json").write_text('{"mean": [1]}')
    with pytest.raises(DataError, match="cannot be read"):
        Normalisation.load(tmp_path / "statistics.json")


def test_spec_augment_blanks_out_spans_and_bands() -> None:
    config = AugmentationConfig(time_masks=2, time_mask_frames=10, frequency_masks=1, frequency_mask_bins=4)
    ones = np.ones((100, 20), np.float32)
    drawn = [blank_out(ones, config, np.random.default_rng(seed)) for seed in range(20)]
    assert (ones == 1).all()
    assert np.array_equal(drawn[3], blank_out(ones, config, np.random.default_rng(3)))
    for masked in drawn:
        assert set(np.unique(masked)) <= {0.0, 1.0}
        assert (masked == 0).all(axis=1).sum() <= 20
        assert (masked == 0).all(axis=0).sum() <= 4
    assert len({masked.tobytes() for masked in drawn}) > 10


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"frame_shift": 0.01}, "between 1 and 1000 are needed, not 0.01; 0.01 s are 10"),
        ({"frame_length": 0.025}, "between 1 and 1000 are needed, not 0.025; 0.025 s are 25"),
        ({"frame_shift": 5000.0}, "between 1 and 1000"),
        ({"frame_length": -25.0}, "between 1 and 1000"),
        ({"frame_length": float("nan")}, "between 1 and 1000"),
        ({"frame_shift": float("inf")}, "between 1 and 1000"),
        ({"num_filters": 128}, "frames of 25 ms at 16000 Hz are enough for"),
        ({"num_filters": 10**9}, "are enough for"),
        ({"num_filters": 40, "frame_length": 5.0}, "frames of 5 ms"),
        ({"frame_length": 1.0, "sample_rate": 4000}, "are enough for"),
        ({"sample_rate": 16}, "4000"),
    ],
)
def test_settings_that_make_no_features_are_refused_with_their_range(settings: dict[str, float], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        FeatureConfig.model_validate(settings)


@pytest.mark.parametrize("sample_rate", [4000, 8000, 16000, 44100])
@pytest.mark.parametrize("frame_length", [2.5, 10.0, 25.0, 100.0])
def test_as_many_filters_are_allowed_as_kaldi_can_make(sample_rate: int, frame_length: float) -> None:
    for num_filters in (4, 23, 40, 64, 80, 100, 128):
        values = {**FeatureConfig().model_dump(), "sample_rate": sample_rate, "frame_length": frame_length}
        unchecked = FeatureConfig.model_construct(**{**values, "num_filters": num_filters})
        try:
            FeatureStream(unchecked)
        except ValueError:
            with pytest.raises(ValidationError, match="are enough for"):
                FeatureConfig.model_validate(unchecked.model_dump())
        else:
            FeatureConfig.model_validate(unchecked.model_dump())


def write_mp3(path: Path, samples: np.ndarray, rate: int) -> bytes:
    options = {"format": "MP3", "subtype": "MPEG_LAYER_III", "bitrate_mode": "VARIABLE", "compression_level": 0.2}
    with soundfile.SoundFile(path, "w", rate, 1 if samples.ndim == 1 else samples.shape[1], **options) as file:
        file.write(samples)
    return path.read_bytes()


def without_length(content: bytes) -> bytes:
    """Its frames but the first, whose tag tells the length."""
    place = max(content.find(b"Xing"), content.find(b"Info"))
    return content[content.index(content[:2], place) :]


@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (16000, 2), (44100, 1), (44100, 2), (8000, 1)])
@pytest.mark.parametrize("tag", [b"", b"ID3\x04\x00\x00\x00\x00\x01\x00" + bytes(128)])
def test_an_mp3_without_a_length_is_read_to_its_end(tmp_path: Path, rate: int, channels: int, tag: bytes) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (3 * rate, channels))
    samples = np.concatenate([noise, np.zeros((3 * rate, channels))])  # frames become short: the estimate is too
    whole = write_mp3(tmp_path / "whole.mp3", samples, rate)
    assert len(read_audio(tmp_path / "whole.mp3", 8000)) == 6 * 8000
    (tmp_path / "bare.mp3").write_bytes(tag + without_length(whole))
    with soundfile.SoundFile(tmp_path / "bare.mp3") as file:
        assert file.frames < 5 * rate or file.frames > 7 * rate  # what it is taken for
    assert len(read_audio(tmp_path / "bare.mp3", 8000)) == pytest.approx(6 * 8000, abs=2000)
    assert sound_seconds(tmp_path / "bare.mp3") == pytest.approx(6, abs=0.25)
    assert len(read_audio(tmp_path / "bare.mp3", 8000, start=5.0, end=5.5)) == 4000
    (tmp_path / "two.mp3").write_bytes(whole + whole)
    assert len(read_audio(tmp_path / "two.mp3", 8000)) == pytest.approx(12 * 8000, abs=4000)


@pytest.mark.parametrize(
    ("container", "subtype"), [("WAV", "GSM610"), ("WAV", "G721_32"), ("AU", "G721_32"), ("WAV", "IMA_ADPCM")]
)
def test_sound_that_cannot_be_sought_in_is_read_too(tmp_path: Path, container: str, subtype: str) -> None:
    path = tmp_path / "a.sound"
    soundfile.write(path, np.sin(np.arange(32000) / 20) / 2, 16000, format=container, subtype=subtype)
    whole = read_audio(path, 16000)
    assert len(whole) == pytest.approx(32000, abs=600)
    assert np.array_equal(read_audio(path, 16000, start=0.5, end=1.25), whole[8000:20000])


def test_raw_samples_and_files_that_were_cut_off_are_said(tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(bytes(1000))
    with pytest.raises(DataError, match="raw samples do not say their rate"):
        read_audio(tmp_path / "a.raw", 16000)
    soundfile.write(tmp_path / "a.wav", np.ones(32000) / 9, 16000)
    content = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(content[:32044])
    with pytest.raises(DataError, match="50% of the sound is missing"):
        read_audio(tmp_path / "cut.wav", 16000)
    (tmp_path / "streamed.wav").write_bytes(content.replace(b"data" + content[40:44], b"data\xff\xff\xff\xff"))
    assert len(read_audio(tmp_path / "streamed.wav", 16000)) == 32000


def test_a_stretch_beyond_the_sound_and_a_channel_that_is_not_there_are_said(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.stack([np.full(16000, 0.1), np.full(16000, 0.3)], 1), 16000)
    assert read_audio(path, 16000, channel=1)[100] == pytest.approx(0.3, abs=1e-3)
    assert read_audio(path, 16000)[100] == pytest.approx(0.2, abs=1e-3)
    with pytest.raises(DataError, match="no channel 2; it has 2, counted from 0"):
        read_audio(path, 16000, channel=2)
    with pytest.raises(DataError, match=r"from 0.5 s to 1.5 s, and the sound ends at 1.00 s"):
        read_audio(path, 16000, start=0.5, end=1.5)


def spans(config: AugmentationConfig, num_frames: int, num_bins: int, axis: int) -> set[tuple[int, int]]:
    """Where a single mask begins and ends, by many seeds; (0, 0) where it has no width."""
    features = np.arange(1, num_frames * num_bins + 1, dtype=np.float32).reshape(num_frames, num_bins)
    found = set()
    for seed in range(400):
        masked = blank_out(features, config, np.random.default_rng(seed))
        places = np.flatnonzero((masked == 0).all(axis=1 - axis)).tolist()
        expected = features.copy()
        expected[(slice(None),) * axis + (places,)] = 0
        assert np.array_equal(masked, expected), "what is not masked is as it was"
        assert places == list(range(places[0], places[-1] + 1)) if places else True
        found.add((places[0], places[-1] + 1) if places else (0, 0))
    return found


def all_spans(size: int, longest: int) -> set[tuple[int, int]]:
    return {(0, 0)} | {(start, start + width) for width in range(1, longest + 1) for start in range(size - width + 1)}


@pytest.mark.parametrize(("longest", "reached"), [(2, 2), (3, 3), (40, 3)])
def test_a_span_of_time_is_anywhere_and_a_quarter_of_the_utterance_at_most(longest: int, reached: int) -> None:
    config = AugmentationConfig(time_masks=1, time_mask_frames=longest)
    assert spans(config, 12, 2, axis=0) == all_spans(12, reached)
    assert spans(config, 15, 2, axis=0) == all_spans(15, reached)


@pytest.mark.parametrize(("longest", "reached"), [(2, 2), (5, 5), (40, 5)])
def test_a_band_is_anywhere_and_all_of_the_features_at_most(longest: int, reached: int) -> None:
    config = AugmentationConfig(frequency_masks=1, frequency_mask_bins=longest)
    assert spans(config, 3, 5, axis=1) == all_spans(5, reached)


def test_an_utterance_too_short_for_a_mask_and_a_setting_without_masks_change_nothing() -> None:
    features = np.ones((3, 2), np.float32)
    for config in (AugmentationConfig(time_masks=5), AugmentationConfig()):
        assert np.array_equal(blank_out(features, config, np.random.default_rng(0)), features)


def test_statistics_are_of_all_frames_whatever_the_parts() -> None:
    rows = np.array([[1.0, 5.0], [3.0, 5.0], [8.0, 5.0]], np.float32)
    found = Normalisation.of(rows[:1], rows[1:])
    assert found.mean.tolist() == [4.0, 5.0]
    assert found.deviation[0] == pytest.approx((26 / 3) ** 0.5)
    assert found.deviation[1] == pytest.approx(1e-5)
    assert found(rows)[:, 1].tolist() == [0.0, 0.0, 0.0]
    assert np.array_equal(Normalisation.identity(2)(rows), rows)


@pytest.mark.parametrize(
    "text", ['{"mean": [1, 2], "deviation": [1]}', '{"mean": [[1]], "deviation": [[1]]}', "5", "{"]
)
def test_statistics_that_do_not_fit_each_other_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "statistics.json").write_text(text)
    with pytest.raises(DataError, match=r"statistics\.json: the feature statistics cannot be read"):
        Normalisation.load(tmp_path / "statistics.json")


def test_the_greatest_draws_blank_out_the_end_in_full_width() -> None:
    greatest: Any = SimpleNamespace(integers=lambda low, high: high - 1)
    config = AugmentationConfig(time_masks=1, time_mask_frames=2, frequency_masks=1, frequency_mask_bins=3)
    masked = blank_out(np.ones((12, 5), np.float32), config, greatest)
    assert (masked == 0).all(axis=1).tolist() == [False] * 10 + [True] * 2
    assert (masked == 0).all(axis=0).tolist() == [False] * 2 + [True] * 3
