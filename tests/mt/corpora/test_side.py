from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from lstmdrop.errors import DataError
from lstmdrop_tasks.mt.corpora.markup import segments
from lstmdrop_tasks.mt.corpora.parallel import (
    BLOCK_LINES,
    Side,
    aligned,
    member_side,
    mended_member_side,
    plain_side,
)


def tar_of(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def side(*lines: str, name: str = "side") -> Side:
    return Side(name, lambda: iter(lines))


TEXT = "Où ?\r\nLà.\n\n".encode()
LINES = ["Où ?", "Là.", ""]


def test_the_same_lines_come_out_of_every_wrapping(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(TEXT)
    (tmp_path / "text.gz").write_bytes(gzip.compress(TEXT))
    archive = tar_of(tmp_path / "set.tgz", {"in/text": TEXT, "in/text.gz": gzip.compress(TEXT)})
    sides = [
        plain_side(tmp_path / "text"),
        plain_side(tmp_path / "text.gz"),
        *(read(archive, name) for read in (member_side, mended_member_side) for name in ("in/text", "in/text.gz")),
    ]
    for one in sides:
        assert list(one.lines()) == LINES
        assert list(one.lines()) == LINES  # again


def test_a_line_that_is_not_utf8_is_named_in_its_archive(tmp_path: Path) -> None:
    text = b"good\ncaf\xe9\n"
    (tmp_path / "text.gz").write_bytes(gzip.compress(text))
    archive = tar_of(tmp_path / "set.tgz", {"in/text.gz": gzip.compress(text)})
    with pytest.raises(DataError, match=r"text\.gz:2: byte 0xe9 is not UTF-8"):
        list(plain_side(tmp_path / "text.gz").lines())
    with pytest.raises(DataError, match=r"set\.tgz:in/text\.gz:2: byte 0xe9 is not UTF-8"):
        list(member_side(archive, "in/text.gz").lines())
    assert list(mended_member_side(archive, "in/text.gz").lines()) == ["good", "caf\ufffd"]


@pytest.mark.parametrize(
    "content",
    [b"no gzip", gzip.compress(TEXT)[:-3], gzip.compress(TEXT)[:-8] + bytes(8)],
    ids=["no gzip", "cut off", "another checksum"],  # the content tells the time, and every process has its own
)
def test_damaged_compression_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "text.gz").write_bytes(content)
    archive = tar_of(tmp_path / "set.tgz", {"text.gz": content})
    packed = [plain_side(tmp_path / "text.gz")] if content != b"no gzip" else []  # that is a text by another name
    for one in (*packed, member_side(archive, "text.gz")):
        with pytest.raises(DataError, match=r"(text\.gz|set\.tgz): the archive is damaged"):
            list(one.lines())


def test_segments_are_what_stands_in_the_markup() -> None:
    published = side(
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<refset setid="newstest2013" srclang="any" trglang="fr">',
        '<doc docid="a" genre="news" origlang="en">',
        "<hl>",
        '<seg id="1"> Un titre </seg>',
        "</hl>",
        '<SEG ID="2">R&amp;D &lt;b&gt; &quot;ici&quot; &apos;là&apos; &amp;quot; &eacute;</SEG>',
        '<seg id="3">Deux',
        '  lignes</seg><seg id="4"></seg>',
        "</doc>",
        "</refset>",
    )
    assert list(segments(published).lines()) == [
        "Un titre", "R&D <b> \"ici\" 'là' &quot; &eacute;", "Deux lignes", "",
    ]  # fmt: skip


@pytest.mark.parametrize("num_lines", [0, 1, BLOCK_LINES, BLOCK_LINES + 1])
def test_aligned_sides_make_blocks_of_pairs(num_lines: int) -> None:
    lines = [str(number) for number in range(num_lines)]
    blocks = list(aligned(side(*lines), side(*reversed(lines))))
    assert [line for block in blocks for line in block.sources] == lines
    assert [line for block in blocks for line in block.targets] == lines[::-1]
    assert all(len(block.sources) == len(block.targets) <= BLOCK_LINES for block in blocks)


@pytest.mark.parametrize(("longer", "shorter"), [(3, 2), (1, 0), (2 * BLOCK_LINES + 3, BLOCK_LINES + 1)])
def test_sides_of_different_length_are_refused_with_both_lengths(longer: int, shorter: int) -> None:
    long, short = side(*["x"] * longer, name="text.fr"), side(*["x"] * shorter, name="text.en")
    for sides in ((long, short), (short, long)):
        with pytest.raises(DataError) as caught:
            list(aligned(*sides))
        assert str(caught.value).startswith(
            f"text.en:{shorter}: this is the last line, and text.fr has {longer:,}\nline N of one side"
        )
