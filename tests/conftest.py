"""Shapes of public tensor arguments are checked while the tests run; the toy data needs no network."""

from __future__ import annotations

import io
import json
import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import settings
from jaxtyping import install_import_hook

install_import_hook(
    [
        "lstmdrop.nn",
        "lstmdrop.decoding",
        "lstmdrop_tasks.lm.adaptation",
        "lstmdrop_tasks.lm.model",
        "lstmdrop_tasks.mt.model",
        "lstmdrop_tasks.asr.model",
        "lstmdrop_tasks.caption.images",
        "lstmdrop_tasks.caption.model",
    ],
    "beartype.beartype",
)
torch.set_num_threads(1)  # toy tensors: more threads only wait for each other
settings.register_profile("busy", deadline=None)  # a machine that also does something else fails no test
settings.load_profile("busy")

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


@pytest.fixture(autouse=True)
def _switches_as_they_were() -> Iterator[None]:
    """Training flushes denormals in its whole process, which would fail tests of any floats after it."""
    yield
    from lstmdrop.training.device import reset_switches

    reset_switches()


class Outcome(NamedTuple):
    """Of a command."""

    code: int
    output: str
    messages: str


@pytest.fixture(scope="session")
def lstmdrop() -> Callable[..., Outcome]:
    """Runs a command in this process; ``settings`` are those of its option --set."""
    from lstmdrop.cli import main

    def command(*arguments: object, settings: Sequence[str] = ()) -> Outcome:
        output, messages, code = io.StringIO(), io.StringIO(), 0
        with redirect_stdout(output), redirect_stderr(messages):
            try:
                main([*map(str, arguments), *(part for setting in settings for part in ("--set", setting))])
            except SystemExit as end:
                code = int(end.code or 0)
        return Outcome(code, output.getvalue(), messages.getvalue())

    return command


@pytest.fixture
def shared_data() -> Path:
    """The real datasets, where this machine has them."""
    folder = os.environ.get("LSTMDROP_DATA")
    if not folder:
        pytest.skip("LSTMDROP_DATA is not set: the real data is not here")
    return Path(folder)


WORDS = {
    "one": "un", "two": "deux", "red": "rouge", "house": "maison", "cat": "chat", "sees": "voit", "sleeps": "dort"
}  # fmt: skip
TOY_MT = (
    "data.pair=en-fr", "data.tokens=word", "data.joint=false", "model.hidden_size=16", "model.embedding_size=16",
    "regularizer.rule=zaremba", "regularizer.dropout=0.2", "training.batch_tokens=60", "training.epochs=2",
    "training.log_every=5", "training.label_smoothing=0.1", "decoding.beam_size=2",
)  # fmt: skip


TOY_ASR = (
    "features.normalisation=global", "model.hidden_size=8", "model.num_layers=2", "model.bidirectional=true",
    "model.stack=3", "model.stride=2", "model.init_bound=0.3", "regularizer.rule=zaremba", "regularizer.dropout=0.2",
    "training.batch_frames=150", "training.rate=0.02", "training.epochs=2", "training.log_every=5",
    "decoding.beam_size=1",
)  # fmt: skip


COLOURS, THINGS = ("red", "green", "blue"), ("ball", "box", "tree", "star")
TOY_CAPTION = (
    "images.encoder=features", "data.min_count=1", "model.architecture=attend", "model.hidden_size=12",
    "model.num_layers=2", "model.tied=false", "regularizer.rule=zaremba", "regularizer.dropout=0.2",
    "training.batch_tokens=60", "training.rate=0.01", "training.epochs=2", "training.log_every=5",
    "decoding.beam_size=2",
)  # fmt: skip


