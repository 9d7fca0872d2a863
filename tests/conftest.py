"""Shapes of public tensor arguments are checked while the tests run; the toy data needs no network."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from jaxtyping import install_import_hook

install_import_hook(["lstmdrop.nn", "lstmdrop.decoding", "lstmdrop_tasks.lm.model"], "beartype.beartype")
torch.set_num_threads(1)  # toy tensors: more threads only wait for each other

TOY = (
    "data.min_count=1", "model.num_layers=2", "model.hidden_size=8", "model.init_bound=0.3",
    "regularizer.rule=zaremba", "regularizer.dropout=0.5", "training.optimizer=sgd", "training.rate=0.5",
    "training.decay_after=6", "training.decay=1.5", "training.clip=5.0", "training.batch_size=4",
    "training.num_steps=5", "training.epochs=2", "training.log_every=7",
)  # fmt: skip
"""Every setting that a preset makes, so that a better preset changes no test."""

SUBJECTS = ["the cat", "a dog", "my neighbour", "the old king", "nobody", "one small bird", "her sister"]
VERBS = ["sees", "hears", "likes", "follows", "paints", "forgets"]
OBJECTS = ["the moon", "a river", "two stones", "the long road", "music", "an apple", "winter", "the sea"]


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LSTMDROP_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        yield


@pytest.fixture
def shared_data() -> Path:
    """The real datasets, where this machine has them."""
    folder = os.environ.get("LSTMDROP_DATA")
    if not folder:
        pytest.skip("LSTMDROP_DATA is not set: the real data is not here")
    return Path(folder)


def write_corpus(folder: Path, train: int = 60, valid: int = 12, test: int = 12, seed: int = 0) -> Path:
    """A folder of three small texts of so many lines each."""
    folder.mkdir()
    choose = random.Random(seed).choice
    for split, num_lines in (("train", train), ("valid", valid), ("test", test)):
        lines = [f"{choose(SUBJECTS)} {choose(VERBS)} {choose(OBJECTS)}" for _ in range(num_lines)]
        (folder / f"{split}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def make_corpus(tmp_path: Path) -> Callable[..., Path]:
    """Writes a corpus of one's own: a name, the number of lines of each split, and a seed can be chosen."""
    return lambda name, **lines: write_corpus(tmp_path / name, **lines)


@pytest.fixture(scope="session")
def toy_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text of some 370 words for training, 70 for validation and 70 for the test; not to be changed."""
    return write_corpus(tmp_path_factory.mktemp("corpora") / "toy")


@pytest.fixture(scope="session")
def toy_settings() -> list[str]:
    """Overrides that make a preset of the language model a toy."""
    return list(TOY)


@pytest.fixture
def build_lm(toy_corpus: Path, tmp_path: Path) -> Callable[..., Any]:
    """Builds a toy language model from overrides; each call from the same seed and vocabulary."""
    from lstmdrop.commands.settings import resolve_config
    from lstmdrop.discovery import load_plugin

    plugin = load_plugin("lm")

    def build(*overrides: str, data: Path = toy_corpus) -> Any:
        config = resolve_config(plugin, "tiny", str(data), overrides=[*TOY, *overrides])
        assets = tmp_path / "assets" / data.name
        assets.mkdir(parents=True, exist_ok=True)
        return plugin.build(config, assets, torch.device("cpu"), None)

    return build
