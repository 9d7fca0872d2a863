"""Laws of what ``data info`` says of images and captions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lstmdrop.commands.data import describe_text
from lstmdrop.errors import DataError


def draw(path: Path, number: int, size: tuple[int, int] = (20, 10)) -> None:
    pixels = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def entry(image: str, split: str, *captions: str) -> dict[str, object]:
    return {"image": image, "captions": list(captions), "split": split}


def jsonl(path: Path, entries: list[dict[str, object]]) -> Path:
    path.write_text("".join(f"{json.dumps(one)}\n" for one in entries), encoding="utf-8")
    return path


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Seven images, one of them damaged, one a copy of another; some captions stand in several places."""
    for number in range(5):
        draw(tmp_path / f"{number}.png", number)
    draw(tmp_path / "large.jpg", 9, (300, 200))
    (tmp_path / "5.png").write_bytes((tmp_path / "0.png").read_bytes())
    whole = (tmp_path / "1.png").read_bytes()
    (tmp_path / "1.png").write_bytes(whole[: len(whole) // 2])
    return jsonl(
        tmp_path / "captions.jsonl",
        [
            entry("0.png", "train", "A dog runs .", "A dog runs ."),
            entry("1.png", "train", "a cat"),
            entry("large.jpg", "train", "a very long caption of a cat"),
            entry("2.png", "valid", "a cat"),
            entry("3.png", "valid", "a zebra sleeps"),
            entry("4.png", "test", "A dog runs ."),
            entry("5.png", "test", "a dog"),
        ],
    )


def test_sizes_lengths_and_unknown_words_are_told(mine: Path) -> None:
    told = list(describe_text(mine))
    assert told[:4] == [
        f"{mine}: captions; split as given",
        "train: 3 images, 4 captions, 1 to 2 an image; 2 to 7 words, median 3; 8 different",
        "valid: 2 images, 2 captions, 1 an image; 2 to 3 words, median 2.5; 4 different, 40.00% unknown to train",
        "test: 2 images, 2 captions, 1 an image; 2 to 3 words, median 2.5; 3 different, 0.00% unknown to train",
    ]
    assert told[4] == "images: 5 PNG, 1 JPEG; median 20 x 10 pixels, smallest 20 x 10, largest 300 x 200"


def test_what_looks_wrong_is_told(mine: Path) -> None:
    folder, told = mine.parent, "\n".join(describe_text(mine))
    for line in (
        f"unreadable: 1 of 7 images, such as {folder / '1.png'}: damaged",
        f"copies: 1 images are another's picture, such as {folder / '5.png'} and {folder / '0.png'}",
        f"copies: 1 images of test are in train too, such as {folder / '5.png'}",
        "copies: 1 captions of valid are in train too, such as 'a cat'",
        "copies: 1 captions of test are in train too, such as 'A dog runs .'",
        "copies: 2 captions are of several images, such as 'a cat' of 2",
        "copies: 1 captions stand twice with their image",
    ):
        assert line in told


def test_captions_without_blanks_are_told_with_the_setting(mine: Path) -> None:
    entries = [json.loads(line) for line in mine.read_text(encoding="utf-8").splitlines()]
    jsonl(mine, [{**one, "captions": ["一只狗在草地上跑。"]} for one in entries])
    told = list(describe_text(mine))
    assert "8 to 8 words" in told[1]
    assert any("train with --set data.tokens=character; scores count characters" in line for line in told)


def test_what_looks_like_captions_and_is_damaged_is_refused(mine: Path, tmp_path: Path) -> None:
    mine.write_text(mine.read_text(encoding="utf-8") + "{\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"captions.jsonl:8: not JSON"):
        list(describe_text(mine))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "plain.jsonl").write_text('{"text": "a dog"}\n', encoding="utf-8")
    assert len(list(describe_text(tmp_path / "other" / "plain.jsonl"))) == 1
    (tmp_path / "other" / "plain.jsonl").rename(tmp_path / "other" / "plain.bin")
    with pytest.raises(DataError, match="holds no text"):
        list(describe_text(tmp_path / "other"))
