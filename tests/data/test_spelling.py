"""One letter in different code points is told from another letter, in texts and in the names of files."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from lstmdrop.data.spelling import Spellings, first_oddity, on_disk, other_form
from lstmdrop.data.store import build_store
from lstmdrop.data.tokenizer import train_tokenizer

WORDS = ["café", "Việt", "한국", "কোন", "சொல்", "Ёлка", "Ångström", "שָׁלוֹם", "ガス"]
TWICE = [(unicodedata.normalize("NFC", word), unicodedata.normalize("NFD", word)) for word in WORDS]
BENGALI = ("\u09df", "\u09af\u09bc")
"""One letter that no form composes."""


@pytest.mark.parametrize("pair", [*(pair for pair in TWICE if pair[0] != pair[1]), BENGALI])
def test_a_letter_that_is_written_in_two_ways_is_said_with_both_places(pair: tuple[str, str]) -> None:
    for first, second in (pair, pair[::-1]):
        lines = [(f"the {first}", "a.txt:1"), (f"{first} again", "a.txt:2"), (f"a {second}", "b.txt:7")]
        assert first_oddity(lines[:2]) == []
        (told,) = first_oddity([*lines, (second, "b.txt:8")])
        assert told.startswith("b.txt:7: ")
        assert "in a.txt:1: one letter in different code points" in told
        assert "uconv -x nfc, or python -X utf8 -c " in told


def test_text_in_one_form_is_not_remarked_on() -> None:
    for form in ("NFC", "NFD"):
        lines = [(unicodedata.normalize(form, line), "a") for line in (*WORDS, "naïve façade", "中文 a\u0301x x\u0302")]
        assert first_oddity([*lines, *lines]) == []
    assert Spellings().oddity("plain", "a") == ""


@pytest.mark.parametrize("kind", ["word", "character", "bpe"])
@pytest.mark.parametrize(("form", "other"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_text_in_another_form_than_that_of_training_is_said_with_its_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str, form: str, other: str
) -> None:
    text, same, differing = (tmp_path / name for name in ("train.txt", "valid.txt", "test.txt"))
    text.write_text(unicodedata.normalize(form, "the café was très cher\n" * 20), encoding="utf-8")  # type: ignore[arg-type]
    same.write_text(unicodedata.normalize(form, "the cat\nœuf 中 cher café\n"), encoding="utf-8")  # type: ignore[arg-type]
    differing.write_text(unicodedata.normalize(other, "the cat\nœuf 中 cher\ncafé\n"), encoding="utf-8")  # type: ignore[arg-type]
    tokenizer = train_tokenizer(kind, text)  # type: ignore[arg-type]
    for path in (text, same, differing):
        build_store(path, tokenizer, tmp_path / "cache")
    (told,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert told.startswith(f"{differing}:3: ")
    assert f"convert the text: uconv -x {form.lower()}, or" in told


def test_letters_that_are_unknown_in_every_form_are_no_oddity() -> None:
    assert other_form("ação", frozenset({"é", "ö"})) == ""
    assert other_form("ação", frozenset()) == ""
    assert other_form("cafe\u0301", frozenset({"é"}))
    assert other_form("x\u0302 é", frozenset({"é"})) == ""


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        return path

    return write


@pytest.mark.parametrize(
    ("there", "named"),
    [
        ("cafe\u0301.jpg", "caf\u00e9.jpg"), ("a.JPG", "a.jpg"), ("a.jpg", "a.JPG"),
        ("caf\u00e9.jpg", "cafe\u0301.jpg"), ("e\u0301te\u0301.WAV", "\u00e9t\u00e9.wav"),
        ("mes e\u0301te\u0301s/a.Png", "mes \u00e9t\u00e9s/a.png"),
        ("\u1112\u1161\u11ab", "\ud55c"),
    ],
)  # fmt: skip
def test_a_file_is_found_under_the_other_spelling_of_its_name(
    tmp_path: Path, file: Callable[..., Path], there: str, named: str
) -> None:
    path = file(there)
    assert on_disk(tmp_path / named).samefile(path)
    assert on_disk(path) == path


def test_a_file_of_that_very_name_comes_first_and_another_is_never_guessed(
    tmp_path: Path, file: Callable[..., Path]
) -> None:
    for name in ("a.jpg", "a.JPG", "B.jpg"):
        file(name)
    for name in ("a.jpg", "a.JPG", "a.Jpg", "b.jpg", "c.jpg", "none/a.jpg", "x" * 300, "a\0b"):
        assert on_disk(tmp_path / name) == tmp_path / name
    file("c.JPG")
    assert on_disk(tmp_path / "c.jpg") == tmp_path / "c.JPG"
