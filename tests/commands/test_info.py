"""Facts for bug reports."""

from __future__ import annotations

from importlib.metadata import distributions, version

import pytest

from lstmdrop.commands.info import PARTS, info


def test_versions_tasks_and_folders_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSTMDROP_DATA", "/somewhere")
    facts = info()
    assert facts["lstmdrop"].startswith(version("lstmdrop"))
    assert facts["torch"] == version("torch")
    installed = {part.metadata["Name"].lower(): part.version for part in distributions()}
    assert {part: facts[part] for part in PARTS} == {part: installed.get(part, "not installed") for part in PARTS}
    assert "lm" in facts["tasks"]
    assert facts["data"] == "/somewhere"
