"""A toy language pair: French word for English word, in the opposite order."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

WORDS = {
    "one": "un", "two": "deux", "red": "rouge", "house": "maison", "cat": "chat", "sees": "voit", "sleeps": "dort"
}  # fmt: skip
TOY = (
    "data.pair=en-fr", "data.tokens=word", "data.joint=false", "model.hidden_size=16", "model.embedding_size=16",
    "regularizer.rule=zaremba", "regularizer.dropout=0.2", "training.batch_tokens=60", "training.epochs=2",
    "training.log_every=5", "training.label_smoothing=0.1", "decoding.beam_size=2",
)  # fmt: skip


def write_pairs(folder: Path, train: int = 40, valid: int = 6, test: int = 6, seed: int = 0) -> Path:
    folder.mkdir()
    choose = random.Random(seed)
    for split, num_pairs in (("train", train), ("valid", valid), ("test", test)):
        english = [choose.choices(list(WORDS), k=choose.randint(1, 6)) for _ in range(num_pairs)]
        french = [[WORDS[word] for word in reversed(words)] for words in english]
        for language, sentences in (("en", english), ("fr", french)):
            text = "".join(" ".join(words) + "\n" for words in sentences)
            (folder / f"{split}.{language}").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def toy_pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a few pairs; not to be changed."""
    return write_pairs(tmp_path_factory.mktemp("pairs") / "toy")


@pytest.fixture
def build_mt(toy_pairs: Path, tmp_path: Path) -> Callable[..., Any]:
    """Builds a toy translator from overrides; each call from the same seed and vocabulary."""
    from lstmdrop.commands.settings import resolve_config
    from lstmdrop.discovery import load_plugin

    plugin = load_plugin("mt")

    def build(*overrides: str, data: Path = toy_pairs) -> Any:
        config = resolve_config(plugin, "tiny", str(data), overrides=[*TOY, *overrides])
        tokens = "-".join(str(value) for value in (config.data.tokens, config.data.joint, config.data.vocabulary_size))
        assets = tmp_path / "assets" / data.name / tokens
        assets.mkdir(parents=True, exist_ok=True)
        return plugin.build(config, assets, torch.device("cpu"), None)

    return build
