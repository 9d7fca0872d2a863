from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import sys
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstmdrop.data import archive
from lstmdrop.data import text as text_module
from lstmdrop.data.text import content_sha256, read_blocks, read_lines
from lstmdrop.errors import DataError, MissingPartError

zstd = archive.packing("zstd")

LINES = st.lists(st.text(alphabet="ab é日\r\u2028\x0b\t", max_size=12), min_size=1, max_size=8)


def after_last_space(text: str) -> int:
    return max(text.rfind(" "), text.rfind("\n")) + 1


def write(folder: Path, content: bytes) -> Path:
    path = folder / "text.txt"
    path.write_bytes(content)
    return path


def test_lines_end_at_newlines_only(tmp_path: Path) -> None:
    path = write(tmp_path, "a\x0bb\u2028c\x85d\r\n\nlast é".encode())
    assert list(read_lines(path)) == ["a\x0bb\u2028c\x85d", "", "last é"]


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    path = write(tmp_path, b"\xef\xbb\xbfa\nb\n")
    assert list(read_lines(path)) == ["a", "b"]
    assert "".join(read_blocks(path)) == "a\nb\n"


@pytest.mark.parametrize("block_bytes", [1, 2, 5, 1000])
@pytest.mark.parametrize("cut", [len, after_last_space])
@given(lines=LINES, ended=st.booleans())
def test_blocks_joined_are_the_lines(
    tmp_path_factory: pytest.TempPathFactory, block_bytes: int, cut: object, lines: list[str], ended: bool
) -> None:
    content = "\n".join(lines) + ("\n" if ended else "")
    if not content:
        return
    path = write(tmp_path_factory.mktemp("blocks"), content.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_module, "BLOCK_BYTES", block_bytes)
        blocks = list(read_blocks(path, cut))  # type: ignore[arg-type]
    assert "".join(blocks) == "".join(f"{line}\n" for line in read_lines(path))
    assert all(blocks)


def test_blocks_end_where_they_may_be_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_module, "BLOCK_BYTES", 4)
    blocks = list(read_blocks(write(tmp_path, b"one three five seventeen one\n"), after_last_space))
    assert [word for block in blocks for word in block.split()] == [
        "one",
        "three",
        "five",
        "seventeen",
        "one",
    ]
    assert len(blocks) > 2


@pytest.mark.parametrize(("content", "line"), [(b"ok\nok\nbad \xff\nok\n", 3), (b"ok\nends early \xe2\x82", 2)])
@pytest.mark.parametrize("read", [read_lines, read_blocks])
def test_what_is_not_utf8_is_named_by_file_and_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, line: int, read: object
) -> None:
    monkeypatch.setattr(text_module, "BLOCK_BYTES", 2)
    path = write(tmp_path, content)
    with pytest.raises(DataError, match=f"text.txt:{line}: byte 0x.. is not UTF-8"):
        list(read(path))  # type: ignore[operator]


@pytest.mark.parametrize("read", [read_lines, read_blocks])
def test_what_cannot_be_read_says_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: object
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=rf"none\.txt: no such file .*{tmp_path}/none\.txt"):
        list(read(Path("none.txt")))  # type: ignore[operator]
    with pytest.raises(DataError, match="is a folder"):
        list(read(tmp_path))  # type: ignore[operator]
    with pytest.raises(DataError, match=r"text\.txt: the file is empty"):
        list(read(write(tmp_path, b"")))  # type: ignore[operator]


def test_the_hash_is_that_of_sha256sum(tmp_path: Path) -> None:
    assert content_sha256(write(tmp_path, b"abc")) == hashlib.sha256(b"abc").hexdigest()


def test_the_hash_of_several_files_tells_them_apart(tmp_path: Path) -> None:
    names = {"ab": b"ab", "c": b"c", "a": b"a", "bc": b"bc"}
    paths = {name: tmp_path / name for name in names}
    for name, content in names.items():
        paths[name].write_bytes(content)
    hashes = {content_sha256(paths[one], paths[two]) for one, two in [("ab", "c"), ("a", "bc"), ("c", "ab")]}
    assert len(hashes) == 3
    with pytest.raises(DataError, match="gone"):
        content_sha256(paths["a"], tmp_path / "gone")


@pytest.mark.parametrize("content", [b"a b\nc\0d\n", "ab\ncd\n".encode("utf-16-le"), b"\0" * 9])
def test_what_is_no_text_is_named_with_its_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "text"
    path.write_bytes(content)
    line = content[: content.index(b"\0")].count(b"\n") + 1
    for read in (read_lines, read_blocks):
        with pytest.raises(DataError, match=f"text:{line}: there is a zero byte"):
            list(read(path))


def test_a_mark_that_is_not_at_the_start_is_text(tmp_path: Path) -> None:
    path = write(tmp_path, "\ufeffa\n\ufeffb\n".encode())
    assert list(read_lines(path)) == ["a", "\ufeffb"]
    assert "".join(read_blocks(path)) == "a\n\ufeffb\n"


