"""The measurements of speed, and the document that is made of them."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs/results/speed.md"


@pytest.fixture(scope="module")
def tool() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "tools"))
        yield importlib.import_module("speed")


def test_the_document_is_what_the_code_makes_of_what_was_measured(tool: Any) -> None:
    records = tool.read(tool.RECORDS)
    assert tool.document(records, tool.RECORDS.name) == DOCUMENT.read_text(encoding="utf-8"), (
        "python tools/speed.py render"
    )


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything once, with little to compute."""
    monkeypatch.setattr("lstmdrop.training.bench.BLOCK_SECONDS", 0.0)
    monkeypatch.setattr("lstmdrop.training.limits.LIMIT_SECONDS", 0.0)
    monkeypatch.setattr("lstmdrop.training.limits.PRODUCT_SIZE", 64)
    monkeypatch.setattr("lstmdrop.training.limits.COPIED_BYTES", 1 << 16)


@pytest.mark.slow
@pytest.mark.usefixtures("short")
def test_the_short_form_measures_and_writes_it_all(tool: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records, text = tmp_path / "speed", tmp_path / "speed.md"
    tool.main([
        "alone", "--seconds", "0.001", "--sizes", "tiny", "--tasks", "lm", "--work", "decode", "--axes", "batch",
        "--largest", "40", "--set", "model.hidden_size=8", "data.vocabulary_size=50", "--records", str(records),
    ])  # fmt: skip
    found = tool.read(records)
    assert [row["work"] for row in found["speed"]] == ["decode"]
    for row in found["speed"]:
        assert row["tokens_per_second"] > 0 < row["share_of_matrix_rate"]
        assert 50e6 < row["peak_bytes"] < 5e9
    assert sum(row["share"] for row in found["profile"]) == pytest.approx(1)
    assert {"softmax and loss", "backward: softmax and loss", "optimiser", "clipping", "data", "embedding"} <= {
        row["part"] for row in found["profile"]
    }
    assert [row["value"] for row in found["growth"]] == [10, 20, 40]
    assert found["machine"][0]["cores"] >= 1
    written = text.read_text(encoding="utf-8")
    assert "| lm | tiny | decode, beam 1 | tokens |" in written
    assert "| batch | 10 | 40 | time | 1.00 |" in written
    assert (records / "growth.svg").read_text(encoding="utf-8").startswith("<?xml")
    assert written.count("Not measured yet.") == 1


@pytest.mark.slow
def test_a_neighbour_spins_for_as_long_as_it_should(tool: Any) -> None:
    import psutil

    before = {child.pid for child in psutil.Process().children()}
    with tool._spinning():
        (spinner,) = {child.pid for child in psutil.Process().children()} - before
        assert psutil.Process(spinner).cmdline()[0] == sys.executable
    assert not psutil.pid_exists(spinner)


def test_a_rate_is_that_between_the_first_and_the_last_step(tool: Any, tmp_path: Path) -> None:
    config = tool.resolve_config(tool.load_plugin("lm"), "tiny")
    rows = [
        {"event": "logged", "step": step, "seconds": 2.0 * step + 9, "tokens_per_second": 1.0} for step in (3, 5, 9)
    ]
    lines = [*map(json.dumps, [{"event": "evaluated", "seconds": 1}, *rows]), '{"half a li']
    (tmp_path / "log.jsonl").write_text("\n".join(lines), encoding="utf-8")
    logged = tool._logged(tmp_path)
    assert logged == rows
    assert tool._rate(logged, config) == pytest.approx(10 * 20 / 2.0)
