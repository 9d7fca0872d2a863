"""A text in parts is the text, and files of shards are the same whatever stops their making."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstmdrop.data import parts, shards
from lstmdrop.data.atomic import resumable_folder
from lstmdrop.data.parts import LINES, WORDS, Piece, numbered, pieces_of, text_parts
from lstmdrop.data.processes import PROCESSES, do_all, num_processes
from lstmdrop.data.shards import Shard, make_of_shards
from lstmdrop.data.text import Part, read_blocks, read_lines
from lstmdrop.errors import DataError, ProcessError, UsageError


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PROCESSES, "1")


@given(
    lines=st.lists(st.text("ab é日\r\t", max_size=9), min_size=1, max_size=12),
    is_ended=st.booleans(),
    part_bytes=st.sampled_from([1, 2, 5, 17]),
    mark=st.sampled_from(["", "\ufeff"]),
)
def test_the_parts_of_a_text_are_the_text(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], is_ended: bool, part_bytes: int, mark: str
) -> None:
    path = tmp_path_factory.mktemp("parts") / "text"
    content = mark + "\n".join(lines) + ("\n" if is_ended else "")
    path.write_bytes(content.encode() or b"a")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "PART_BYTES", part_bytes)
        by_lines, by_words = text_parts(path, LINES), text_parts(path, WORDS)
    assert [line for part in by_lines for line in read_lines(part)] == list(read_lines(path))
    for cut in (by_lines, by_words):
        assert "".join(block for part in cut for block in read_blocks(part)) == "".join(read_blocks(path))
        assert [part.start for part in cut[1:]] == [part.end for part in cut[:-1]]


def test_parts_are_of_one_size_and_end_with_their_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART_BYTES", 100)
    path = tmp_path / "text"
    path.write_text("".join(f"line {number}\n" for number in range(100)))
    found = text_parts(path)
    assert len(found) > 6
    assert all(80 < part.end - part.start < 120 for part in found[1:-1] if part.end)
    content = path.read_bytes()
    assert {content[part.start - 1 : part.start] for part in found[1:]} == {b"\n"}
    path.write_bytes(gzip.compress(content * 50))
    assert text_parts(path) == [Part(path)]  # a packed text can only be read from its start


def test_a_long_line_is_one_part_or_is_cut_between_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART_BYTES", 100)
    monkeypatch.setattr(parts, "SEARCHED_AT_ONCE", 7)
    path = tmp_path / "text"
    path.write_text("word " * 200)
    assert text_parts(path) == [Part(path)]
    assert len(text_parts(path, WORDS)) == 10


def test_small_files_are_prepared_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART_BYTES", 100)
    for number, size in enumerate([40, 40, 40, 250, 10]):
        (tmp_path / f"{number}").write_text("a\n" * (size // 2))
    files = [part for path in sorted(tmp_path.iterdir()) for part in text_parts(path)]
    sizes = [[part.path.name for part in piece] for piece in pieces_of(files)]
    assert sizes == [["0", "1"], ["2"], ["3"], ["3"], ["4"]]


def test_errors_name_the_line_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART_BYTES", 20)
    path = tmp_path / "text"
    path.write_bytes(b"good line\n" * 10 + b"bad \xff\n" + b"good line\n")
    (part,) = [part for part in text_parts(path) if part.start <= 100 < (part.end or 1000)]
    assert part.start
    for read in (read_lines, read_blocks):
        with pytest.raises(DataError, match=r"text:11: byte 0xff"):
            list(read(numbered(part)))  # type: ignore[operator]
    made = tmp_path / "made"
    made.mkdir()
    with pytest.raises(DataError, match=r"text:11: byte 0xff"):
        make_of_shards(made, [(part,)], copy, None, as_one, "copying")


def copy(_: None, piece: Piece, shard: BinaryIO) -> Mapping[str, int]:
    blocks = [block.encode() for part in piece for block in read_blocks(part)]
    shard.write(b"".join(blocks))
    return {"blocks": len(blocks)}


def as_one(shards: Sequence[Shard]) -> Mapping[str, int]:
    return {"all": sum(shard.num_bytes for shard in shards)}


@pytest.mark.parametrize("shares", [(1.0,), (0.3, 0.0, 0.7)])
def test_files_of_shards_are_the_same_wherever_their_making_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shares: tuple[float, ...]
) -> None:
    monkeypatch.setattr(parts, "PART_BYTES", 30)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    text = tmp_path / "text"
    text.write_text("".join(f"line {number}\n" for number in range(12)))
    pieces = [(part,) for part in text_parts(text)]

    def plan(made: Sequence[Shard]) -> Mapping[str, int]:
        total = sum(shard.num_bytes for shard in made)
        sizes = [int(total * share) for share in shares]
        sizes[-1] = total - sum(sizes[:-1])
        return {f"file{number}": size for number, size in enumerate(sizes)}

    for stop_at in count(1):
        folder = tmp_path / f"stopped{stop_at}"
        folder.mkdir()
        with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
            stop = Stopper(stop_at)
            patch.setattr(shards, "atomic_file", stop(shards.atomic_file))
            patch.setattr(Path, "unlink", stop(Path.unlink))
            patch.setattr(shards, "_append", stop(shards._append))
            make_of_shards(folder, pieces, copy, None, plan, "copying")
        if stop.has_stopped:
            make_of_shards(folder, pieces, copy, None, plan, "copying")
        found = b"".join((folder / f"file{number}").read_bytes() for number in range(len(shares)))
        assert found == text.read_bytes()
        assert len(list(folder.iterdir())) == len(shares)
        if not stop.has_stopped:
            break
    assert stop_at > 8 * len(pieces)


class Stopper:
    """Ends the program before or after the call of that number, whichever function it is."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.has_stopped = False

    def __call__(self, function: object) -> object:
        def called(*arguments: object, **named: object) -> object:
            self.at -= 1
            if self.at == 0:
                self.has_stopped = True
                raise KeyboardInterrupt
            result = function(*arguments, **named)  # type: ignore[operator]
            self.at -= 1
            if self.at == 0:
                self.has_stopped = True
                raise KeyboardInterrupt
            return result

        return called


