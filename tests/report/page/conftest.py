"""Run folders as training leaves them, and a real browser to look at what is made of them."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

RunWriter = Callable[..., Path]


def write_run(directory: Path, rule: str = "zaremba", seed: int = 1, epochs: int = 13, **fields: Any) -> Path:
    """A language-model run that overfits, more so without dropout."""
    directory.mkdir(parents=True)
    floor, drop = (110.0, 60.0) if rule == "none" else (98.0, 25.0)
    valid = [floor + seed + 90 / epoch for epoch in range(1, epochs + 1)]
    training = [math.log(floor - drop + 200 / epoch) for epoch in range(1, epochs + 1)]
    signature = "tokens:{}|vocabulary:10000|stream:single|data:c9fe6985fe0d|version:0.1.0"
    rows = [
        {"split": split, "name": "perplexity", "value": value, "higher_is_better": False,
         "signature": signature.format(tokens)}
        for split, value, tokens in (("valid", valid[-1], 73759), ("test", valid[-1] - 4, 82429))
    ]  # fmt: skip
    result = {
        "task": "lm", "data": "ptb", "size": "small", "regularizer": rule, "seed": seed, "scores": rows,
        "num_parameters": 4653200, "train_seconds": 3208.4, "epochs": epochs, "version": "0.1.0", "git": "abcdef123456",
    } | fields  # fmt: skip
    config = {
        "task": "lm", "size": "small", "seed": seed, "data": {"name": "ptb"},
        "regularizer": {"rule": rule, "dropout": 0.2}, "training": {"epochs": epochs, "rate": 1.0},
    }  # fmt: skip
    log = [
        {"event": "evaluated", "epoch": epoch, "split": "valid", "scores": [{**rows[0], "value": value}],
         "training_loss": loss, "is_best": True}
        for epoch, (value, loss) in enumerate(zip(valid, training, strict=True), start=1)
    ]  # fmt: skip
    (directory / "result.json").write_text(json.dumps(result), encoding="utf-8")
    (directory / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (directory / "log.jsonl").write_text("".join(json.dumps(event) + "\n" for event in log), encoding="utf-8")
    return directory


@pytest.fixture(scope="session")
def make_run() -> RunWriter:
    """Writes a run: a directory, a rule, a seed, epochs, and other fields of its result."""
    return write_run


EXAMPLE = {
    "text": "un chat rouge voit",
    "source": "a red cat sleeps now",
    "source_tokens": ["a", "red", "cat", "sleeps", "<eos>"],
    "references": ["un chat rouge dort maintenant"],
    "hypotheses": [{"tokens": ["un", "chat", "rouge", "voit"], "attention": [[0.2] * 5] * 4}],
}


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rules with three seeds each, one of them with examples; not to be changed."""
    folder = tmp_path_factory.mktemp("runs")
    for rule in ("none", "zaremba"):
        for seed in (1, 2, 3):
            write_run(folder / f"{rule}-s{seed}", rule, seed)
    (folder / "zaremba-s1/examples.jsonl").write_text(json.dumps(EXAMPLE) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium as the system has it."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    binary = next(filter(None, map(shutil.which, BROWSERS)), None)
    if binary is None:
        pytest.skip("there is no Chromium here (Debian: apt-get install chromium): the page is not looked at")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=binary, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where pictures of the page are kept for a look at them."""
    folder = Path(os.environ.get("LSTMDROP_SCREENSHOTS", ROOT / "build/screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
