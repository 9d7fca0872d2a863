"""Toy translators."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch


@pytest.fixture
def build_mt(toy_pairs: Path, tmp_path: Path, toys: dict[str, tuple[str, list[str]]]) -> Callable[..., Any]:
    """Builds a toy translator from overrides; each call from the same seed and vocabulary."""
    from lstmdrop.commands.settings import resolve_config
    from lstmdrop.discovery import load_plugin

    plugin = load_plugin("mt")

    def build(*overrides: str, data: Path = toy_pairs) -> Any:
        config = resolve_config(plugin, "tiny", str(data), overrides=[*toys["mt"][1], *overrides])
        tokens = "-".join(str(value) for value in (config.data.tokens, config.data.joint, config.data.vocabulary_size))
        assets = tmp_path / "assets" / data.name / tokens
        assets.mkdir(parents=True, exist_ok=True)
        return plugin.build(config, assets, torch.device("cpu"), None)

    return build