def write_captions(folder: Path, train: int = 24, valid: int = 5, test: int = 5, seed: int = 0) -> Path:
    """Maps of four places with seven channels: a thing in its colour at one of them, and two captions of it."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    colours, things = rng.standard_normal((len(COLOURS), 7)), rng.standard_normal((len(THINGS), 7))
    lines = []
    for split, num_images in (("train", train), ("valid", valid), ("test", test)):
        for number in range(num_images):
            colour, thing, name = rng.integers(len(COLOURS)), rng.integers(len(THINGS)), f"{split}{number}.npy"
            features = 0.1 * rng.standard_normal((4, 7))
            features[rng.integers(4)] += colours[colour] + things[thing]
            np.save(folder / name, features.astype(np.float32))
            what = f"{COLOURS[colour]} {THINGS[thing]}"
            captions = [f"A {what}.", f"There is a {what} here ."]
            lines.append(json.dumps({"image": name, "captions": captions, "split": split}) + "\n")
    (folder / "captions.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


def write_speech(folder: Path, train: int = 24, valid: int = 5, test: int = 5, seed: int = 0) -> Path:
    """Manifests of precomputed features: each letter is a few frames of a pattern of its own, aligned in a CTM."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    patterns = {letter: rng.standard_normal(6) for letter in "abcd"} | {" ": np.zeros(6)}
    for split, num_utterances in (("train", train), ("valid", valid), ("test", test)):
        lines, ctm = [], []
        for number in range(num_utterances):
            name = f"{split}{number}"
            text = " ".join("".join(rng.choice(list("abcd"), rng.integers(1, 4))) for _ in range(rng.integers(1, 4)))
            spans = [(letter, int(rng.integers(4, 8))) for letter in text]
            start = 0
            for letter, length in spans:
                ctm.append(f"{name} 1 {start / 100:.2f} {length / 100:.2f} {letter.strip() or 'sil'}\n")
                start += length
            frames = np.concatenate([np.tile(patterns[letter], (length, 1)) for letter, length in spans])
            noisy = frames + 0.3 * rng.standard_normal(frames.shape)
            np.save(folder / f"{name}.npy", noisy.astype(np.float32))
            entry = {"id": name, "speaker": f"{split}-{number % 2}", "features": f"{name}.npy", "text": text.upper()}
            lines.append(json.dumps({**entry, "alignment": f"{split}.ctm"}) + "\n")
        (folder / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8")
        (folder / f"{split}.ctm").write_text("".join(ctm), encoding="utf-8")
    return folder


def write_pairs(folder: Path, train: int = 40, valid: int = 6, test: int = 6, seed: int = 0) -> Path:
    """French word for English word, in the opposite order."""
    folder.mkdir()
    choose = random.Random(seed)
    for split, num_pairs in (("train", train), ("valid", valid), ("test", test)):
        english = [choose.choices(list(WORDS), k=choose.randint(1, 6)) for _ in range(num_pairs)]
        french = [[WORDS[word] for word in reversed(words)] for words in english]
        for language, sentences in (("en", english), ("fr", french)):
            text = "".join(" ".join(words) + "\n" for words in sentences)
            (folder / f"{split}.{language}").write_text(text, encoding="utf-8")
    return folder


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


@pytest.fixture(scope="session")
def toy_pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a few sentence pairs; not to be changed."""
    return write_pairs(tmp_path_factory.mktemp("pairs") / "toy")


@pytest.fixture(scope="session")
def toy_speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a few utterances as features, with transcripts and alignments; not to be changed."""
    return write_speech(tmp_path_factory.mktemp("speech") / "toy")


@pytest.fixture(scope="session")
def toy_captions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of a few images, as features, and their captions; not to be changed."""
    return write_captions(tmp_path_factory.mktemp("captions") / "toy") / "captions.jsonl"


@pytest.fixture(scope="session")
def toys(toy_corpus: Path, toy_pairs: Path, toy_speech: Path, toy_captions: Path) -> dict[str, tuple[str, list[str]]]:
    """By task: data and overrides that make its tiny preset a toy."""
    return {
        "lm": (str(toy_corpus), list(TOY)),
        "mt": (str(toy_pairs), list(TOY_MT)),
        "asr": (str(toy_speech), list(TOY_ASR)),
        "caption": (str(toy_captions), list(TOY_CAPTION)),
    }


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, toys: dict[str, tuple[str, list[str]]]) -> Callable[[str], Path]:
    """The finished toy run of a task, made when it is first asked for; not to be changed."""
    from lstmdrop.commands.train import train

    runs: dict[str, Path] = {}

    def run(task: str) -> Path:
        if task not in runs:
            data, overrides = toys[task]
            few = [*overrides, "training.epochs=1"]
            out = tmp_path_factory.mktemp("runs") / task
            runs[task] = train(task, size="tiny", data=data, overrides=few, out=out).directory
        return runs[task]

    return run


@pytest.fixture
def build_lm(toy_corpus: Path, tmp_path: Path) -> Callable[..., Any]:
    """Builds a toy language model from overrides; each call from the same seed and vocabulary."""
    from lstmdrop.plugin import load_plugin
    from lstmdrop.settings import resolve_config

    plugin = load_plugin("lm")

    def build(*overrides: str, data: Path = toy_corpus, device: str = "cpu") -> Any:
        config = resolve_config(plugin, "tiny", str(data), overrides=[*TOY, *overrides])
        assets = tmp_path / "assets" / data.name
        assets.mkdir(parents=True, exist_ok=True)
        return plugin.build(config, assets, torch.device(device), None)

    return build


@pytest.fixture
def symbolic_sizes() -> Iterator[None]:
    """Without checks of types at run time: where a graph is made, sizes are symbols and no numbers."""
    from jaxtyping import config

    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)
