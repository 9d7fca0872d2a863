"""Toy captioners."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from lstmdrop_tasks.caption.corpora.demo import corpus
from lstmdrop_tasks.caption.corpora.demo.corpus import demo_scenes


def write(path: Path, text: str = "") -> Path:
    """A text file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def write_images(folder: Path, names: Iterable[str]) -> None:
    """Files that are called like images, for those who only look whether they are there."""
    for name in names:
        write(folder / name)


@pytest.fixture
def few_scenes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A demo of twelve scenes in a cache of its own."""
    monkeypatch.setenv("LSTMDROP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(corpus, "SIZES", {"test": 3, "valid": 3, "train": 6})
    demo_scenes.cache_clear()
    yield
    demo_scenes.cache_clear()


@pytest.fixture
def build_caption(toy_captions: Path, tmp_path: Path, toys: dict[str, tuple[str, list[str]]]) -> Callable[..., Any]:
    """Builds a toy captioner from overrides; each call from the same seed."""
    from lstmdrop.plugin import load_plugin
    from lstmdrop.settings import resolve_config

    plugin = load_plugin("caption")

    def build(*overrides: str, data: Path = toy_captions) -> Any:
        config = resolve_config(plugin, "tiny", str(data), overrides=[*toys["caption"][1], *overrides])
        assets = tmp_path / "assets" / config.sha256()[:16]
        assets.mkdir(parents=True, exist_ok=True)
        return plugin.build(config, assets, torch.device("cpu"), None)

    return build
