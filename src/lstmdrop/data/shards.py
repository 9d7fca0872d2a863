"""Files made of many shards: each is prepared by itself and kept once it is whole, and in the end they are joined."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar

from lstmdrop.data.atomic import atomic_file
from lstmdrop.data.parts import Piece, numbered
from lstmdrop.data.processes import do_all
from lstmdrop.data.text import BLOCK_BYTES, Part
from lstmdrop.errors import DataError
from lstmdrop.parsing import parse_json, read_json_document, to_json

PLAN = "plan.json"
"""How the shards are joined; from when it is there on, shards go as they are taken."""

SharedT = TypeVar("SharedT")

Counts = Mapping[str, int]
Write = Callable[[SharedT, Piece, BinaryIO], Counts]
"""Writes the shard of a piece, and counts what is in it."""


class Shard(NamedTuple):
    """One that is whole."""

    path: Path
    num_bytes: int
    counts: Counts


def make_of_shards(
    folder: Path,
    pieces: Sequence[Piece],
    write: Write[SharedT],
    shared: SharedT,
    plan: Callable[[Sequence[Shard]], Mapping[str, int]],
    what: str,
) -> None:
    """Fill a folder (see `lstmdrop.data.atomic.resumable_folder`) with files: the shards of all pieces, in order.

    ``plan`` says how many bytes each file gets, one after the other. Whatever ends this, called again it goes on: with
    the shards that are not whole, or where it was in joining them. The folder must be of this content alone.

    Raises:
        DataError: as ``write``, with the line's number in the file.
    """
    for left in folder.glob(".*"):  # by a process that was killed
        left.unlink()
    if not (folder / PLAN).is_file():
        jobs = [Job(write, folder, number, len(pieces), piece) for number, piece in enumerate(pieces)]
        missing = [job for job in jobs if job.done() is None]
        do_all(_prepare, shared, missing, what, len(jobs) - len(missing))
        shards = [job.require() for job in jobs]
        sizes = [shard.num_bytes for shard in shards]
        with atomic_file(folder / PLAN) as handle:
            handle.write(to_json({"sizes": sizes, "shares": plan(shards)}).encode())
    _join(folder)


class Job(NamedTuple):
    """A shard that is to be there."""

    write: Write[Any]
    folder: Path
    number: int
    num_shards: int
    piece: Piece

    @property
    def path(self) -> Path:
        """Where it is once it is whole; a note beside it says so."""
        return shard_path(self.folder, self.number)

    @property
    def identity(self) -> list[Any]:
        """What it is made of: the folder's name stands for the content of the files."""
        return [self.num_shards, *((part.start, part.end) for part in self.piece)]

    def done(self) -> Shard | None:
        """What is there of an earlier time."""
        try:
            note = read_json_document(self.path.with_suffix(".json"))
            size = self.path.stat().st_size
        except (OSError, ValueError):
            return None
        is_whole = note["of"] == parse_json(to_json(self.identity)) and note["bytes"] == size
        return Shard(self.path, size, note["counts"]) if is_whole else None

    def require(self) -> Shard:
        """It, made by now."""
        shard = self.done()
        if shard is None:
            raise DataError(f"{self.path}: this is not what was written a moment ago; run it again")
        return shard


def shard_path(folder: Path, number: int) -> Path:
    """Where a shard is."""
    return folder / f"{number:06}.shard"


def _prepare(shared: Any, job: Job) -> None:
    with atomic_file(job.path) as handle:
        try:
            counts = job.write(shared, job.piece, handle)
        except DataError:
            if any(part.start for part in job.piece):
                job.write(shared, tuple(map(_numbered, job.piece)), handle)
            raise
    note = {"of": job.identity, "bytes": job.path.stat().st_size, "counts": counts}
    with atomic_file(job.path.with_suffix(".json")) as handle:
        handle.write(to_json(note).encode())


def _numbered(part: Part) -> Part:
    return numbered(part) if part.start else part


def _join(folder: Path) -> None:
    """Put the shards one after the other; each goes once it is on the disk as a part of the whole."""
    plan = read_json_document(folder / PLAN)
    sizes, shares = plan["sizes"], plan["shares"]
    num_gone = next((n for n in range(len(sizes)) if shard_path(folder, n).is_file()), len(sizes))
    place = sum(sizes[:num_gone])
    begin = 0
    for name, share in shares.items():
        with (folder / name).open("ab") as target:
            target.truncate(min(max(place - begin, 0), share))
        begin += share
    for number in range(num_gone, len(sizes)):
        with shard_path(folder, number).open("rb") as shard:
            place = _append(shard, folder, shares, place)
        shard_path(folder, number).unlink()
    for number in range(len(sizes)):
        shard_path(folder, number).with_suffix(".json").unlink(missing_ok=True)
    (folder / PLAN).unlink()


def _append(shard: BinaryIO, folder: Path, shares: Mapping[str, int], place: int) -> int:
    """Write a shard that begins at this place of the whole into the files that have it; the place after it."""
    end = 0
    for name, share in shares.items():
        end += share
        if place >= end:
            continue
        with (folder / name).open("ab") as target:
            while place < end and (block := shard.read(min(BLOCK_BYTES, end - place))):
                place += target.write(block)
            target.flush()
            os.fsync(target.fileno())
    return place
