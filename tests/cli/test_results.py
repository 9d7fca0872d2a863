"""``report``, ``compare`` and ``reproduce`` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lstmdrop.cli import main

RESULTS = Path(__file__).parents[2] / "docs/results/lm"
BEST, NAIVE = str(RESULTS / "small-zaremba-p0.2-s1"), str(RESULTS / "small-naive-p0.2-s1")


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(words)
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("table", "What dropout changed"),
        ("markdown", "| lm | ptb | small | perplexity | none |"),
        ("latex", "\\toprule"),
        ("csv", "What dropout changed,lm,ptb,small,perplexity,none"),
        ("json", '"title": "What dropout changed"'),
        ("html", "<!DOCTYPE html>"),
    ],
)
def test_a_report_in_every_format(capsys: pytest.CaptureFixture[str], kind: str, said: str) -> None:
    assert run("report", str(RESULTS), "--format", kind) == 0
    assert said in capsys.readouterr().out


def test_an_unknown_format_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("report", str(RESULTS), "--format", "pdf") == 2
    assert "one of table, markdown, latex, csv, json, html, svg" in capsys.readouterr().err


def test_a_comparison_as_a_table_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    few = ("--resamples", "100", "--shuffles", "100")
    assert run("compare", BEST, NAIVE, *few) == 0
    assert "Two runs on the same test data" in capsys.readouterr().out
    assert run("compare", BEST, NAIVE, *few, "--format", "json") == 0
    (row,) = json.loads(capsys.readouterr().out)[0]["rows"]
    assert (row["test score"], row["better"]) == ("perplexity", "neither")
    assert row["signature A"].startswith("tokens:82429|")


def test_a_comparison_with_what_is_no_run_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run("compare", BEST, str(tmp_path)) == 4
    assert "not finished" in capsys.readouterr().err
    assert run("compare", BEST, NAIVE, "--format", "svg") == 2


def test_the_plan_names_what_is_done(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(RESULTS.parents[2])
    assert run("reproduce", "lm-ptb", "--seeds", "1", "--list", "--out", str(tmp_path)) == 0
    out = capsys.readouterr().out
    assert "lm-ptb" in out
    assert "done" in out
    assert run("reproduce", "lm-ptb", "--seeds", "1", "--out", str(tmp_path)) == 0  # nothing is left to run
    assert "2 of 2 runs are done" in capsys.readouterr().out


def test_an_experiment_that_fails_is_named_at_the_end(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    grid = tmp_path / "grid.toml"
    grid.write_text(
        "[[experiment]]\nname='a'\ntask='lm'\ndata='/no/such'\nsize='tiny'\nrules=[{rule='none'}]\nseeds=1\n"
    )
    assert run("reproduce", "--grid", str(grid), "--out", str(tmp_path / "out")) == 1
    said = capsys.readouterr()
    assert "0 of 1 runs are done" in said.out
    assert "failed: a/none-s1: '/no/such' is neither a dataset nor" in said.err
    assert run("reproduce", "b", "--grid", str(grid)) == 2


def test_a_report_on_what_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("report", str(tmp_path / "nowhere")) == 4
    assert "nowhere: no such folder" in capsys.readouterr().err
    assert run("report", str(tmp_path)) == 4
    assert "no run that can be read is in" in capsys.readouterr().err
