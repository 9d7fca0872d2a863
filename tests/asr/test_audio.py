"""Laws of reading sound and of features."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from lstmdrop.errors import DataError
from lstmdrop_tasks.asr.audio.features import FeatureStream, compute_features, read_features, with_deltas
from lstmdrop_tasks.asr.audio.normalisation import Normalisation
from lstmdrop_tasks.asr.audio.reading import read_audio
from lstmdrop_tasks.asr.audio.specaugment import blank_out
from lstmdrop_tasks.asr.config import AugmentationConfig, FeatureConfig

Write = Callable[..., Path]
RATE = 16000


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
