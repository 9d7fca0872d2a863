"""What the tests of the corpora share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lstmdrop.data.text import read_lines
from lstmdrop_tasks.mt.corpora.parallel import ParallelText

Pairs = list[tuple[str, str]]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSTMDROP_CACHE", str(tmp_path / "cache"))


def _real(folder: Path, name: str) -> Path:
    if not (folder / name).is_dir():
        pytest.skip(f"{folder / name} is not here")
    return folder


@pytest.fixture
def shared_multi30k(shared_data: Path) -> Path:
    """The real data, where this machine has Multi30k."""
    return _real(shared_data, "multi30k")


@pytest.fixture
def shared_tatoeba(shared_data: Path) -> Path:
    """The real data, where this machine has Tatoeba."""
    return _real(shared_data, "tatoeba")


@pytest.fixture
def pairs_of() -> Callable[[ParallelText], Pairs]:
    """The pairs that a corpus holds."""
    return lambda text: list(zip(read_lines(text.source), read_lines(text.target), strict=True))
