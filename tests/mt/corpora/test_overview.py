"""What ``data info`` says of parallel texts: sizes, what comes again, what training has seen."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from lstmdrop.commands.data import describe_text
from lstmdrop_tasks.mt.corpora.overview import is_parallel

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


def sentences(start: int, number: int, language: str) -> list[str]:
    return [f"{WORDS[place % 10]} {WORDS[place // 10 % 10]} {language}" for place in range(start, start + number)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty pairs for training, ten and ten to score; two of the test were trained on, one with this translation."""
    sides = {language: sentences(0, 60, language) for language in ("en", "de")}
    sides["en"][50], sides["de"][50] = sides["en"][3].upper() + " !", "ganz anders"
    sides["en"][51], sides["de"][51] = sides["en"][4], sides["de"][4]
    sides["de"][7] = sides["en"][7]
    sides["en"][9], sides["de"][9] = sides["en"][8], sides["de"][8]
    sides["de"][10] = ""
    for language, lines in sides.items():
        for split, some in (("train", lines[:40]), ("dev", lines[40:50]), ("test", lines[50:])):
            (tmp_path / f"{split}.{language}.gz").write_bytes(gzip.compress(("\n".join(some) + "\n").encode()))
    return tmp_path


def test_a_parallel_text_is_described_with_what_training_has_seen(folder: Path) -> None:
    train, valid, test = list(describe_text(folder))[6:9]
    assert train == (
        f"{folder}, train: 40 pairs; de 2.9 words a sentence (at most 3), en 3.0 words a sentence (at most 3); "
        "1 pairs that came before; 1 pairs with an empty side; 1 pairs the same on both sides"
    )
    assert valid.startswith(f"{folder}, valid: 10 pairs; ")
    assert "in training too" not in valid
    assert "1 of its 10 sources are in training too, 1 with the same translation" in test


def test_of_more_languages_each_two_are_a_pair_and_rows_that_say_splits_are_split(folder: Path, tmp_path: Path) -> None:
    for split in ("train", "dev", "test"):
        (folder / f"{split}.fr.gz").write_bytes((folder / f"{split}.de.gz").read_bytes())
    said = [line for line in describe_text(folder) if line.startswith(f"{folder}, ")]
    assert [line.partition(": ")[0].rpartition(", ")[2] for line in said] == ["train", "valid", "test"] * 3
    assert "40 pairs the same on both sides" not in said[0]
    assert "39 pairs the same on both sides" in said[3], "German beside itself, one side empty"
    rows = [{"de": "eins", "en": "one", "split": "train"}, {"de": "zwei", "en": "one", "split": "val"}]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    train, valid = list(describe_text(path))[1:3]
    assert train.startswith(f"{path}, train: 1 pairs; de ")
    assert valid.endswith("de 100.0% and en 0.0% not in the training text")


def test_the_direction_does_not_matter_for_what_is_not_parallel(tmp_path: Path) -> None:
    for name, row in (
        ("captions.jsonl", {"image": "a.png", "captions": ["one", "two"], "split": "train"}),
        ("speech.jsonl", {"audio": "a.wav", "text": "one"}),
        ("text.jsonl", {"id": 1, "text": "one"}),
    ):
        (tmp_path / name).write_text(json.dumps(row) + "\n")
        assert not is_parallel(tmp_path / name), name
    (tmp_path / "pairs.jsonl").write_text(json.dumps({"translation": {"en": "one", "de": "eins"}}) + "\n")
    assert is_parallel(tmp_path / "pairs.jsonl")


def test_odd_rows_are_said_whatever_their_shape(tmp_path: Path) -> None:
    rows = [{"en": f"the {word} dogs are at the house", "de": f"the {word} dogs are at the house"} for word in WORDS]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = "\n".join(describe_text(path))
    assert "10 of 10 pairs are the same on both sides" in said
    rows = [{"de": f"the {word} dogs are at the house", "en": f"die {word} Hunde sind im Haus"} for word in WORDS]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "are they the other way round?" in "\n".join(describe_text(path))
