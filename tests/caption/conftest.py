"""Toy captioners."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch


@pytest.fixture
def build_caption(toy_captions: Path, tmp_path: Path, toys: dict[str, tuple[str, list[str]]]) -> Callable[..., Any]:
    """Builds a toy captioner from overrides; each call from the same seed."""
    from lstmdrop.commands.settings import resolve_config
    from lstmdrop.discovery import load_plugin

    plugin = load_plugin("caption")

    def build(*overrides: str, data: Path = toy_captions) -> Any:
        config = resolve_config(plugin, "tiny", str(data), overrides=[*toys["caption"][1], *overrides])
        assets = tmp_path / "assets" / config.sha256()[:16]
        assets.mkdir(parents=True, exist_ok=True)
        return plugin.build(config, assets, torch.device("cpu"), None)

    return build
