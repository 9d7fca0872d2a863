"""Toy recognisers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from lstmdrop_tasks.asr.corpora.demo import write_split

RATE = 16000


@pytest.fixture
def build_asr(toy_speech: Path, tmp_path: Path, toys: dict[str, tuple[str, list[str]]]) -> Callable[..., Any]:
    """Builds a toy recogniser from overrides; each call from the same seed."""
    from lstmdrop.plugin import load_plugin
    from lstmdrop.settings import resolve_config

    plugin = load_plugin("asr")

    def build(*overrides: str, data: Path = toy_speech) -> Any:
        config = resolve_config(plugin, "tiny", str(data), overrides=[*toys["asr"][1], *overrides])
        assets = tmp_path / "assets" / config.sha256()[:16]
        assets.mkdir(parents=True, exist_ok=True)
        return plugin.build(config, assets, torch.device("cpu"), None)

    return build


@pytest.fixture(scope="session")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few utterances of the demo's voices."""
    folder = tmp_path_factory.mktemp("spoken")
    for seed, split in enumerate(("train", "valid", "test")):
        write_split(folder, split, 2, 2, seed)
    return folder


@pytest.fixture
def build_spoken(build_asr: Callable[..., Any], spoken: Path) -> Callable[..., Any]:
    """Callable[..., Any]s a recogniser of sound, sharpened so that it says something."""

    def build(*overrides: str) -> Any:
        task = build_asr("features.num_filters=12", *overrides, data=spoken)
        with torch.no_grad():
            task.model.softmax.weight *= 20
        task.model.eval()
        return task

    return build


def tone(seconds: float = 0.3, rate: int = RATE, seed: int = 0) -> np.ndarray:
    """A noisy tone."""
    times = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(seed).standard_normal(len(times))
    return (0.3 * np.sin(2 * np.pi * 440 * times) + 0.01 * noise).astype(np.float32)


@pytest.fixture
def write_tone(tmp_path: Path) -> Callable[..., Path]:
    """Writes a short sound file, by its name below the test's folder."""

    def write(name: str, seconds: float = 0.3, rate: int = RATE, channels: int = 1, seed: int = 0) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        samples = np.stack([tone(seconds, rate, seed)] * channels, axis=1)
        soundfile.write(path, samples, rate, **({"format": "OGG", "subtype": "OPUS"} if name.endswith("opus") else {}))
        return path

    return write
