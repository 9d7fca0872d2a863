"""Shapes of public tensor arguments are checked while the tests run; the toy data needs no network."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from jaxtyping import install_import_hook

install_import_hook(["lstmdrop.nn", "lstmdrop.decoding", "lstmdrop_tasks.lm.model"], "beartype.beartype")
torch.set_num_threads(1)  # toy tensors: more threads only wait for each other


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSTMDROP_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def shared_data() -> Path:
    """The real datasets, where this machine has them."""
    folder = os.environ.get("LSTMDROP_DATA")
    if not folder:
        pytest.skip("LSTMDROP_DATA is not set: the real data is not here")
    return Path(folder)
