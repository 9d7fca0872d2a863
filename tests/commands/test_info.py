"""Facts for bug reports."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from lstmdrop.commands.info import info


def test_versions_tasks_and_folders_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSTMDROP_DATA", "/somewhere")
    facts = info()
    assert facts["lstmdrop"].startswith(version("lstmdrop"))
    assert facts["torch"] == version("torch")
    assert "lm" in facts["tasks"]
    assert facts["data"] == "/somewhere"
