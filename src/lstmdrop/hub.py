"""Models on the Hugging Face Hub: fetched once, at a revision that is said, and sent."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lstmdrop.errors import DataError, LstmdropError, UsageError, loading

PREFIX = "hf:"
ADDRESS = re.compile(r"hf:(?P<name>[\w.-]+(?:/[\w.-]+)?)(?:@(?P<revision>[\w./-]+))?")

CONTENT = ("config.json", "scores.json", "model.safetensors", "assets/*")
"""What is fetched of a model: nothing that could be code is looked at."""

log = logging.getLogger("lstmdrop.hub")


def is_address(path: str | Path) -> bool:
    """Whether it names a model on the Hub, such as ``hf:someone/a-model``, and no folder."""
    return str(path).startswith(PREFIX)


def fetched(path: Path) -> Path:
    """The folder itself; of an address ``hf:NAME`` or ``hf:NAME@REVISION`` the folder that it was downloaded to.

    The log says the commit that was taken where the address names none.

    Raises:
        UsageError: it begins like an address and is none.
        DataError: there is no such model, or the Hub cannot be reached and the model was never fetched.
        MissingPartError: huggingface_hub is not installed.
    """
    if not is_address(path):
        return path
    name, revision = _parts(path.as_posix())
    with loading("a model of the Hub needs huggingface_hub", "pip install 'lstmdrop[hub]'"):
        from huggingface_hub import snapshot_download
    with _told(path.as_posix()):
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=list(CONTENT)))  # offline: what is here
    if folder.name != revision:
        log.warning("hf:%s is taken at %s; to pin it: hf:%s@%s", name, folder.name, name, folder.name)
    return folder


def send(folder: Path, address: str, *, private: bool = False) -> str:
    """Upload a folder as one commit, into a repository that is made where there is none; the address of the commit.

    Raises:
        UsageError: it is no address, or has a revision.
        DataError: the Hub cannot be reached or refuses.
        MissingPartError: huggingface_hub is not installed.
    """
    name, revision = _parts(address)
    if revision is not None:
        raise UsageError(f"{address}: a model is sent to its newest revision; leave @{revision} out")
    with loading("sending a model to the Hub needs huggingface_hub", "pip install 'lstmdrop[hub]'"):
        from huggingface_hub import HfApi
    with _told(address):
        api = HfApi()
        api.create_repo(name, private=private, exist_ok=True)
        commit = api.upload_folder(repo_id=name, folder_path=folder, commit_message="lstmdrop publish")
    return f"{PREFIX}{name}@{commit.oid}"


def _parts(address: str) -> tuple[str, str | None]:
    match = ADDRESS.fullmatch(address)
    if match is None:
        raise UsageError(f"{address!r} is no address on the Hub: hf:OWNER/NAME, or hf:OWNER/NAME@REVISION")
    return match["name"], match["revision"]


@contextmanager
def _told(address: str) -> Iterator[None]:
    """The Hub's errors as one line."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        yield
    except LstmdropError:
        raise
    except LocalEntryNotFoundError:
        raise DataError(
            f"{address} was never fetched, and the Hub cannot be reached: try again with a network"
        ) from None
    except HfHubHTTPError as error:
        reason = error.server_message or next(iter(str(error).splitlines()), "")
        raise DataError(f"{address}: the Hub says: {reason}\n'hf auth login' gives access to what is private") from None
    except (OSError, httpx2.TransportError) as error:
        raise DataError(f"{address}: {next(iter(str(error).splitlines()), '')}") from None