def test_what_can_nowhere_be_cut_comes_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_module, "BLOCK_BYTES", 3)
    path = write(tmp_path, b"one line of a text that ends in no space\n")
    assert list(read_blocks(path, lambda text: 0)) == ["one line of a text that ends in no space\n"]
    assert list(read_blocks(path, lambda text: text.rfind(" ") + 1))[-1] == "space\n"


@pytest.mark.parametrize("block_bytes", [1, 3, 4, 7, 100])
@given(lines=st.lists(st.text("ab\r", max_size=4), max_size=5))
def test_the_line_of_what_is_not_utf8_is_right_wherever_blocks_end(
    tmp_path_factory: pytest.TempPathFactory, block_bytes: int, lines: list[str]
) -> None:
    content = "".join(f"{line}\n" for line in lines).encode() + b"x\xe9y\nmore\n"
    path = write(tmp_path_factory.mktemp("bad"), content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_module, "BLOCK_BYTES", block_bytes)
        for read in (read_lines, read_blocks):
            with pytest.raises(DataError, match=rf"text\.txt:{len(lines) + 1}: byte 0xe9 is not UTF-8"):
                list(read(path))
        path.write_bytes(content.replace(b"\xe9", b"\0"))
        for read in (read_lines, read_blocks):
            with pytest.raises(DataError, match=rf"text\.txt:{len(lines) + 1}: there is a zero byte"):
                list(read(path))


def test_the_hash_of_several_files_is_of_each_of_them_in_order(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"1")
    other.write_bytes(b"2")
    pair = content_sha256(one, other)
    assert pair == hashlib.sha256(f"{content_sha256(one)}\n{content_sha256(other)}".encode()).hexdigest()
    assert len({pair, content_sha256(other, one), content_sha256(one, one), content_sha256(one)}) == 4
    other.write_bytes(b"3")
    assert content_sha256(one, other) != pair


CHECKED = {zstd.CompressionParameter.checksum_flag: 1}  # as the program zstd does
PACKED = {
    "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress,
    "zst": lambda content: zstd.compress(content, options=CHECKED),
}  # fmt: skip
FEW_LINES = "né\nune ligne\n\nfin\n"


@pytest.mark.parametrize("ending", PACKED)
def test_a_packed_text_is_the_text_whatever_its_name(tmp_path: Path, ending: str) -> None:
    for name in (f"text.{ending}", "text.txt"):
        path = tmp_path / name
        path.write_bytes(PACKED[ending](FEW_LINES.encode("utf-8-sig")))
        assert list(read_lines(path)) == FEW_LINES.splitlines()
        assert "".join(read_blocks(path)) == FEW_LINES


@pytest.mark.parametrize("ending", PACKED)
def test_a_packed_text_that_is_cut_off_or_changed_is_one_error(tmp_path: Path, ending: str) -> None:
    whole = PACKED[ending]("".join(f"{number} {number**3}\n" for number in range(5000)).encode())
    path = tmp_path / "text"
    middle = len(whole) // 2
    for content in (whole[:middle], whole[:middle] + bytes(20) + whole[middle + 20 :]):
        path.write_bytes(content)
        for read in (read_lines, read_blocks):
            with pytest.raises(
                DataError, match=rf"^{path}: the archive is damaged \(.+\); delete it and get it again$"
            ):
                list(read(path))


@pytest.mark.parametrize("ending", PACKED)
def test_nothing_that_is_packed_is_an_empty_text(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "text"
    path.write_bytes(PACKED[ending](b""))
    with pytest.raises(DataError, match="the file is empty"):
        list(read_lines(path))


def test_a_small_file_that_unpacks_to_an_endless_line_is_refused_in_bounded_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "LONGEST_LINE", 1 << 16)
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(b"x" * (50 << 20)))
    tracemalloc.start()
    with pytest.raises(DataError, match="a line of it is longer than"):
        list(read_lines(path))
    assert tracemalloc.get_traced_memory()[1] < 10 << 20
    tracemalloc.stop()


def test_what_is_packed_otherwise_is_named_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "sheet.xlsx"
    with zipfile.ZipFile(path, "w") as whole:
        whole.writestr("a", "b")
    with pytest.raises(DataError, match=r"this is a zip archive: unpack it; of a spreadsheet, save the table as \.csv"):
        list(read_lines(path))
    with pytest.raises(
        DataError, match=r"this is Parquet: as a corpus it is to be named \.parquet; of lines, write it as JSON lines"
    ):
        list(read_lines(write(tmp_path, b"PAR1\x15\x04")))


def test_a_text_that_begins_as_packed_ones_do_is_a_text(tmp_path: Path) -> None:
    assert list(read_lines(write(tmp_path, b"BZh, said the fly\n"))) == ["BZh, said the fly"]


def test_without_its_library_a_text_packed_by_zstandard_names_the_line_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    path = write(tmp_path, zstd.compress(b"a\n"))
    with pytest.raises(MissingPartError, match=r"pip install 'lstmdrop\[zst\]'"):
        list(read_lines(path))
