"""What the page says of large texts is what was measured, and it is measured of the real thing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools" / "measure_preparation.py"


def test_the_table_of_the_page_is_made_of_what_was_measured(tmp_path: Path) -> None:
    page = tmp_path / "own-data.md"
    page.write_bytes((ROOT / "docs" / "own-data.md").read_bytes())
    results = ROOT / "docs" / "results" / "scaling" / "preparation.json"
    subprocess.run([sys.executable, TOOL, "--output", results, "--into", page], check=True)
    assert page.read_text() == (ROOT / "docs" / "own-data.md").read_text()
    assert page.read_text().count("| word | 2 |") >= 3


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("shards", [0, 3])
def test_a_text_is_measured_in_small(tmp_path: Path, shards: int) -> None:
    command = [sys.executable, str(TOOL), "--megabytes", "1", "--kinds", "word", "--shards", str(shards)]
    subprocess.run([*command, "--output", str(tmp_path / "found.json")], check=True, capture_output=True)
    one, two = json.loads((tmp_path / "found.json").read_bytes())["rows"]
    assert (one["processes"], two["processes"]) == (1, 2)
    assert one["tokens_sha256"] == two["tokens_sha256"]
    assert one["num_tokens"] == two["num_tokens"] > 100_000
    assert 0 < one["most_resident_mb"] < 1500
