"""Data at addresses, such as ``s3://bucket/texts/*.jsonl.gz``: fetched through fsspec, and kept in the cache."""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from lstmdrop.data.atomic import atomic_file, atomic_folder, duplicate
from lstmdrop.data.registry import cache_dir, expanded
from lstmdrop.data.work_progress import report_work
from lstmdrop.errors import DataError, LstmdropError, MissingPartError
from lstmdrop.parsing import MOST_BYTES_OF_LISTS, read_json_document, to_json

ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+)(::[a-z0-9+.-]+)*://", re.IGNORECASE)
AT_ONCE = 8
"""Files that are fetched side by side."""
EVERYTHING = "**/*"
VERSION = (
    "size", "ETag", "etag", "Content-MD5", "Digest", "md5Hash", "generation", "version_id", "VersionId", "blob_id",
    "LastModified", "Last-Modified", "last_modified", "mtime", "updated", "created",
)  # fmt: skip
"""What file systems say of a file that changes with its content."""

Listing = Mapping[str, list[str]]
"""The address of each file by its name here, with what tells its version."""

log = logging.getLogger("lstmdrop.data")


def is_address(data: str) -> bool:
    """Whether this names data elsewhere, such as ``https://...``; a Windows drive is no such."""
    return ADDRESS.match(data) is not None


def local_place(data: str | Path) -> Path:
    """The file, folder or pattern that a path names, or where what an address names lies once it is fetched.

    A file is fetched again only if its size, version or time is another. What cannot be reached is taken as it was
    fetched last, with a warning.

    Raises:
        DataError: the address cannot be read, names nothing, or a file came in part.
        MissingPartError: what reads such addresses is not installed.
    """
    address = str(data)
    if not is_address(address):
        return expanded(address)
    noted = cache_dir() / "remote" / f"listing-{_digest(address)}.json"
    try:
        system, path = _system(address)
        if "file" in (system.protocol if isinstance(system.protocol, tuple) else (system.protocol,)):
            return Path(path)
        kind, listing = _listed(system, path, address)
    except LstmdropError:
        raise
    except Exception as error:  # each file system has errors of its own
        return _as_before(address, noted, _reason(error))
    if not _folder(listing).is_dir():
        _fetch_all(system, listing, address)
    content = to_json([kind, listing]).encode()
    if not noted.is_file() or noted.read_bytes() != content:
        with atomic_file(noted) as handle:
            handle.write(content)
    return _place(kind, listing)


def _as_before(address: str, noted: Path, reason: str) -> Path:
    """What was fetched the last time that the address could be read."""
    if noted.is_file():
        kind, listing = read_json_document(noted, MOST_BYTES_OF_LISTS)
        if _folder(listing).is_dir():
            log.warning("%s: cannot be reached (%s); going on with what was fetched before", address, reason)
            return _place(kind, listing)
    raise DataError(f"{address}: cannot be read ({reason})")


def _system(address: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs
    from fsspec.registry import known_implementations

    protocol = address.partition("://")[0].rpartition("::")[2]
    try:
        system, path = url_to_fs(address)
    except ValueError as error:
        raise DataError(
            f"{address}: {str(error).rstrip('.')}; known: {', '.join(sorted(known_implementations))}"
        ) from None
    except ImportError as error:
        raise MissingPartError(
            f"addresses that begin with {protocol}:// need more ({str(error).splitlines()[0]})\n"
            "pip install 'lstmdrop[remote]'"
        ) from None
    system.invalidate_cache()
    return system, path


def _listed(system: Any, path: str, address: str) -> tuple[str, Listing]:
    """What the address is (``file``, ``folder`` or ``pattern``), and its files."""
    is_pattern = any(sign in path for sign in ("*[" if address.startswith("http") else "*[?"))
    if is_pattern:
        root = re.split(r"[*?\[]", path)[0].rpartition("/")[0]
        found = system.glob(path, detail=True)
    elif path.endswith("/") or address.endswith("/") or (info := system.info(path))["type"] == "directory":
        root = path.rstrip("/")
        found = system.find(path, maxdepth=2, detail=True)
    else:
        return "file", {_name(path, address): [path, *_version(info)]}
    # Stores of objects mark a folder by an empty file whose name ends as folders do.
    found = {name: info for name, info in found.items() if info["type"] == "file" and not name.endswith("/")}
    if not found:
        raise DataError(f"{address}: there is no such file" if is_pattern else f"{address}: there is no file in it")
    names = sorted(found)
    with ThreadPoolExecutor(AT_ONCE) as askers:  # a listing by HTTP says nothing but names
        versions = askers.map(lambda name: _version(found[name]) or _version(system.info(name)), names)
        files = dict(zip(names, versions, strict=True))
    if silent := [name for name in names if not files[name]]:
        log.warning("%s: nothing tells its version, so that a change of it is not noticed", silent[0])
    listing = {name.removeprefix(root).lstrip("/"): [name, *version] for name, version in files.items()}
    return "pattern" if is_pattern else "folder", listing


def _name(path: str, address: str) -> str:
    return unquote(PurePosixPath(urlsplit(address).path if address.startswith("http") else path).name)


def _version(info: Mapping[str, Any]) -> list[str]:
    return [f"{key}={info[key]}" for key in VERSION if info.get(key) is not None]


def _place(kind: str, listing: Listing) -> Path:
    folder = _folder(listing)
    return folder if kind == "folder" else folder / (EVERYTHING if kind == "pattern" else next(iter(listing)))


def _folder(listing: Listing) -> Path:
    return cache_dir() / "remote" / _digest(to_json(listing))


def _fetch_all(system: Any, listing: Listing, address: str) -> None:
    for name in listing:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise DataError(f"{address}: {name!r} would land outside of its folder")
    with ThreadPoolExecutor(AT_ONCE) as readers:
        waiting = {readers.submit(_fetch, system, *file): name for name, file in listing.items()}
        try:
            for done, future in enumerate(as_completed(waiting)):
                report_work(f"fetching {address}", done, len(listing))
                _require_fetched(future, listing[waiting[future]][0])
        finally:
            readers.shutdown(cancel_futures=True)
    report_work(f"fetching {address}", len(listing), len(listing))
    with atomic_folder(_folder(listing)) as folder:
        for name, file in listing.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            duplicate(_kept(file), folder / name)


def _require_fetched(future: Future[None], place: str) -> None:
    try:
        future.result()
    except LstmdropError:
        raise
    except Exception as error:
        raise DataError(f"{place}: cannot be fetched ({_reason(error)}); what has come is kept: run it again") from None


def _fetch(system: Any, path: str, *version: str) -> None:
    kept = _kept([path, *version])
    if kept.is_file():
        return
    kept.parent.mkdir(parents=True, exist_ok=True)
    temporary = kept.with_name(f".{kept.name}.{secrets.token_hex(4)}")
    try:
        system.get_file(path, str(temporary))
        size = temporary.stat().st_size
        if any(said.startswith("size=") and said != f"size={size}" for said in version):
            raise DataError(f"{path}: {size:,} bytes came, and there are to be {version[0].removeprefix('size=')}")
        temporary.replace(kept)
    finally:
        temporary.unlink(missing_ok=True)


def _kept(file: list[str]) -> Path:
    return cache_dir() / "remote" / _digest(to_json(file))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _reason(error: BaseException) -> str:
    cause = error.__cause__ or error
    text = next(iter(str(cause).strip().splitlines()), "")
    return f"{type(cause).__name__}: {text}" if text else type(cause).__name__
