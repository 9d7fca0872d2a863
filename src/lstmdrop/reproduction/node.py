"""What a machine of a cluster does with one cell, and the folders that travel where it shares no disk with the grid."""

from __future__ import annotations

import hashlib
import io
import platform
import shutil
import tempfile
import time
import zipfile
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from lstmdrop.data.archive import unpack
from lstmdrop.data.atomic import TakenError, claimed, locked, new_folder
from lstmdrop.data.json_file import read_json
from lstmdrop.data.registry import cache_dir
from lstmdrop.errors import DataError, LstmdropError
from lstmdrop.reproduction.plan import Planned
from lstmdrop.reproduction.process import CellProcess, command, complaint, log_of
from lstmdrop.run import Run
from lstmdrop.training.interruption import Interruption

MOST_BYTES = 2 << 30
"""Of a folder that travels: it is in memory twice on its way."""

PATIENCE = 120.0
"""Seconds that a cell waits for its folder: the run of a machine that was lost may be writing its checkpoint there."""

_STAYS = ("previous.safetensors", "damaged.safetensors", ".*", "*.tmp")
"""What is there for the case that a disk fails, and what has not got its name yet."""


@dataclass(frozen=True, slots=True)
class Order:
    """A cell for whichever machine has room; every path in it is one of the machine that gives it."""

    planned: Planned
    words: tuple[str, ...]
    """Which cell it is, in whatever folder: of the same words the same weights come."""
    threads: int
    device: str
    data_dir: Path | None
    folder: Path
    """The working directory, for data whose path is relative."""
    mark: Path
    """An empty file: who sees it shares the disk."""
    sender: str
    version: str = version("lstmdrop")


@dataclass(frozen=True, slots=True)
class Parcels:
    """Packed folders: of the run that is to go on, and of the members of an average."""

    run: bytes = b""
    members: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an order."""

    exit_code: int = 0
    seconds: float = 0.0
    message: str = ""
    said: bytes = b""
    """What the sender's log does not have yet."""
    run: bytes = b""
    """The packed folder, where the disk is not shared."""
    wants_parcels: bool = False
    """Nothing was done: the disk is not shared, and the sender may have something to begin with."""


def carry_out(order: Order, parcels: Parcels | None = None) -> Outcome:
    """Run a cell to its end, or go on with it; one that is finished is left as it is.

    Interrupted, the cell writes its checkpoint, and the outcome says so. Whoever shares the sender's disk works in the
    sender's folder. Elsewhere the run is made in the cache, where the same cell finds what an earlier try left, and its
    folder is in the outcome.
    """
    here = platform.node()
    if (ours := version("lstmdrop")) != order.version:
        return Outcome(1, message=f"{here} has lstmdrop {ours}, not {order.version}: install the same on all machines")
    try:
        if order.mark.exists():
            return _run(order, order.planned)
        return Outcome(wants_parcels=True) if parcels is None else _away(order, parcels)
    except (LstmdropError, OSError) as error:
        return Outcome(1, message=f"{error} (on {here})")


def _run(order: Order, planned: Planned) -> Outcome:
    directory = planned.directory
    if Run(directory).is_finished():  # by a try whose machine was lost before it could say so
        return Outcome()
    _wait_for(directory)
    words = command(planned, order.device, order.data_dir)
    folder = order.folder if order.folder.is_dir() else None
    process = CellProcess.start(words, log_of(directory), str(order.threads), folder)
    with Interruption(at_once=False) as interruption:
        while not interruption.requested and process.exit_code() is None:
            time.sleep(0.1)
        if interruption.requested:
            process.interrupt()
        exit_code = process.wait()
    message = f"{complaint(process.said())} (on {platform.node()})" if exit_code else ""
    return Outcome(exit_code, process.seconds, message)


def _wait_for(directory: Path) -> None:
    """Until no other process trains in it; after a while the run itself says that one does."""
    end = time.monotonic() + PATIENCE
    while directory.is_dir() and time.monotonic() < end:
        try:
            with claimed(directory):
                return
        except TakenError:
            time.sleep(0.5)


