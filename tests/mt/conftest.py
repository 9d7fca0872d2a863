"""Toy translators, and small archives in the layout in which WMT 2014 is published."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch


@pytest.fixture
def build_mt(toy_pairs: Path, tmp_path: Path, toys: dict[str, tuple[str, list[str]]]) -> Callable[..., Any]:
    """Builds a toy translator from overrides; each call from the same seed and vocabulary."""
    from lstmdrop.plugin import load_plugin
    from lstmdrop.settings import resolve_config

    plugin = load_plugin("mt")

    def build(*overrides: str, data: Path = toy_pairs) -> Any:
        config = resolve_config(plugin, "tiny", str(data), overrides=[*toys["mt"][1], *overrides])
        tokens = "-".join(str(value) for value in (config.data.tokens, config.data.joint, config.data.vocabulary_size))
        assets = tmp_path / "assets" / data.name / tokens
        assets.mkdir(parents=True, exist_ok=True)
        return plugin.build(config, assets, torch.device("cpu"), None)

    return build


@pytest.fixture(scope="session")
def generate_wmt14() -> ModuleType:
    """The script beside these tests that writes archives in WMT 2014's layout."""
    spec = importlib.util.spec_from_file_location("generate_wmt14", Path(__file__).parent / "generate_wmt14.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def wmt14_archives(generate_wmt14: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder ``wmt14`` with the seven archives, some 1,500 pairs of each training text; not to be changed."""
    folder = tmp_path_factory.mktemp("published") / "wmt14"
    generate_wmt14.write_training(folder, 1500, ("de", "fr"))
    generate_wmt14.write_news(folder, 30, ("de", "fr"))
    return folder
