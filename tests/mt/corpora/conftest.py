"""Small archives in the layout in which the corpora are published."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

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


@pytest.fixture(scope="session")
def generate_wmt14() -> ModuleType:
    """The script beside these tests that writes archives in WMT 2014's layout."""
    spec = importlib.util.spec_from_file_location("generate_wmt14", Path(__file__).parents[1] / "generate_wmt14.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def wmt14_archives(generate_wmt14: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder ``wmt14`` with the seven archives, some 1,500 pairs of each training text; not to be changed."""
    folder = tmp_path_factory.mktemp("published") / "wmt14"
    generate_wmt14.write_training(folder, 1500, ("de", "fr"))
    generate_wmt14.write_news(folder, 30, ("de", "fr"))
    return folder


@pytest.fixture
def pairs_of() -> Callable[[ParallelText], Pairs]:
    """The pairs that a corpus holds."""
    return lambda text: list(zip(read_lines(text.source), read_lines(text.target), strict=True))
