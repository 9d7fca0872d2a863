"""IWSLT 2014 from a small archive in the layout in which it is published."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lstmdrop.commands.data import prepare_dataset, verify_dataset
from lstmdrop.errors import DataError
from lstmdrop_tasks.mt.corpora.datasets import IWSLT14_TESTS
from lstmdrop_tasks.mt.corpora.find import find_corpus
from lstmdrop_tasks.mt.corpora.parallel import ParallelText

PairsOf = Callable[[ParallelText], list[tuple[str, str]]]

NUM_LINES = 100
TALK = """<url>http://www.ted.com/talks/{language}</url>
<keywords>talks, words</keywords>
<speaker>A Speaker</speaker>
<talkid>535</talkid>
<title>Title in {language}</title>
<description>TED Talk Subtitles in {language}: About it.</description>
{lines}{closing}"""
CLOSING = {"de": "<reviewer></reviewer>\n<translator>Jemand</translator>\n", "en": "<reviewer></reviewer>\n"}


def spoken(language: str) -> list[str]:
    """The title and the description are spoken, too."""
    return [f"Title in {language}", f"TED Talk Subtitles in {language}: About it."] + [
        f"line {number} in {language}, <b>&amp;</b>" for number in range(NUM_LINES)
    ]


def training_text(language: str) -> str:
    lines = "".join(f" {line} \n" for line in spoken(language)[2:])
    return TALK.format(language=language, lines=lines, closing=CLOSING[language])


def markup_of(name: str, language: str) -> str:
    segments = "".join(f'<seg id="{number}"> {name} {number} in {language} &amp; so on </seg>\n' for number in (1, 2))
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<mteval>\n<srcset setid="{name}" srclang="{language}">\n'
        f'<doc docid="1" genre="lectures">\n<title>Not a segment</title>\n{segments}</doc>\n</srcset>\n</mteval>\n'
    )


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A folder with ``de-en.tgz``, which also holds files that nobody asks for."""
    folder = tmp_path / "published"
    folder.mkdir()
    with tarfile.open(folder / "de-en.tgz", "w:gz") as archive:
        for language in ("de", "en"):
            texts = {f"train.tags.de-en.{language}": training_text(language), f"README.{language}": "read me\n"}
            texts |= {f"IWSLT14.{name}.de-en.{language}.xml": markup_of(name, language) for name in IWSLT14_TESTS}
            for name, text in texts.items():
                member = tarfile.TarInfo(f"de-en/{name}")
                member.size = len(text.encode())
                archive.addfile(member, io.BytesIO(text.encode()))
    return folder


@pytest.fixture
def data_dir(published: Path, tmp_path: Path) -> Path:
    prepare_dataset("iwslt14", published, tmp_path / "data")
    return tmp_path / "data"


def test_the_archive_as_published_is_prepared_and_checked(data_dir: Path) -> None:
    checks = verify_dataset("iwslt14", data_dir)
    assert len(checks) == 2 * (1 + len(IWSLT14_TESTS))
    assert {status for _, status in checks} == {"ok"}


@pytest.mark.parametrize("pair", ["de-en", "en-de"])
def test_every_23rd_line_validates_and_the_tests_follow_each_other(
    data_dir: Path, pairs_of: PairsOf, pair: str
) -> None:
    corpus = find_corpus("iwslt14", pair, data_dir)
    languages = pair.split("-")
    pairs = list(zip(*map(spoken, languages), strict=True))
    assert pairs_of(corpus.valid) == pairs[22::23]
    assert pairs_of(corpus.train) == [pair for pair in pairs if pair not in pairs[22::23]]
    assert pairs_of(corpus.test) == [
        tuple(f"{name} {number} in {language} & so on" for language in languages)
        for name in IWSLT14_TESTS
        for number in (1, 2)
    ]


def test_training_is_cleaned_and_validation_left_as_it_is(data_dir: Path, pairs_of: PairsOf) -> None:
    for language, long_line in (("de", "wort " * 176), ("en", "word " * 176)):
        path = data_dir / "iwslt14" / f"train.tags.de-en.{language}"
        lines = path.read_text(encoding="utf-8").splitlines()
        first = lines.index(f" {spoken(language)[2]} ")
        lines[first] = ""  # the third line that is spoken
        lines[first + 1] = long_line
        lines[first + 2] = "kurz" if language == "de" else "word " * 11
        lines[first + 20] = ""  # the 23rd
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    corpus = find_corpus("iwslt14", "de-en", data_dir)
    report = corpus.report["train"]
    assert {reason: report[reason] for reason in ("empty", "too_long", "ratio")} == {
        "empty": 1, "too_long": 1, "ratio": 1,
    }  # fmt: skip
    assert report["kept"] == len(pairs_of(corpus.train)) == NUM_LINES + 2 - 4 - 3
    assert pairs_of(corpus.valid)[0] == ("", "")


def test_a_missing_file_is_named(data_dir: Path) -> None:
    (data_dir / "iwslt14" / "IWSLT14.TED.tst2011.de-en.en.xml").unlink()
    with pytest.raises(DataError, match=r"lacks IWSLT14\.TED\.tst2011\.de-en\.en\.xml\nget it with"):
        find_corpus("iwslt14", None, data_dir)


def test_a_truncated_archive_is_refused(published: Path, tmp_path: Path) -> None:
    archive = published / "de-en.tgz"
    archive.write_bytes(archive.read_bytes()[:-500])
    with pytest.raises(DataError, match=rf"{archive}: the archive is damaged"):
        prepare_dataset("iwslt14", published, tmp_path / "data")
