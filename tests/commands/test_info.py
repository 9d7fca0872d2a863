"""Facts for bug reports."""

from __future__ import annotations

import re
from importlib.metadata import distributions, version

import pytest

from lstmdrop.commands.info import PARTS, info


def test_versions_tasks_and_folders_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSTMDROP_DATA", "/somewhere")
    facts = info()
    assert facts["lstmdrop"].startswith(version("lstmdrop"))
    assert facts["torch"] == version("torch")
    installed = {plain_name(part.metadata["Name"]): part.version for part in distributions()}
    expected = {part: installed.get(plain_name(part), "not installed") for part in PARTS}
    assert {part: facts[part] for part in PARTS} == expected
    assert "lm" in facts["tasks"]
    assert facts["data"] == "/somewhere"


def plain_name(part: str) -> str:
    """As PEP 503 compares names."""
    return re.sub(r"[-_.]+", "-", part).lower()
