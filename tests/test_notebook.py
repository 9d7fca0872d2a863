"""The notebook runs from the first cell to the last, and is kept without what it showed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat")
NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebooks" / "paper.ipynb"


@pytest.fixture
def notebook() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


def test_it_is_kept_without_outputs(notebook: Any) -> None:
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code) > 5
    assert [cell for cell in code if cell.outputs or cell.execution_count is not None] == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the kernel's own libraries
def test_it_runs(notebook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient = pytest.importorskip("nbclient")
    monkeypatch.setenv("LSTMDROP_NOTEBOOK_EPOCHS", "1")
    nbclient.NotebookClient(notebook, timeout=280, kernel_name="python3").execute()
    shown = "".join(
        output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []) if "text" in output
    )
    spread = {line.split(":")[0].strip(): float(line.split(":")[1]) for line in shown.splitlines()[:3]}
    assert 0 == spread["none"] < spread["zaremba"] < spread["naive"]  # what the paper says
    assert "zaremba: test perplexity" in shown
