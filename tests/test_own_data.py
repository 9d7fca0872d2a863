"""The examples of docs/own-data.md: the files that a block shows are written, its commands run, their output held.

In a block, ``$ cat FILE`` shows a text (``$ zcat FILE`` and ``$ zstdcat FILE`` one that is compressed), ``$ ls FOLDER``
names sounds and images, which are made here, and the lines below ``$ lstmdrop ...`` stand in the command's output.
"""

from __future__ import annotations

import gzip
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from lstmdrop.data.archive import packing

PAGE = Path(__file__).parent.parent / "docs" / "own-data.md"
SOUNDS, IMAGES = (".wav", ".flac", ".ogg", ".mp3"), (".jpg", ".jpeg", ".png")


class Step(NamedTuple):
    """A line after a dollar, and what stands below it."""

    words: Sequence[str]
    below: Sequence[str]


def examples(text: str) -> Iterator[tuple[str, list[Step]]]:
    """The blocks, each with a name that says where it stands."""
    heading = ""
    for match in re.finditer(r"^## ([^\n]+)$|^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if match[1]:
            heading, number = match[1], 0
            continue
        number += 1
        first, *steps = re.split(r"^\$ ", match[2], flags=re.MULTILINE)
        assert not first, f"a block begins with a command: {first!r}"
        lines = [step.splitlines() for step in steps]
        yield f"{heading} {number}", [Step(shlex.split(words), below) for words, *below in lines]


EXAMPLES = dict(examples(PAGE.read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_of_the_page_is_read_as_it_stands(
    name: str, lstmdrop: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    commands = 0
    for words, below in EXAMPLES[name]:
        if words[0] == "lstmdrop":
            outcome = lstmdrop(*words[1:])
            assert outcome.code == 0, outcome.messages
            shown = (outcome.output + outcome.messages).splitlines()
            assert [line for line in below if line not in shown] == [], shown
            commands += 1
        else:
            make(*words, below)
    assert commands, "a block without a command tests nothing"


def make(program: str, path: str, below: Sequence[str]) -> None:
    """Write what ``$ cat FILE`` shows, or the sounds and images that ``$ ls FOLDER`` names."""
    if program == "ls":
        for name in " ".join(below).split():
            make_media(Path(path) / name)
        return
    content = "".join(f"{line}\n" for line in below).encode()
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    if program == "zcat":
        content = gzip.compress(content)
    elif program == "zstdcat":
        content = packing("zstd").compress(content)
    else:
        assert program == "cat", f"this test knows cat, zcat, zstdcat, ls and lstmdrop, not {program}"
    Path(path).write_bytes(content)


def make_media(path: Path) -> None:
    """A second of noise, or a small image of one colour."""
    rng = np.random.default_rng(sum(path.name.encode()))
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in SOUNDS:
        import soundfile

        soundfile.write(path, 0.1 * rng.standard_normal(16000), 16000)
    else:
        from PIL import Image

        assert path.suffix in IMAGES, f"{path.name}: this test makes {SOUNDS + IMAGES}"
        Image.new("RGB", (64, 64), tuple(rng.integers(256, size=3).tolist())).save(path)


def test_the_page_has_a_section_for_each_task() -> None:
    headings = re.findall(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == ["Language modelling", "Translation", "Speech", "Captions"]
    assert {"Language modelling", "Translation", "Speech"} <= {name.rpartition(" ")[0] for name in EXAMPLES}
