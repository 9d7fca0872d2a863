"""Searches of other libraries around our weights find what ours find; what is compared is what was measured."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

import compare_decoding

ROOT = Path(__file__).parents[2]
SMALL = ["--size", "tiny", "--items", "5", "--rounds", "1"]


def measured(tmp_path: Path, *arguments: str) -> list[dict[str, object]]:
    record = tmp_path / "decoding.jsonl"
    compare_decoding.main([*SMALL, *arguments, "--output", str(record)])
    return [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("task", ["mt", "caption"])
def test_with_our_weights_opennmt_finds_the_same(tmp_path: Path, task: str) -> None:
    pytest.importorskip(
        "onmt", reason="OpenNMT-py is not here: docs/results/speed/decoding.md says how it is installed"
    )
    rows = measured(tmp_path, "--task", task, "--beams", "1", "5")
    assert [row["beam"] for row in rows] == [1, 5]
    assert [row["same"] for row in rows] == [1.0, 1.0]
    assert all(row["differs"] < 1e-3 for row in rows)  # type: ignore[operator]


@pytest.mark.slow
def test_compiled_prefix_searches_find_the_same(tmp_path: Path) -> None:
    pytest.importorskip("fast_ctc_decode")
    pytest.importorskip("flashlight.lib.text.decoder")
    rows = measured(tmp_path, "--task", "asr", "--beams", "1", "8")
    assert [row["library"].partition(" ")[0] for row in rows] == ["fast-ctc-decode"] * 2 + ["flashlight-text"] * 2  # type: ignore[attr-defined]
    assert [row["same"] for row in rows if row["beam"] == 8] == [1.0, 1.0]


def test_a_library_that_is_not_here_is_left_out_with_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name) if name == "OpenNMT-py" else AssertionError(version(name))

    monkeypatch.setattr(compare_decoding, "version", missing)
    compare_decoding.main([*SMALL, "--task", "mt", "caption", "--output", str(tmp_path / "decoding.jsonl")])
    assert capsys.readouterr().out.count("OpenNMT-py is not here") == 2
    assert not (tmp_path / "decoding.jsonl").exists()


def test_the_table_holds_the_last_measurement_of_each_case(tmp_path: Path) -> None:
    row = {
        "task": "mt", "network": "small", "beam": 5, "library": "OpenNMT-py 3.5.1", "items": "sentences", "ours": 30.0,
        "theirs": 20.0, "ours_spread": [29, 31], "theirs_spread": [19, 21], "same": 1.0, "differs": 0.0, "threads": 1,
        "machine": "x86_64, 2 cores", "load": 0.1, "clock": "wall", "torch": "2.13.0",
    }  # fmt: skip
    record = tmp_path / "decoding.jsonl"
    record.write_text("".join(json.dumps({**row, "ours": value}) + "\n" for value in (10.0, 30.0)), encoding="utf-8")
    page = tmp_path / "decoding.md"
    page.write_text(f"before\n\n{compare_decoding.BEGIN}\nold\n{compare_decoding.END}\n\nafter\n", encoding="utf-8")
    compare_decoding.main(["--output", str(record), "--into", str(page)])
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert text.count("| mt | small |") == 1
    assert "30.0 (29.0 to 31.0) sentences" in text
    assert "| 1.50 | 100% |" in text


def test_the_page_has_what_was_recorded(tmp_path: Path) -> None:
    folder = ROOT / "docs" / "results" / "speed"
    record, page = folder / "decoding.jsonl", tmp_path / "decoding.md"
    if not record.exists():
        pytest.skip("nothing is recorded yet")
    page.write_bytes((folder / "decoding.md").read_bytes())
    compare_decoding.main(["--output", str(record), "--into", str(page)])
    assert page.read_text(encoding="utf-8") == (folder / "decoding.md").read_text(encoding="utf-8")
