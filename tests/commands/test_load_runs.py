from __future__ import annotations

from pathlib import Path

import pytest

import lstmdrop

RESULTS = Path(__file__).parents[2] / "docs/results/lm"


def test_every_run_is_a_row_of_the_same_columns() -> None:
    rows = lstmdrop.load_runs(RESULTS)
    assert len(rows) >= 5
    assert len({tuple(row) for row in rows}) == 1
    (plain,) = (row for row in rows if row["data"] == "ptb" and row["directory"].endswith("small-none-s1"))
    assert plain["test_perplexity"] == pytest.approx(112.079, abs=1e-3)
    assert plain["test_perplexity_signature"].startswith("tokens:82429|")
    assert (plain["gap_metric"], plain["training.epochs"], plain["dropout"]) == ("perplexity", 13, None)
    assert plain["gap"] < 0


def test_pandas_takes_them() -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    table = pandas.DataFrame(lstmdrop.load_runs(RESULTS))
    assert table.groupby(["data", "regularizer"])["test_perplexity"].mean()["ptb", "none"] > 110


def test_a_run_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/config.json").write_text("{}")
    with pytest.warns(UserWarning, match="broken: not finished"):
        assert lstmdrop.load_runs(str(tmp_path)) == []