def _away(order: Order, parcels: Parcels) -> Outcome:
    identity = "\n".join([order.sender, str(order.planned.directory), *order.words])
    scratch = cache_dir() / "grid" / hashlib.sha256(identity.encode()).hexdigest()[:16]
    scratch.mkdir(parents=True, exist_ok=True)
    with locked(scratch):
        run = scratch / order.planned.directory.name
        if parcels.run:
            _arrive_unless_behind(parcels.run, run)
        members = tuple(scratch / "members" / str(number) for number in range(len(parcels.members)))
        for member, parcel in zip(members, parcels.members, strict=True):
            arrive(parcel, member)
        outcome = _run(order, replace(order.planned, directory=run, members=members))
        log = log_of(run)
        packed, remark = _packed_to_go(run)
        said = log.read_bytes() if log.exists() else b""
        if not outcome.exit_code and not remark:
            shutil.rmtree(scratch)
        else:
            log.unlink(missing_ok=True)
    return replace(outcome, run=packed, said=said, message=outcome.message or remark)


def _packed_to_go(run: Path) -> tuple[bytes, str]:
    """The folder; where it is too large, all but its weights, and a remark of where these are."""
    if not run.is_dir():
        return b"", ""
    try:
        return pack(run), ""
    except DataError:
        return pack(run, "*.safetensors"), f"its weights are too large to travel and stay on {platform.node()}: {run}"


def parcels_of(planned: Planned) -> Parcels:
    """The folders that a cell begins with.

    Raises:
        DataError: together they are larger than `MOST_BYTES`.
    """
    parcels = Parcels(
        run=pack(planned.directory) if Run(planned.directory).exists() else b"",
        members=tuple(pack(member, "last.*") for member in planned.members),
    )
    size = sum(map(len, parcels.members))
    if size > MOST_BYTES:
        raise _too_large(planned.members[0].parent, size)
    return parcels


def pack(folder: Path, *leave_out: str) -> bytes:
    """A run directory as an archive, without what guards against a failing disk and the names that are left out.

    Raises:
        DataError: it is larger than `MOST_BYTES`.
    """
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    files = [path for path in files if not any(map(path.match, (*_STAYS, *leave_out)))]
    size = sum(path.stat().st_size for path in files)
    if size > MOST_BYTES:
        raise _too_large(folder, size)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", strict_timestamps=False) as archive:
        for path in files:
            archive.write(path, path.relative_to(folder).as_posix())
    return packed.getvalue()


def _too_large(folder: Path, size: int) -> DataError:
    return DataError(
        f"{folder} has {size:,} bytes, and no more than {MOST_BYTES:,} travel to a machine that does not share its "
        "disk: give --out a folder that all machines share"
    )


def arrive(packed: bytes, directory: Path) -> None:
    """Put a packed folder in the place of what an earlier state of the same run left there."""
    old = directory.with_name(f".{directory.name}.old")
    with tempfile.NamedTemporaryFile(suffix=".zip") as archive, new_folder(directory) as folder:
        archive.write(packed)
        archive.flush()
        unpack(Path(archive.name), folder)
        if directory.exists():
            directory.rename(old)
    shutil.rmtree(old, ignore_errors=True)


def _arrive_unless_behind(packed: bytes, run: Path) -> None:
    """Of a run that an earlier try left here, the newer state is taken."""
    arrived = run.with_name("arrived")
    arrive(packed, arrived)
    if _step(run) < max(0, _step(arrived)):
        shutil.rmtree(run, ignore_errors=True)
        arrived.rename(run)
    else:
        shutil.rmtree(arrived)


def _step(run: Path) -> int:
    """Of its newest checkpoint, -1 where there is none."""
    with suppress(LstmdropError, KeyError):
        return int(read_json(run / "last.json")["step"])
    return -1
