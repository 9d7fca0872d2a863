"""WMT 2014 on the command line: from archives to a score, and what is said without them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]


@pytest.fixture(scope="module")
def small(toys: dict[str, tuple[str, list[str]]]) -> list[str]:
    """Options that make a translator of WMT 2014 a toy."""
    settings = [
        *toys["mt"][1],
        "training.epochs=1",
        "training.batch_tokens=600",
        "data.vocabulary_size=50",
        "data.max_length=14",
    ]
    return ["--size", "tiny", "--data", "wmt14", *(part for setting in settings for part in ("--set", setting))]


@pytest.fixture(scope="module")
def trained(
    lstmdrop: Command, wmt14_archives: Path, small: list[str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Any]:
    """A run on the archives, and what was printed."""
    out = tmp_path_factory.mktemp("runs") / "wmt14"
    return out, lstmdrop("train", "mt", *small, "--data-dir", wmt14_archives.parent, "--out", out)


def test_archives_are_trained_on_and_scored_end_to_end(
    lstmdrop: Command, trained: tuple[Path, Any], wmt14_archives: Path
) -> None:
    directory, (code, scores, messages) = trained
    assert code == 0
    bleu = re.search(r"^test bleu \d+\.\d{4}$", scores, re.MULTILINE)
    assert bleu is not None
    assert re.search(r"^dropped +train: .*\d+ duplicate", messages, re.MULTILINE)
    assert re.search(r"^split +newstest2012 and newstest2013 for valid, newstest2014", messages, re.MULTILINE)
    assert len((directory / "predictions.txt").read_text(encoding="utf-8").splitlines()) == 30
    again = lstmdrop("eval", "mt", "--run", directory, "--data", "wmt14", "--data-dir", wmt14_archives.parent)
    assert again.code == 0
    assert again.output.startswith(f"{bleu.group()}  ")


@pytest.mark.parametrize("verb", ["train", "eval"])
def test_without_archives_it_says_what_is_missing_how_large_and_where_it_goes(
    lstmdrop: Command,
    trained: tuple[Path, Any],
    small: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
) -> None:
    monkeypatch.setenv("LSTMDROP_DATA", str(tmp_path / "nowhere"))
    options = [*small, "--out", tmp_path / "other"] if verb == "train" else ["--run", trained[0], "--data", "wmt14"]
    code, output, messages = lstmdrop(verb, "mt", *options)
    assert (code, output) == (4, "")
    assert f"not in {tmp_path / 'nowhere' / 'wmt14'}: training-parallel-europarl-v7.tgz (0.7 GB)" in messages
    assert "dev.tgz, test-full.tgz, 6.6 GB in all" in messages
    assert "lstmdrop data prepare wmt14" in messages
    assert len(messages.splitlines()) <= 2
    assert not (tmp_path / "other").exists()