def test_shards_of_another_cut_are_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, folder = tmp_path / "text", tmp_path / "made"
    text.write_text("".join(f"line {number}\n" for number in range(40)))
    folder.mkdir()
    for size, stops in ((30, True), (50, False)):
        monkeypatch.setattr(parts, "PART_BYTES", size)
        pieces = [(part,) for part in text_parts(text)]
        plan = as_one
        if stops:

            def plan(made: Sequence[Shard]) -> Mapping[str, int]:
                raise KeyboardInterrupt

            with pytest.raises(KeyboardInterrupt):
                make_of_shards(folder, pieces, copy, None, plan, "copying")
            assert json.loads(next(folder.glob("*.json")).read_bytes())["of"]
        else:
            make_of_shards(folder, pieces, copy, None, plan, "copying")
    assert (folder / "all").read_bytes() == text.read_bytes()


def test_the_number_of_processes_can_be_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PROCESSES, raising=False)
    assert num_processes() >= 1
    monkeypatch.setenv(PROCESSES, "3")
    assert num_processes() == 3
    for wrong in ("0", "-1", "many", ""):
        monkeypatch.setenv(PROCESSES, wrong)
        with pytest.raises(UsageError, match=f"{PROCESSES} is '{wrong}'; it is a number"):
            num_processes()


def end_of_a_process(_: None, piece: Piece, shard: BinaryIO) -> Mapping[str, int]:
    if piece[0].start:
        os._exit(9)
    return copy(None, piece, shard)


@pytest.mark.slow
def test_a_process_that_the_system_ends_is_one_line_and_what_is_done_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "PART_BYTES", 100)
    text, folder = tmp_path / "text", tmp_path / "made"
    text.write_text("".join(f"line {number}\n" for number in range(60)))
    pieces = [(part,) for part in text_parts(text)]
    with resumable_folder(folder) as unfinished:
        assert unfinished is not None
        do_all(shards._prepare, None, [shards.Job(copy, unfinished, 0, len(pieces), pieces[0])], "copying")
        done = shards.shard_path(unfinished, 0).stat().st_mtime_ns
        monkeypatch.setenv(PROCESSES, "2")
        with pytest.raises(ProcessError, match=rf"copying: a process was ended.*\n.*{PROCESSES}=1"):
            make_of_shards(unfinished, pieces, end_of_a_process, None, as_one, "copying")
        assert shards.shard_path(unfinished, 0).stat().st_mtime_ns == done
        make_of_shards(unfinished, pieces, copy, None, as_one, "copying")
    assert (folder / "all").read_bytes() == text.read_bytes()


def test_what_is_done_outlives_a_process_and_not_what_is_wrong(tmp_path: Path) -> None:
    for error, is_kept in ((ProcessError("ended"), True), (DataError("wrong"), False)):
        with suppress(type(error)), resumable_folder(tmp_path / "made") as unfinished:
            assert unfinished is not None
            (unfinished / "shard").write_text("done")
            raise error
        assert [path.name for path in tmp_path.iterdir()] == ([".made.unfinished"] if is_kept else [])
